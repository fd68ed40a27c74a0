"""What has to hold on every system: line endings, encodings, and tools that do nothing when they are only asked for help."""

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gan_lessons import runtime

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = [
    path
    for folder in ("tools", "benchmarks")
    for path in sorted((ROOT / folder).glob("*.py"))
    if "__main__" in path.read_text(encoding="utf-8")
]
SCRIPTS = [path for path in [*(ROOT / "tools").iterdir(), ROOT / ".ci/run"] if path.is_file() and path.read_bytes()[:2] == b"#!"]
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")


def git(*words, folder=ROOT, content=None):
    """What git says, as bytes; the test is skipped where this checkout is no clone."""
    safe = ["git", "-c", f"safe.directory={folder}", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.fileMode=false"]
    run = subprocess.run([*safe, *words], cwd=folder, input=content, capture_output=True)
    if b"not a git repository" in run.stderr:
        pytest.skip("this checkout is no clone")
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    return run.stdout


@pytest.fixture(scope="module")
def windows_clone(tmp_path_factory):
    """A clone, as Git for Windows makes it by default, of this checkout's tracked files as they are now."""
    bare, clone = (tmp_path_factory.mktemp(name) / "x" for name in ("bare", "clone"))
    names = git("ls-files", "-z", "--", ".", ":!notebooks", ":!docs")
    subprocess.run(["git", "init", "-q", "--bare", bare], check=True)
    own = [f"--git-dir={bare}", f"--work-tree={ROOT}", "-c", "core.autocrlf=false"]
    git(*own, "add", "--pathspec-from-file=-", "--pathspec-file-nul", content=names)
    git(*own, "commit", "-qm", "as it is now")
    subprocess.run(["git", "clone", "-q", "-c", "core.autocrlf=true", bare, clone], check=True)
    return clone


@needs_git
def test_a_clone_on_windows_has_the_same_bytes(windows_clone):
    names = git("ls-files", "-z", folder=windows_clone).decode().rstrip("\0").split("\0")
    assert len(names) > 80 and "data/SHA256SUMS" in names and "tools/uv" in names
    changed = [name for name in names if (windows_clone / name).read_bytes() != (ROOT / name).read_bytes()]
    assert changed == []


@pytest.mark.slow
@needs_git
def test_a_clone_on_windows_passes_the_data_checks(windows_clone):
    environment = os.environ | {"PYTHONPATH": str(windows_clone), "PYTHONIOENCODING": "cp932"}
    run = subprocess.run([sys.executable, "-m", "gan_lessons"], cwd=windows_clone, env=environment, capture_output=True)
    said = run.stdout.decode("cp932")
    assert run.returncode == 0 and "BROKEN" not in said, said
    (found, wanted) = re.findall(r"(\d+) of (\d+) files", said)[0]
    assert found == wanted and str(windows_clone / "data") in said


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_help_helps_and_does_nothing(path, monkeypatch, capsys):
    def refuse(*words, **options):
        raise AssertionError(f"--help is no order: {words}")

    monkeypatch.setattr(runtime, "write_whole", refuse)
    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr(subprocess, "run", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(path), run_name="__main__")
    assert end.value.code in (0, None)
    out = capsys.readouterr().out
    assert out.startswith("usage: ") and len(out.split("\n\n")) > 1
    if path.parent.name == "tools":  # teachers' consoles in Japan, in the West and in China
        assert all(out.encode(encoding) for encoding in ("cp932", "cp1252", "gbk"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_have_lines_that_a_shell_can_read(path):
    content = path.read_bytes()
    assert content.startswith((b"#!/bin/sh\n", b"#!/usr/bin/env bash\n")) and b"\r" not in content


def test_files_are_read_and_written_as_utf_8():
    """Elsewhere Python's own choice may be another encoding, in which the first × or Chinese word is an error."""
    files = [path for folder in ("gan_lessons", "tools", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py"))]
    calls = [
        (path.name, node.lineno)
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("read_text", "write_text")
        if "encoding" not in [keyword.arg for keyword in node.keywords]
    ]
    assert len(files) > 40 and calls == []


@needs_git
def test_names_are_possible_on_every_system():
    names = git("ls-files", "-z").decode().rstrip("\0").split("\0")
    forbidden = re.compile(r'[<>:"\\|?*]|[ .](/|$)|(^|/)(con|aux|nul|prn|com\d|lpt\d)(\.|/|$)', flags=re.IGNORECASE)
    assert not [name for name in names if forbidden.search(name)]
    assert len({name.lower() for name in names}) == len(names), "two names that differ in capitals alone"
    assert max(map(len, names)) < 100, "260 characters for the whole path is what Windows gives"
