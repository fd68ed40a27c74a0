"""Run lessons as Colab would: each from nothing but its own file, in an empty folder, with Colab's versions.

The working tree as it is now plays the published repository. Fails where a cell fails, and where the run has changed
an installed package or left more behind than the fetched repository and the lesson's own `runs`.
Started by `make colab-test`, with the Python of .venv-colab. Colab has Python 3.13; `make colab-test PYTHON=python3.13`
builds the environment with it where there is one.
"""

import argparse
import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tools.stamp import stamp_notebook

ROOT = Path(__file__).resolve().parent.parent
TAG = "as-it-is-now"
# What a kernel of ours starts with, and no other process: the module by which notebooks know Colab.
STAND_IN = "import sys, types\nsys.modules['google.colab'] = types.ModuleType('google.colab')\ndel sys, types\n"


def lessons(words: list[str]) -> list[Path]:
    """The lessons' paths. Ends the program, with a sentence, where a word names none."""
    known = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))}
    missing = [word for word in words if Path(word).name[:2] not in known]
    if missing:
        sys.exit(f"There is no lesson {' '.join(missing)}; there are {' '.join(known)}.")
    return [known[Path(word).name[:2]] for word in words]


def publish(bare: Path) -> str:
    """Make a repository of the working tree, uncommitted changes included, and return its file:// address."""
    # A repository of its own, so that a checkout without .git, or of another user's, serves as well.
    git = ["git", f"--git-dir={bare}", f"--work-tree={ROOT}"]
    identity = ["-c", "user.name=GAN Lessons", "-c", "user.email=none", "-c", "core.autocrlf=false"]
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", TAG], ["tag", TAG]):
        subprocess.run([*git, *identity, *words], cwd=ROOT, check=True)
    return bare.as_uri()


def run_alone(lesson: Path, address: str, folder: Path) -> bool:
    """Whether every cell of the lesson, stamped with this address and put into this empty folder, runs."""
    copy = Path(shutil.copy(lesson, folder))
    stamp_notebook(copy, None, address, TAG)
    startup = folder.parent / "ipython/profile_default/startup/google_colab.py"
    startup.parent.mkdir(parents=True, exist_ok=True)
    startup.write_text(STAND_IN, encoding="utf-8")
    environment = os.environ | {"IPYTHONDIR": str(startup.parents[2])}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-m", "tools.run_notebooks", "--nbval-lax", "-p", "no:cacheprovider"]
    command += [f"--rootdir={folder}", str(copy)]
    passed = subprocess.run(command, cwd=ROOT, env=environment).returncode == 0
    left = {path.name for path in folder.iterdir()} - {copy.name, "runs"}
    if left != {f"gan-lessons-{TAG}"}:
        print(f"{lesson.name} left {sorted(left)} where only gan-lessons-{TAG} should be.")
    return passed and left == {f"gan-lessons-{TAG}"}


def installed() -> set[str]:
    """Name and version of every package in this environment."""
    return {f"{each.name} {each.version}" for each in importlib.metadata.distributions(path=[sysconfig.get_path("purelib")])}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="+", metavar="LESSON", help="a number such as 04, or a path")
    chosen, before = lessons(parser.parse_args().lessons), installed()
    with tempfile.TemporaryDirectory() as scratch:
        address, failed = publish(Path(scratch, "published.git")), []
        for lesson in chosen:
            folder = Path(scratch, lesson.stem, "content")
            folder.mkdir(parents=True)
            if not run_alone(lesson, address, folder):
                failed.append(lesson.name)
    changed = sorted(before ^ installed())
    print(f"{len(chosen) - len(failed)} of {len(chosen)} lessons run on Colab's versions", *failed, sep="; failed: ")
    print(f"changed packages: {changed}" if changed else f"{len(before)} packages installed, none changed")
    return bool(failed or changed)


if __name__ == "__main__":
    sys.exit(main())
