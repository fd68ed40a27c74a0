"""The repository's address in lessons and README: written by one command, the same each time, and taken out without a trace."""

import re
import shutil
import tomllib
from pathlib import Path

import nbformat
import pytest

from tools import stamp as tool

ROOT = Path(__file__).resolve().parent.parent
ADDRESS, TAG = "https://github.com/teacher/gan-lessons", "v2.0"


@pytest.fixture
def copy(tmp_path):
    """README, pyproject.toml and notebooks of this checkout."""
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns("runs", ".ipynb_checkpoints"))
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stamp(copy, *words):
    tool.main(list(words), root=copy)
    return contents(copy)


def test_what_is_committed_is_what_the_stamp_makes_of_it(copy):
    before = contents(copy)
    changed = [str(path) for path, content in stamp(copy).items() if content != before[path]]
    assert changed == [], "run tools/stamp.py"


def test_stamping_twice_changes_nothing_and_unstamping_brings_the_same_bytes_back(copy):
    plain = stamp(copy, "--repository", "")
    stamped = stamp(copy, "--repository", ADDRESS, "--tag", TAG)
    assert stamped != plain
    assert stamp(copy) == stamped and stamp(copy, "--repository", f"{ADDRESS}.git/", "--tag", TAG) == stamped
    elsewhere = stamp(copy, "--repository", "https://gitlab.com/other/lessons", "--tag", "main")
    assert ADDRESS.encode() not in b"".join(elsewhere.values())
    assert stamp(copy, "--repository", "") == plain


def test_every_lesson_knows_address_and_tag_and_only_the_source_changes(copy):
    plain = {path: nbformat.reads(content, 4) for path, content in stamp(copy).items() if path.suffix == ".ipynb"}
    stamp(copy, "--repository", ADDRESS, "--tag", TAG)
    for path, before in plain.items():
        after = nbformat.read(copy / path, 4)
        lesson = path.parent.name == "notebooks"
        changed = [number for number, pair in enumerate(zip(before.cells, after.cells)) if pair[0] != pair[1]]
        assert changed == ([0, 1] if lesson else [1] if tool.is_setup(before.cells[1]) else []), path
        for old, new in zip(before.cells, after.cells):
            old.source = new.source
        assert before == after, path
        if lesson:
            assert f"/github/teacher/gan-lessons/blob/{TAG}/notebooks/{path.name})" in after.cells[0].source
            assert f'"{ADDRESS}"' in after.cells[1].source and f'"--branch={TAG}"' in after.cells[1].source
    project = tomllib.loads((copy / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["gan-lessons"] == {"repository": ADDRESS, "tag": TAG}


def test_badges_stand_between_heading_and_text(copy):
    readme = stamp(copy, "--repository", ADDRESS, "--tag", TAG)[Path("README.md")].decode()
    heading, line, text, _ = readme.split("\n\n", 3)
    assert heading == "# GAN Lessons" and text.startswith("![Twelve cartoon faces")
    assert re.fullmatch(r"\[!\[Open in Colab\]\(\S+\)\]\(\S+\) \[!\[Binder\]\(\S+\)\]\(\S+\)", line)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (ADDRESS, ["google.com/github/teacher/gan-lessons/blob/v2.0/n/1.ipynb", "/gh/teacher/gan-lessons/v2.0?"]),
        ("https://gitlab.com/group/sub/gan", ["/v2/gl/group%2Fsub%2Fgan/v2.0?labpath=n%2F1.ipynb"]),  # Colab opens GitHub alone
        ("https://git.school.edu/x/gan", ["/v2/git/https%3A%2F%2Fgit.school.edu%2Fx%2Fgan/v2.0?"]),
        ("", []),
    ],
)
def test_a_badge_for_each_service_that_can_open_the_host(address, expected):
    line = tool.badges(address, TAG, "n/1.ipynb")
    targets = re.findall(r"\]\((\S+?)\)(?= |$)", line)
    assert len(targets) == len(expected)
    assert all(part in target for part, target in zip(expected, targets))


def test_other_settings_and_comments_stay(tmp_path):
    toml = '[tool.gan-lessons]  # ours\nrepository = "old"\ntag = "old"\n\n[tool.z]\nrepository = "kept" # so\ntag = \'kept\'\n'
    (tmp_path / "pyproject.toml").write_text(toml, encoding="utf-8")
    tool.keep(tmp_path, ADDRESS, TAG)
    changed = (tmp_path / "pyproject.toml").read_text(encoding="utf-8")
    assert changed == toml.replace('"old"', f'"{ADDRESS}"', 1).replace('"old"', f'"{TAG}"', 1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--repository", "git@github.com:a/b", "--tag", "v1"], "an address looks like https://github.com/you/gan-lessons"),
        (["--repository", "https://name:secret@github.com/a/b", "--tag", "v1"], "an address looks like"),
        (["--repository", ADDRESS, "--tag", "--upload-pack=x"], "expected one argument"),
        (["--repository", ADDRESS, "--tag", "a tag"], "a tag is made of letters"),
        (["--repository", ADDRESS], "belong together"),
        (["--tag", "v1"], "belong together"),
    ],
)
def test_wrong_words_are_refused_and_nothing_is_written(copy, words, says, capsys):
    before = contents(copy)
    with pytest.raises(SystemExit):
        tool.main(words, root=copy)
    assert says in capsys.readouterr().err
    assert contents(copy) == before
