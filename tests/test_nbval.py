"""The suite that runs the notebooks would notice: a wrong number in a copy of a lesson makes it fail."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent


def run_start_of_lesson_04(folder, replace=("", "")):
    """Run the lesson up to its first digits under strict nbval, with one text in its outputs replaced."""
    notebook = nbformat.read(ROOT / "notebooks/04_mlp_gan.ipynb", as_version=4)
    digits = next(index for index, cell in enumerate(notebook.cells) if cell.source.startswith("digits = data.mnist()"))
    notebook.cells = notebook.cells[: digits + 1]
    (text,) = [output for output in notebook.cells[-1].outputs if "text" in output]
    assert replace[0] in text.text
    text.text = text.text.replace(*replace)
    nbformat.write(notebook, folder / "lesson.ipynb")
    command = [sys.executable, "-m", "tools.run_notebooks", "-p", "no:cacheprovider", folder / "lesson.ipynb"]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.slow
def test_the_lesson_as_it_is_passes(tmp_path):
    run = run_start_of_lesson_04(tmp_path)
    assert run.returncode == 0, run.stdout


@pytest.mark.slow
def test_a_broken_number_is_noticed(tmp_path):
    run = run_start_of_lesson_04(tmp_path, ("60 000 digits", "60 001 digits"))
    assert run.returncode == 1
    assert "60 001 digits" in run.stdout and "1 failed" in run.stdout
