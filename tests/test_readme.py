"""README and the pages of docs/: a first screen with what a newcomer needs, and links that lead somewhere."""

import re
import runpy
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_of_the_repository(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    missing = [target for target in targets if not ((ROOT / page).parent / target).exists()]
    assert not missing


def test_every_page_but_the_students_can_be_reached_from_the_readme():
    linked = set(re.findall(r"\]\(((?:docs/)?\w+\.md)\)", README))
    assert linked >= set(PAGES) - {"README.md", "docs/students.md"}


def test_the_first_screen_has_a_picture_a_sentence_two_commands_and_a_way_to_look_without_installing():
    screen, _ = README.split("\n## The lessons\n")
    picture, sentence, commands, look = (
        screen.index(each)
        for each in ("](docs/faces.gif)", "**How do GANs work?**", "make lab ", "](notebooks/00_start_here.ipynb)")
    )
    assert picture < sentence < commands < look
    assert screen.count("![") == 1 and len(re.findall(r"^make \w+", screen, flags=re.MULTILINE)) == 2
    assert len(screen.splitlines()) <= 25


def test_the_picture_moves_and_begins_with_faces():
    with Image.open(ROOT / "docs/faces.gif") as picture:
        assert picture.n_frames > 20 and len(picture.convert("RGB").getcolors(1 << 20)) > 30  # fog is one grey


def test_how_a_students_minutes_are_counted_is_told_as_it_is_done():
    series = runpy.run_path(str(ROOT / "benchmarks/series.py"))
    told = re.search(r"code at (\d+) words a minute, (\d+) minutes for each exercise,\s+and (\d+) for the open project", README)
    assert tuple(map(int, told.groups())) == (series["WORDS"], series["EXERCISE"], series["PROJECT"])


def test_each_lesson_has_one_row():
    rows = re.findall(r"^\| \[(\d\d) [^]]*\]\((notebooks/\w+\.ipynb)\) \|", README, flags=re.MULTILINE)
    assert [name for _, name in rows] == [f"notebooks/{path.name}" for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
    assert all(f"notebooks/{number}_" in name for number, name in rows)
