"""A number in a lesson's text that its run does not bear out is noticed, when recording and when testing."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools import claims

ROOT = Path(__file__).resolve().parent.parent


def notebook_with(path, *stated):
    """A notebook whose one cell has a run's numbers, `share` 0.6049 and `crumbs` 11 932, and these claims."""
    cell = nbformat.v4.new_code_cell("share, crumbs = 0.6049, 11932\nprint(crumbs)", metadata={"claims": list(stated)})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


@pytest.mark.parametrize(
    "text, value, holds",
    [
        ("60 % of them", 60.49, True),
        ("60 % of them", 60.51, False),
        ("0.60", 0.6049, True),
        ("0.60", 0.6051, False),
        ("11 932 crumbs", 11932, True),
        ("11\u00a0932 crumbs", 11932, True),
        ("11\u202f932 crumbs", 11932, True),
        ("only 932 crumbs", 11932, False),
        ("falls to −1.5", -1.46, True),
        ("falls to -1.5", 1.5, False),
    ],
)
def test_a_number_says_what_it_is_rounded_to(text, value, holds):
    assert claims.holds({"text": text, "value": ""}, value) is holds


@pytest.mark.parametrize("value, holds", [(0.4, True), (0.6, True), (0.39, False), (0.61, False), (float("nan"), False)])
def test_a_range_takes_its_ends(value, holds):
    assert claims.holds({"text": "about half", "low": 0.4, "high": 0.6}, value) is holds


def test_a_word_for_a_number_needs_a_range():
    with pytest.raises(ValueError, match="no number in “half of them”"):
        claims.holds({"text": "half of them", "value": "share"}, 0.5)
    assert claims.holds({"text": "half of them", "high": 0.6}, 0.5)


@pytest.mark.slow
def test_recording_refuses_a_false_claim_and_leaves_the_notebook(tmp_path):
    true, false = {"text": "0.60", "value": "share"}, {"text": "12 000 crumbs", "value": "crumbs"}
    path = notebook_with(tmp_path / "lesson.ipynb", true, false, {"text": "5 steps", "value": "steps"})
    before = path.read_bytes()
    run = subprocess.run([sys.executable, "-m", "tools.record", path], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1 and path.read_bytes() == before
    assert "the text says “12 000 crumbs”, crumbs is 11932" in run.stderr
    assert "“5 steps”: steps stopped with NameError: name 'steps' is not defined" in run.stderr and "0.60" not in run.stderr


@pytest.mark.slow
def test_running_notices_a_claim_that_was_true_when_it_was_recorded(tmp_path):
    path = notebook_with(tmp_path / "lesson.ipynb", {"text": "0.60", "value": "share"})
    subprocess.run([sys.executable, "-m", "tools.record", path], cwd=ROOT, check=True)
    command = [sys.executable, "-m", "tools.run_notebooks", "-p", "no:cacheprovider", path]
    assert subprocess.run(command, cwd=ROOT).returncode == 0
    path.write_text(path.read_text().replace('"text": "0.60"', '"text": "0.61"'))
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1 and "the text says “0.61”, share is 0.6049" in run.stdout


def test_sentences_that_no_claim_covers_are_listed(tmp_path):
    path = notebook_with(tmp_path / "lesson.ipynb", {"text": "60 % are good", "value": "100 * share"})
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("So 60 %\nare good. And 17 are not. None has $z = 5$ or `n = 3`."))
    nbformat.write(notebook, path)
    assert claims.uncovered(path) == ["And 17 are not."]
