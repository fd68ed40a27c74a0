"""The set-up cell on Colab: it fetches the repository once, whole or not at all, and outside Colab it does nothing.

Here it is run by a bare Python with a made-up repository; `make colab-test` runs whole lessons on Colab's versions.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools.stamp import setup_cell

ROOT = Path(__file__).resolve().parent.parent
ON_COLAB = "import sys, types; sys.modules['google.colab'] = types.ModuleType('google.colab')\n"
IMPORT = "\nimport gan_lessons; print(gan_lessons.__file__)"
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine: Colab's cell needs it")
GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]


@pytest.fixture
def address(tmp_path):
    """The address of a repository with an empty package, tagged v1, at a path that needs care."""
    published = tmp_path / "发布 published"
    (published / "gan_lessons").mkdir(parents=True)
    (published / "gan_lessons/__init__.py").touch()
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"], ["tag", "v1"]):
        subprocess.run([*GIT, *words], cwd=published, check=True)
    return published.as_uri()


@pytest.fixture
def empty(tmp_path):
    """Where a lesson lies all alone."""
    folder = tmp_path / "空的 content"
    folder.mkdir()
    return folder


def python(code, folder, **environment):
    # -S keeps this environment's own gan_lessons off the path; a process group of its own can be interrupted.
    command = [sys.executable, "-X", "utf8", "-S", "-c", code]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.Popen(
        command, cwd=folder, env=clean | environment, encoding="utf-8", start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def said(code, folder, **environment):
    process = python(code, folder, **environment)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_outside_colab_it_is_silent_and_touches_nothing(empty):
    for repository in ("https://nowhere.invalid/a/b", ""):
        assert said(setup_cell(repository, "v1"), empty) == (0, "", "")
    assert list(empty.iterdir()) == []


def test_on_colab_it_fetches_the_repository_once(address, empty):
    code = ON_COLAB + setup_cell(address, "v1") + IMPORT
    expected = f"{empty / 'gan-lessons-v1/gan_lessons/__init__.py'}\n"
    assert said(code, empty) == (0, expected, "")
    assert [path.name for path in empty.iterdir()] == ["gan-lessons-v1"]
    again = ON_COLAB + (setup_cell(address, "v1") + "\n") * 2 + IMPORT
    assert said(again, empty, PATH="") == (0, expected, ""), "no git is needed the second time"


def test_two_lessons_at_once_share_it(address, empty):
    code = ON_COLAB + setup_cell(address, "v1") + IMPORT
    both = [python(code, empty) for _ in range(2)]
    assert [process.communicate()[1] for process in both] == ["", ""]
    assert [path.name for path in empty.iterdir()] == ["gan-lessons-v1"]


def test_another_lesson_that_is_quicker_by_a_hair_does_no_harm(address, empty):
    quicker = "import pathlib, shutil\nrename = pathlib.Path.rename\ndef late(self, target):\n"
    quicker += "    shutil.copytree(self, target)\n    rename(self, target)\npathlib.Path.rename = late\n"
    expected = f"{empty / 'gan-lessons-v1/gan_lessons/__init__.py'}\n"
    assert said(ON_COLAB + quicker + setup_cell(address, "v1") + IMPORT, empty) == (0, expected, "")
    assert [path.name for path in empty.iterdir()] == ["gan-lessons-v1"]


def test_a_folder_that_cannot_be_made_is_not_passed_over(address, empty):
    broken = (
        "import pathlib\ndef refuse(self, target): raise PermissionError('no right to write')\npathlib.Path.rename = refuse\n"
    )
    status, _, err = said(ON_COLAB + broken + setup_cell(address, "v1"), empty)
    assert status == 1 and err.endswith("PermissionError: no right to write\n")
    assert list(empty.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="the slow git is a shell script, and Windows interrupts no process group so")
def test_an_interrupted_download_leaves_nothing_behind_and_the_next_one_works(address, empty, tmp_path):
    slow = tmp_path / "bin/git"
    slow.parent.mkdir()
    slow.write_text('#!/bin/sh\nfor target; do :; done\nmkdir "$target"\ntouch "$target/half"\nsleep 60\n')
    slow.chmod(0o755)
    code = ON_COLAB + setup_cell(address, "v1") + IMPORT
    process = python(code, empty, PATH=f"{slow.parent}:{os.environ['PATH']}")
    while process.poll() is None and not list(empty.glob("*/clone/half")):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert list(empty.iterdir()) == []
    assert said(code, empty)[0] == 0


@pytest.mark.parametrize(("repository", "tag"), [("file:///nowhere/at/all", "v1"), (None, "v9")])
def test_what_cannot_be_fetched_is_said_in_the_last_line(address, empty, repository, tag):
    code = ON_COLAB + setup_cell(address if repository is None else repository, tag) + IMPORT
    status, out, err = said(code, empty, LANG="C")
    assert status == 1 and out == ""
    sentence = f"ConnectionError: {repository or address} cannot be fetched; is there a network? "
    assert re.search(rf"^{re.escape(sentence)}\S", err, flags=re.MULTILINE)
    assert ("v9 not found" in err) == (tag == "v9")
    assert list(empty.iterdir()) == []


def test_without_an_address_it_says_what_to_do_and_that_works(address, empty):
    cell = setup_cell("", "")
    status, out, err = said(ON_COLAB + cell, empty)
    assert (status, err) == (0, "") and "run  !git clone ADDRESS gan-lessons  with" in out
    subprocess.run(["git", "clone", "-q", address, "gan-lessons"], cwd=empty, check=True)
    (advice,) = re.findall(r"and  (import sys; .*?)  and then", out)
    assert said(ON_COLAB + advice + "\n" + cell + IMPORT, empty)[1].endswith("gan-lessons/gan_lessons/__init__.py\n")


# ------------------------------------------------------------------------------------ make colab-test


def test_its_lock_has_colabs_versions_with_hashes_and_no_address():
    folder = ROOT / "tests/colab"
    wanted = [
        Requirement(line) for line in (folder / "requirements.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"
    ]
    lock = (folder / "requirements.lock").read_text(encoding="utf-8")
    pinned = {}
    for block in re.split(r"\n(?=\S)", lock):
        if found := re.match(r"([a-z0-9-]+)==([^ ;\\]+)", block):
            assert "--hash=sha256:" in block, found[1]
            pinned.setdefault(found[1], []).append(found[2])
    assert "://" not in lock
    assert all(version in each.specifier for each in wanted for version in pinned[each.name])
    assert [str(each.specifier) for each in wanted if each.name in ("torch", "ipywidgets")] == ["==2.11.0", "==7.7.1"]


def test_a_lesson_that_does_not_exist_is_refused_before_anything_runs():
    command = [sys.executable, "-m", "tools.colab_test", "04", "notebooks/77_no_such.ipynb"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1 and run.stdout == ""
    assert run.stderr.startswith("There is no lesson notebooks/77_no_such.ipynb; there are 0")
