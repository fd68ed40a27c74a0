"""The lessons' times and memory: what is measured or counted, and that README, lessons and teachers' page say so."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from gan_lessons import doctor

ROOT = Path(__file__).resolve().parent.parent
SERIES = runpy.run_path(str(ROOT / "benchmarks/series.py"))
MADE_UP = {
    "machine": "an abacus",
    "versions": "Python 3",
    "lessons": {
        "01_one": {"seconds": [31.0, 29.0, 90.0], "cpu_seconds": 40.0, "peak_mb": 801},
        "02_two": {"seconds": [61.0], "cpu_seconds": 200.0, "peak_mb": 1000},
    },
    "solutions": {"01_one": {"seconds": [12.0], "cpu_seconds": 9.0, "peak_mb": 500}},
}
STALE = "a text has changed since the times were written: .venv/bin/python benchmarks/series.py --write"
HEAD = "| lesson | what you learn | minutes | memory | looks |\n| --- | --- | --- | --- | --- |\n"


def committed(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_peak_memory_and_cpu_time_of_a_process_are_its_own():
    work = """
import time
x = bytearray(300_000_000); del x
while time.process_time() < 0.5: pass
print(time.process_time(), flush=True); input()"""
    ballast = bytearray(500_000_000)  # ours, which the child must not be charged with
    child = subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    seconds = float(child.stdout.readline())
    used = SERIES["process"](child.pid)
    child.communicate(b"\n")
    del ballast
    assert 300 < used["peak_mb"] < 340
    assert used["cpu_seconds"] == pytest.approx(seconds, abs=0.1)  # to a tenth, as it is rounded


@pytest.mark.parametrize(
    ("seconds", "expected"), [([1], "½"), ([30], "½"), ([31], "1"), ([61], "1½"), ([10, 119, 900], "2"), ([590], "10")]
)
def test_minutes_are_rounded_up_to_halves_of_the_median(seconds, expected):
    assert SERIES["minutes"]({"seconds": seconds}) == expected


def lesson(*cells):
    return new_notebook(cells=list(cells))


def words(number, text="word "):
    return new_markdown_cell(text * number)


def exercise():
    return new_code_cell("...", metadata={"tags": ["exercise"]})


FOLDED = new_code_cell("code " * 6000, metadata={"tags": ["hide-input"]})


@pytest.mark.parametrize(
    ("notebook", "expected"),
    [
        (lesson(words(3000)), 10),
        (lesson(words(3001)), 15),
        (lesson(words(1500), new_code_cell("x " * 1500), FOLDED), 10),  # open code is read, folded code is not
        (lesson(words(3000, "a word | = ")), 20),  # signs alone are no words
        (lesson(words(3000), new_markdown_cell("## References\n\n" + "a book " * 3000), words(3000)), 10),
        (lesson(words(2900), exercise(), exercise(), words(1, "## Summary")), 30),
        (lesson(words(2900), exercise(), exercise(), words(1, "## Summary"), words(1, "## An open project\n\nDo it.")), 50),
        (lesson(words(2900), exercise(), exercise(), words(1, "With time to spare, try it on faces.\n\n## Summary")), 50),
    ],
)
def test_a_student_reads_300_words_a_minute_and_takes_10_for_an_exercise_and_20_for_the_project(notebook, expected):
    assert SERIES["student"](notebook) == expected


def test_only_the_two_columns_of_measured_lessons_change():
    row = "| [1 One](notebooks/01_one.ipynb) | V(D, G) | 9 | — | a picture |\n"
    other = "| [7 Seven](notebooks/07_seven.ipynb) | not measured | 2 | — | x |\n"
    four = "| [2 Two](notebooks/02_two.ipynb) | four columns | 2 | x |\n"
    expected = "| [1 One](notebooks/01_one.ipynb) | V(D, G) | 1 | 75 | a picture |\n"
    assert (
        SERIES["with_columns"](HEAD + row + other + four, MADE_UP, {"01_one": 75, "02_two": 5}) == HEAD + expected + other + four
    )


@pytest.mark.parametrize(
    "line",
    ["*About an hour on two CPU cores.*", "*About 9 minutes on two CPU cores; about 5 minutes for you, exercises included.*"],
)
@pytest.mark.parametrize(("seconds", "phrase"), [(20, "half a minute"), (170, "3 minutes"), (200, "3½ minutes")])
def test_the_line_of_times_has_both_wherever_it_stands(line, seconds, phrase):
    notebook = lesson(
        words(1, "# 1 · One"), words(1, f"Before.\n\n{line}\n\nAfter."), words(2900), exercise(), words(1, "## End")
    )
    both = f"*About {phrase} on two CPU cores; about 20 minutes for you, exercises included.*"
    after = SERIES["with_times"](notebook, {"seconds": [seconds]})
    assert after.cells[1].source == f"Before.\n\n{both}\n\nAfter."
    assert SERIES["with_times"](after, {"seconds": [seconds]}) == after


def test_a_lesson_without_a_line_of_times_is_refused():
    with pytest.raises(ValueError, match="0 lines of times"):
        SERIES["with_times"](lesson(words(10)), {"seconds": [1]})


def test_the_classroom_table_is_computed_from_the_measurements():
    lines = SERIES["classroom"](MADE_UP).splitlines()
    # 30 × 40 s of work in 50 minutes keep 0.4 cores busy, 30 × 200 s two.
    assert lines[2] == "| 01_one | 1 | 0.7 | 0.9 GB | 1 | 24.1 GB |"
    assert lines[3] == "| 02_two | 1½ | 3.3 | 1.0 GB | 2 | 30.0 GB |"
    assert lines[-1] == "Measured on an abacus; Python 3."


def test_missed_bars_are_named():
    assert SERIES["missed_bars"](MADE_UP) == []
    big = {"seconds": [800.0], "cpu_seconds": 1.0, "peak_mb": 2001}
    assert SERIES["missed_bars"](MADE_UP | {"solutions": {"02_two": big}}) == ["solutions/02_two takes 2001 MB."]
    long = MADE_UP | {"solutions": {"02_two": big | {"seconds": [820.0, 900.0, 900.0], "peak_mb": 1}}}
    assert SERIES["missed_bars"](long) == ["The whole series takes 16.5 minutes."]


def test_readme_and_teachers_page_say_what_was_measured_and_the_bars_hold():
    if not SERIES["doctor"].TIMES.exists():
        pytest.skip("nothing has been measured yet: benchmarks/series.py")
    series = SERIES["load"]()
    for kind, folder in (("lessons", "notebooks"), ("solutions", "notebooks/solutions")):
        assert list(series[kind]) == sorted(path.stem for path in (ROOT / folder).glob("[0-9]*.ipynb"))
    assert SERIES["missed_bars"](series) == []
    readme, page = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/teaching.md"))
    students = {name: SERIES["student"](committed(name)) for name in series["lessons"]}
    for name, result in series["lessons"].items():
        (row,) = [line for line in readme.splitlines() if f"](notebooks/{name}.ipynb) |" in line]
        assert f"| {SERIES['minutes'](result)} | {students[name]} |" in row, STALE
    assert SERIES["classroom"](series) in page
    assert SERIES["with_columns"](readme, series, students) == readme and SERIES["with_classroom"](page, series) == page


def test_the_map_in_lesson_00_has_the_measured_minutes():
    if not doctor.TIMES.exists():
        pytest.skip("nothing has been measured yet: benchmarks/series.py")
    cells = nbformat.read(ROOT / "notebooks/00_start_here.ipynb", as_version=4).cells
    (drawn,) = (cell.source for cell in cells if cell.cell_type == "code" and "What leads to what" in cell.source)
    on_the_map = dict(re.findall(r'^ *\("(\d) · [^"]*", "[^"]*", "([^"]+)"', drawn, flags=re.MULTILINE))
    measured = SERIES["load"]()["lessons"]
    assert on_the_map == {str(int(name[:2])): SERIES["minutes"](result) for name, result in measured.items()}


def test_each_lesson_tells_both_times_at_its_top():
    if not doctor.TIMES.exists():
        pytest.skip("nothing has been measured yet: benchmarks/series.py")
    for name, result in SERIES["load"]()["lessons"].items():
        notebook = committed(name)
        sections = [place for place, cell in enumerate(notebook.cells) if cell.source.startswith("## ")]
        assert any(SERIES["TIMES"].search(cell.source) for cell in notebook.cells[: sections[0]]), name
        before = nbformat.writes(notebook)
        assert nbformat.writes(SERIES["with_times"](notebook, result)) == before, f"{name}: {STALE}"
