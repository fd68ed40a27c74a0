"""What tools/record.py keeps of a run: outputs, small pictures, and nothing of this machine."""

import base64
import io
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
FACES = """\
import torch
from gan_lessons import plots, widgets
torch.manual_seed(0)
images = torch.rand(4, 3, 16, 16) * 2 - 1
plots.grid(images, "noise")
widgets.frame_slider({name: plots.grid_png(images, name) for name in ("a", "b")}, "place")"""


def notebook_of(path, *sources):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source, metadata={"collapsed": True, "tags": ["mine"]}) for source in sources]
    nbformat.write(notebook, path)
    return path


def record(path):
    return subprocess.run([sys.executable, "-m", "tools.record", path], cwd=ROOT, capture_output=True, text=True)


def test_outputs_are_kept_small_and_without_what_only_a_kernel_can_show(tmp_path):
    path = notebook_of(tmp_path / "lesson.ipynb", "print('seen')", FACES)
    assert record(path).returncode == 0
    first, second = nbformat.read(path, as_version=4).cells
    assert first.outputs[0].text == "seen\n" and first.execution_count == 1
    assert first.metadata == {"tags": ["mine"]} and first.id == "cell-000"
    grid, still, slider = second.outputs
    assert still.data == {"text/html": '<style class="gan-lessons-still"></style>'}
    for output in (grid, slider):
        picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
        assert picture.mode == "P" and min(picture.size) > 100
        assert set(output.data) == {"image/png", "text/plain"}


@pytest.mark.slow
def test_a_recorded_lesson_becomes_a_script_of_python(tmp_path):
    path = notebook_of(tmp_path / "lesson.ipynb", "print('seen')")
    assert record(path).returncode == 0
    subprocess.run([sys.executable, "-m", "nbconvert", "--to", "script", path], check=True, capture_output=True)
    assert "print('seen')" in (tmp_path / "lesson.py").read_text()


@pytest.mark.slow
def test_nbval_takes_one_still_for_another_and_nothing_else(tmp_path):
    """What the recorder keeps and what a run gives are compared as nbval compares them."""
    path = notebook_of(tmp_path / "lesson.ipynb", FACES)
    assert record(path).returncode == 0
    sanitizer = ROOT / "tests/nbval_sanitize.cfg"
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", f"--nbval-sanitize-with={sanitizer}", path]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].outputs[1].data["text/html"] += "<p>more</p>"
    nbformat.write(notebook, path)
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1 and "<p>more</p>" in ran.stdout


def test_help_runs_nothing():
    ran = subprocess.run([sys.executable, "-m", "tools.record", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0 and "NOTEBOOK" in ran.stdout


def test_a_notebook_that_fails_is_left_as_it_was(tmp_path):
    path = notebook_of(tmp_path / "lesson.ipynb", "print('seen')", "1 / 0")
    before = path.read_bytes()
    assert "ZeroDivisionError" in record(path).stderr
    assert path.read_bytes() == before
