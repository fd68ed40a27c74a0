"""Write the repository's address and tag into the lessons and the README: badges, and the cell that sets up Colab.

    python tools/stamp.py                                   stamp anew from pyproject.toml
    python tools/stamp.py --repository ADDRESS --tag TAG    a teacher's fork: keep both in pyproject.toml, then stamp
    python tools/stamp.py --repository ""                   forget the address and take the badges away

ADDRESS is what git clones without a password, for example https://github.com/you/gan-lessons. TAG is a tag or a branch
that holds these very notebooks: commit what this writes, then set the tag and push it. Outputs stay as they are.
"""

import argparse
import json
import re
import sys
import tomllib
from pathlib import Path
from urllib.parse import quote, urlsplit

import nbformat

from gan_lessons.runtime import write_whole

ROOT = Path(__file__).resolve().parent.parent

# What a lesson needs that was opened from nothing but its own file. Outside Colab it does nothing and says nothing.
SETUP = """\
# @title For Google Colab alone: anywhere else this cell does nothing
import sys

if "google.colab" in sys.modules:  # Colab brings this page alone: fetch package and data, install nothing
    import subprocess
    import tempfile
    from pathlib import Path

    home, address = Path({folder}).resolve(), {repository}
    if not home.exists():
        with tempfile.TemporaryDirectory(dir=".") as scratch:  # an interrupted download leaves nothing behind
            clone = ["git", "clone", "--quiet", "--depth=1", {branch}, address, f"{{scratch}}/clone"]
            if (git := subprocess.run(clone, capture_output=True, text=True)).returncode:
                raise ConnectionError(f"{{address}} cannot be fetched; is there a network? {{git.stderr.strip()}}")
            try:
                Path(scratch, "clone").rename(home)
            except OSError:
                if not home.exists():  # otherwise another lesson on this machine was quicker, and all is well
                    raise
    sys.path.insert(0, str(home))"""

SETUP_WITHOUT_ADDRESS = """\
# @title For Google Colab alone: anywhere else this cell does nothing
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("gan_lessons") is None:
    print("This copy names no repository: in a cell above, run  !git clone ADDRESS gan-lessons  with the address that\\n"
          'you have it from and  import sys; sys.path.insert(0, "gan-lessons")  and then go on from here.')"""

BADGE = re.compile(r"^\[!\[(?:Open in Colab|Binder)\].*\n\n", flags=re.MULTILINE)


def is_setup(cell: nbformat.NotebookNode) -> bool:
    return cell.cell_type == "code" and '"google.colab" in sys.modules' in cell.source


def setup_cell(repository: str, tag: str) -> str:
    """The source of the set-up cell, for this address or, where it is empty, for none."""
    if not repository:
        return SETUP_WITHOUT_ADDRESS
    # The tag is part of the folder's name, so that a lesson never meets the package of another version.
    texts = {"folder": f"gan-lessons-{tag}", "repository": repository, "branch": f"--branch={tag}"}
    return SETUP.format(**{name: json.dumps(text, ensure_ascii=False) for name, text in texts.items()})


def badges(repository: str, tag: str, notebook: str) -> str:
    """A line of badges that open this notebook, given by its path in the repository: those that the host allows."""
    if urlsplit(repository).scheme != "https":
        return ""
    host, path = urlsplit(repository).netloc, urlsplit(repository).path.strip("/")
    line = []
    if host == "github.com":
        address = f"https://colab.research.google.com/github/{path}/blob/{tag}/{notebook}"
        line.append(f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})")
    hosts = {"github.com": f"gh/{path}", "gitlab.com": f"gl/{quote(path, safe='')}"}
    provider = hosts.get(host, f"git/{quote(repository, safe='')}")
    address = f"https://mybinder.org/v2/{provider}/{tag}?labpath={quote(notebook, safe='')}"
    return " ".join([*line, f"[![Binder](https://mybinder.org/badge_logo.svg)]({address})"])


def with_badges(text: str, line: str) -> str:
    """The Markdown text with this line of badges below its heading in place of the former one; none where it is empty."""
    heading, rest = BADGE.sub("", text, count=1).split("\n\n", 1)
    return "\n\n".join([heading, line, rest] if line else [heading, rest])


def stamp_notebook(path: Path, name: str | None, repository: str, tag: str) -> None:
    """Stamp one notebook; `name` is its path in the repository, or None for one that has no badges."""
    notebook = nbformat.read(path, as_version=4)
    for cell in filter(is_setup, notebook.cells):
        cell.source = setup_cell(repository, tag)
    if name:
        notebook.cells[0].source = with_badges(notebook.cells[0].source, badges(repository, tag, name))
    _write(path, nbformat.writes(notebook) + "\n")


def stamp(root: Path, repository: str, tag: str) -> None:
    """Stamp the README and every notebook of this checkout."""
    for path in sorted((root / "notebooks").glob("**/[0-9]*.ipynb")):
        lesson = path.parent.name == "notebooks"
        stamp_notebook(path, path.relative_to(root).as_posix() if lesson else None, repository, tag)
    readme, first = root / "README.md", min((root / "notebooks").glob("[0-9]*.ipynb"))
    line = badges(repository, tag, first.relative_to(root).as_posix())
    _write(readme, with_badges(readme.read_text(encoding="utf-8"), line))


def _write(path: Path, text: str) -> None:
    if path.read_text(encoding="utf-8") != text:
        write_whole(path, text.encode())
        print(f"stamped {path.name}")


def settings(root: Path) -> tuple[str, str]:
    """Repository and tag as pyproject.toml has them; empty where the lessons have no address."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return project["tool"]["gan-lessons"]["repository"], project["tool"]["gan-lessons"]["tag"]


def keep(root: Path, repository: str, tag: str) -> None:
    """Write both into pyproject.toml, and change nothing else there."""
    import tomlkit  # here, since colab_test.py stamps in Colab's environment, which has none

    path = root / "pyproject.toml"
    project = tomlkit.parse(path.read_text(encoding="utf-8"))
    project["tool"]["gan-lessons"].update({"repository": repository, "tag": tag})
    _write(path, tomlkit.dumps(project))


def arguments(words: list[str]) -> tuple[bool, str, str]:
    """Whether there is something to keep, and what: the address, which may be empty, and the tag."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", metavar="ADDRESS")
    parser.add_argument("--tag")
    options = parser.parse_args(words)
    address = (options.repository or "").rstrip("/").removesuffix(".git")
    if address and not re.fullmatch(r"https://[\w.-]+(:\d+)?(/[\w.~-]+)+", address, flags=re.ASCII):
        parser.error(f"an address looks like https://github.com/you/gan-lessons, not {options.repository!r}")
    if options.tag and not re.fullmatch(r"\w[\w.-]*", options.tag, flags=re.ASCII):
        parser.error(f"a tag is made of letters, digits, dots, hyphens and underscores, as in v1.0; not {options.tag!r}")
    if bool(address) != bool(options.tag):
        parser.error("--repository and --tag belong together: the lessons on Colab fetch that tag of that repository")
    return options.repository is not None, address, options.tag or ""


def main(words: list[str], root: Path = ROOT) -> None:
    changed, repository, tag = arguments(words)
    if changed:
        keep(root, repository, tag)
    stamp(root, *settings(root))


if __name__ == "__main__":
    main(sys.argv[1:])
