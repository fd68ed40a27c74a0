"""The students' zip: complete, without a solution in it, the same each time, and graded by nbgrader's rules."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from tools import handout

ROOT = Path(__file__).resolve().parent.parent
IN_A_CLONE = ["git", "-c", f"safe.directory={ROOT}", "-C", ROOT, "rev-parse", "--verify", "HEAD"]
if shutil.which("git") is None or subprocess.run(IN_A_CLONE, capture_output=True).returncode:
    pytest.skip("not a clone, or no git to ask: the students' zip is not tested here", allow_module_level=True)
LESSONS = [name for name in handout.names() if re.fullmatch(r"notebooks/\d\d_\w+\.ipynb", name)]


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine, as on Windows")


def make(folder, *words):
    """What make does there, told in English."""
    return subprocess.run(["make", *words], cwd=folder, env=os.environ | {"LC_ALL": "C"}, capture_output=True, encoding="utf-8")


def students(name):
    return nbformat.reads(handout.content(name).decode(), 4)


def is_exercise(cell):
    return "exercise" in cell.metadata.get("tags", [])


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The zip, unpacked."""
    folder = tmp_path_factory.mktemp("students")
    handout.pack(folder / "zip")
    with zipfile.ZipFile(folder / "zip") as archive:
        archive.extractall(folder)
    return folder / "gan-lessons"


@pytest.mark.slow
def test_the_same_checkout_gives_the_same_bytes(unpacked, tmp_path):
    handout.pack(tmp_path / "again.zip")
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in (unpacked.parent / "zip", tmp_path / "again.zip")]
    assert digests[0] == digests[1]
    assert [path.name for path in tmp_path.iterdir()] == ["again.zip"]


def test_its_readme_speaks_of_nothing_else(unpacked):
    """Every path and every make target that README.md and data/README.md name in code is there; no other page is."""
    pages = sorted(path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*.md"))
    assert pages == ["README.md", "data/README.md"]
    text = (unpacked / "README.md").read_text(encoding="utf-8")
    paths = re.findall(r"[`(]((?:[\w-]+/)+[\w.-]*|[\w-]+\.(?:md|yml|lock))[`)]", text)
    assert {"notebooks/", "data/README.md"} <= set(paths) and all((unpacked / name).exists() for name in paths)
    card = " ".join((unpacked / "data/README.md").read_text(encoding="utf-8").split())
    gone = [name for name in re.findall(r"`(tools/[\w.]+)", card) if not (unpacked / name).exists()]
    assert gone and "programs in `tools/` that made these files are in the repository; the students' zip comes without" in card
    for target in re.findall(r"\bmake (\w+) +#", text):
        assert make(unpacked, "--dry-run", target).returncode == 0, target
    assert "solution" not in text and "make test" not in text and "teaching" not in text


@needs_make
def test_make_alone_says_what_there_is(unpacked):
    said = make(unpacked)
    targets = re.findall(r"^make (\S+)", said.stdout, flags=re.MULTILINE)
    assert said.returncode == 0 and "lab" in targets
    everything = re.findall(r"^make (\S+)", make(ROOT).stdout, flags=re.MULTILINE)
    assert {*targets, "test", "quick", "handout"} <= set(everything) and len(everything) >= len(targets) + 6
    defined = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(everything) == sorted(set(defined) - {"help"})
    for target in set(everything) - set(targets):
        assert "No rule to make target" in make(unpacked, target).stderr


@needs_make
def test_make_lab_starts_without_mode_bits(unpacked, tmp_path):
    """zipfile, as some other programs, unpacks without them; and make calls nothing that would need them."""
    assert not any(path.stat().st_mode & 0o111 for path in unpacked.rglob("*") if path.is_file())
    for line in make(unpacked, "--dry-run", "lab").stdout.splitlines():
        assert not re.match(r"\W*tools/", line), line
    words = re.findall(r"^sh (tools/\S+)", make(unpacked, "--dry-run", "lab").stdout, flags=re.MULTILINE)
    assert words and all((unpacked / name).is_file() for name in words)


@pytest.mark.slow
def test_it_is_complete(unpacked, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(unpacked), "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "gan_lessons"]
    doctor = subprocess.run(command, cwd=unpacked, env=environment, capture_output=True, text=True)
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert str(unpacked / "data") in doctor.stdout
    for_learners, _ = (unpacked / "Makefile").read_text(encoding="utf-8").split("\nifneq")
    needed = re.findall(r"\b(?:tools|gan_lessons)/[\w.]+|requirements\.lock|pyproject\.toml", for_learners)
    assert len(set(needed)) >= 4 and all((unpacked / name).is_file() for name in needed)
    assert all((unpacked / name).is_file() for name in ["README.md", "LICENSE", "environment.yml", "data/README.md"])
    assert sorted(path.name for path in (unpacked / "notebooks").iterdir()) == [Path(name).name for name in LESSONS]


def test_no_solution_is_in_it():
    text = "".join(handout.content(name).decode() for name in LESSONS)
    assert not any(name.startswith(("notebooks/solutions", "tests/")) for name in handout.names())
    for path in sorted((ROOT / "notebooks/solutions").glob("*.ipynb")):
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "code" and "check_" in cell.source:
                answer = nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).split('"source": [')[1].split("]\n")[0]
                assert answer.strip() not in text, path.name


@pytest.mark.parametrize("name", LESSONS)
def test_nothing_is_run_and_nothing_else_is_changed(name):
    committed, handed_out = nbformat.read(ROOT / name, 4), students(name)
    assert [cell.source for cell in handed_out.cells] == [cell.source for cell in committed.cells]
    for old, new in zip(committed.cells, handed_out.cells):
        assert "nbgrader" not in old.metadata
        assert not new.get("outputs") and new.get("execution_count") is None
        new.metadata.pop("nbgrader", None)
        assert new.metadata == old.metadata


@pytest.mark.parametrize("name", LESSONS)
def test_exercises_keep_the_rules_of_nbgraders_schema_3(name):
    cells = students(name).cells
    assert [is_exercise(cell) for cell in cells] == ["nbgrader" in cell.metadata for cell in cells]
    graded = [cell.metadata.nbgrader for cell in cells if "nbgrader" in cell.metadata]
    kinds = {"schema_version": int, "points": int, "grade_id": str, "cell_type": str}
    kinds |= dict.fromkeys(["grade", "solution", "locked", "task"], bool)
    for each in graded:
        assert {key: type(value) for key, value in each.items()} == kinds
        assert each.schema_version == 3 and each.points >= 0 and each.cell_type == "code"
        assert re.fullmatch(r"[a-zA-Z0-9_\-]+", each.grade_id)
        # Graded by a person: nbgrader would overwrite, or lock, what is graded and no solution.
        assert (each.grade, each.solution, each.locked, each.task) == (True, True, False, False)
    assert len({each.grade_id for each in graded}) == len(graded) >= 3
