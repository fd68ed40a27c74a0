"""The reader's copies of the lessons: nothing written is ever lost, and the checkout stays as it is."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools import lab

ROOT = Path(__file__).resolve().parent.parent


def lesson(path, *sources, output=None):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    if output:
        notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text=output)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def sources(path):
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


@pytest.fixture
def places(tmp_path):
    """A folder of lessons with a solution, and one for the copies that is not there yet."""
    lessons = tmp_path / "notebooks"
    for name in ("00_start.ipynb", "04_digits.ipynb", "solutions/04_digits.ipynb"):
        lesson(lessons / name, f"print('{name}')", "answer = ...")
    return lessons, tmp_path / "my-lessons"


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_every_lesson_and_solution_is_copied_byte_for_byte(places):
    lessons, copies = places
    assert lab.renew(lessons, copies) == {}
    assert files(copies) == files(lessons) | {lab.RECORD}
    assert all((copies / name).read_bytes() == (lessons / name).read_bytes() for name in files(lessons))


def test_what_the_reader_wrote_stays_and_the_reader_is_told(places):
    lessons, copies = places
    lab.renew(lessons, copies)
    mine = lesson(copies / "04_digits.ipynb", "print('04_digits.ipynb')", "answer = 42").read_bytes()
    assert lab.renew(lessons, copies) == {}, "the lesson is no newer"
    lesson(lessons / "04_digits.ipynb", "print('better')", "answer = ...")
    assert lab.renew(lessons, copies) == {"04_digits.ipynb": lab.CHANGED}
    assert lab.renew(lessons, copies) == {"04_digits.ipynb": lab.CHANGED}, "it is still behind"
    assert (copies / "04_digits.ipynb").read_bytes() == mine


def test_a_copy_that_was_only_run_gets_the_new_lesson(places):
    lessons, copies = places
    lab.renew(lessons, copies)
    ran = lesson(copies / "00_start.ipynb", "print('00_start.ipynb')", "answer = ...", "", output="00_start.ipynb\n").read_bytes()
    assert lab.renew(lessons, copies) == {} and (copies / "00_start.ipynb").read_bytes() == ran
    new = lesson(lessons / "00_start.ipynb", "print('better')").read_bytes()
    assert lab.renew(lessons, copies) == {} and (copies / "00_start.ipynb").read_bytes() == new


def test_new_lessons_come_and_lost_ones_come_back(places):
    lessons, copies = places
    lab.renew(lessons, copies)
    (copies / "00_start.ipynb").unlink()
    lesson(lessons / "05_failures.ipynb", "print('new')")
    (copies / "notes.txt").write_text("mine")
    assert lab.renew(lessons, copies) == {}
    assert files(copies) == files(lessons) | {lab.RECORD, "notes.txt"}


@pytest.mark.parametrize("record", [None, "", "[]", "{"])
def test_without_its_record_a_different_file_counts_as_the_readers(places, record):
    lessons, copies = places
    lab.renew(lessons, copies)
    mine = lesson(copies / "04_digits.ipynb", "mine").read_bytes()
    (copies / "00_start.ipynb").write_bytes(b"{ half a notebook")
    (copies / lab.RECORD).unlink() if record is None else (copies / lab.RECORD).write_text(record)
    assert lab.renew(lessons, copies) == {"00_start.ipynb": lab.UNKNOWN, "04_digits.ipynb": lab.UNKNOWN}
    assert (copies / "04_digits.ipynb").read_bytes() == mine
    assert (copies / "00_start.ipynb").read_bytes() == b"{ half a notebook"


def test_a_fresh_copy_keeps_the_old_ones_beside_it(places):
    lessons, copies = places
    lab.renew(lessons, copies)
    for number, name in enumerate(["04_digits.mine.ipynb", "04_digits.mine2.ipynb", "04_digits.mine3.ipynb"]):
        lesson(copies / "04_digits.ipynb", f"my try {number}")
        assert lab.afresh("04", lessons, copies) == (copies / "04_digits.ipynb", copies / name)
        assert sources(copies / name) == [f"my try {number}"]
        assert (copies / "04_digits.ipynb").read_bytes() == (lessons / "04_digits.ipynb").read_bytes()
    lesson(lessons / "04_digits.ipynb", "print('better')")
    assert lab.renew(lessons, copies) == {}, "the fresh copy is known as one that was not written in"
    assert sources(copies / "04_digits.ipynb") == ["print('better')"]
    assert sources(copies / "04_digits.mine.ipynb") == ["my try 0"]


def test_a_fresh_copy_can_be_had_before_any_other(places):
    lessons, copies = places
    assert lab.afresh("solutions/04", lessons, copies) == (copies / "solutions/04_digits.ipynb", None)
    assert files(copies) == {"solutions/04_digits.ipynb", lab.RECORD}


@pytest.mark.parametrize("name", ["", "0", "4", "07", "../04"])
def test_a_lesson_that_is_none_is_refused_with_those_there_are(places, name):
    lessons, copies = places
    with pytest.raises(ValueError, match=r"not the beginning of one lesson's name\. .* 00_start, 04_digits, solutions/04"):
        lab.afresh(name, lessons, copies)
    assert not copies.exists()


def test_a_full_disk_leaves_nothing_half_written(places, monkeypatch):
    lessons, copies = places
    lab.renew(lessons, copies)
    before = {name: (copies / name).read_bytes() for name in files(copies)}
    lesson(lessons / "00_start.ipynb", "print('better')")

    def full(path, content):
        path.open("wb").write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        lab.renew(lessons, copies)
    assert {name: (copies / name).read_bytes() for name in files(copies)} == before


def test_the_command_says_which_lessons_have_changed_and_how_to_get_them(monkeypatch, capsys):
    monkeypatch.setattr(lab, "renew", lambda: {"04_digits.ipynb": lab.CHANGED, "solutions/04_digits.ipynb": lab.UNKNOWN})
    lab._prepare(None)
    first, second = capsys.readouterr().out.splitlines()
    assert (
        first.startswith("my-lessons/04_digits.ipynb is yours and stays as it is, but the lesson has changed since. To")
        and "make lesson LESSON=04 " in first
    )
    assert "python tools/lab.py --fresh solutions/04)" in second
    assert "changed" not in second and ".copied.json does not tell which version it was copied from" in second


def test_help_copies_nothing_and_the_folder_is_ignored_by_git(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/lab.py").write_bytes((ROOT / "tools/lab.py").read_bytes())
    ran = subprocess.run([sys.executable, tmp_path / "tools/lab.py", "--help"], capture_output=True, text=True)
    assert ran.returncode == 0 and "--fresh LESSON" in ran.stdout
    assert files(tmp_path) == {"tools/lab.py"}
    assert "/my-lessons/" in (ROOT / ".gitignore").read_text().splitlines()


def test_options_go_on_to_jupyterlab_which_opens_on_the_first_lesson(tmp_path, monkeypatch):
    from jupyterlab.labapp import LabApp

    started = []
    monkeypatch.setattr(LabApp, "launch_instance", started.append)
    monkeypatch.setattr(lab, "COPIES", tmp_path)
    monkeypatch.setattr(lab, "renew", dict)
    monkeypatch.setattr(sys, "argv", ["lab.py", "--no-browser", "--port", "9000"])
    lab.main()
    assert started == [["--no-browser", "--port", "9000", str(tmp_path / "00_start_here.ipynb")]]


def test_no_lesson_points_at_a_file_beside_it():
    """They are read in two folders, and only addresses and headings are found from both."""
    for name in lab.names():
        for cell in json.loads((lab.LESSONS / name).read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                targets = [part.split(")")[0] for part in "".join(cell["source"]).split("](")[1:]]
                assert all(target.startswith(("https://", "#")) for target in targets), (name, targets)
