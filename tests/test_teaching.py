"""The teacher's key in docs/predictions.md: a row for each *Predict* of each lesson, with numbers that the lesson has recorded."""

import re
from pathlib import Path

import nbformat
import pytest

from tools import handout

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
KEY = "docs/predictions.md"
NOTHING_ASKED = {"How these notebooks work", "Your turn"}  # there *Predict* is explained, or belongs to an exercise
PREDICT = re.compile(r"(?<!\*)\*[Pp]redict\*(?!\*)")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def asked(notebook):
    """The heading over each *Predict*, in the order of the lesson."""
    heading, headings = "", []
    for line in "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown").splitlines():
        heading = line.removeprefix("## ") if line.startswith("## ") else heading
        headings += [heading] * len(PREDICT.findall(line))
    return [heading for heading in headings if heading not in NOTHING_ASKED]


def key():
    """For each lesson, by its number, the rows of its table: where, question, answer, wrong answers."""
    sections = re.split(r"^## (\d\d) .*$", (ROOT / KEY).read_text(encoding="utf-8"), flags=re.MULTILINE)
    tables = ([line for line in text.splitlines() if line.startswith("| ")] for text in sections[2::2])
    return {
        number: [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]]  # but for its two head rows
        for number, table in zip(sections[1::2], tables, strict=True)
    }


def recorded(notebook):
    """What the recorded lesson says and prints, and its code, where the numbers stand that only a figure shows."""
    for cell in notebook.cells:
        yield cell.source
        for output in cell.get("outputs", []):
            yield output.get("text", "") or output.get("data", {}).get("text/plain", "")


def test_the_key_has_a_table_for_each_lesson():
    assert list(key()) == [path.name[:2] for path in LESSONS]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_predict_has_its_row(path):
    headings = asked(nbformat.read(path, as_version=4))
    assert headings, "no *Predict* was found"
    rows = key()[path.name[:2]]
    assert [row[0] for row in rows] == headings
    assert all(len(row) == 4 and all(row) for row in rows)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_numbers_of_the_answers_stand_in_the_recorded_lesson(path):
    """As they are printed there; where a lesson is recorded anew, its answers are to be read again."""
    known = {number for text in recorded(nbformat.read(path, as_version=4)) for number in NUMBER.findall(text)}
    unknown = {row[2]: found for row in key()[path.name[:2]] if (found := set(NUMBER.findall(row[2])) - known)}
    assert not unknown


def test_the_one_question_of_each_lesson_is_good_for_a_show_of_hands():
    page = (ROOT / "docs/teaching.md").read_text(encoding="utf-8")
    chosen = re.findall(r"^\| (\d\d) \| \*(.+?)\* \|", page, flags=re.MULTILINE)
    assert [number for number, _ in chosen] == [path.name[:2] for path in LESSONS]
    by_hands = {(number, row[0]) for number, rows in key().items() for row in rows if row[1].startswith("**Hands**")}
    assert set(chosen) <= by_hands


def test_students_get_no_key():
    assert KEY.startswith(handout.LEFT_OUT) and KEY not in handout.KEPT
