"""Pack what students need: notebooks not yet run, package, data, and what sets them up; no solutions, no tests.

Their README is docs/students.md, which speaks of nothing that is not in the zip. The cells of the exercises get the metadata by which nbgrader knows an answer that a person grades, one point each:
in the zip alone, the notebooks of the checkout stay as they are. The same checkout gives the same bytes.
"""

import argparse
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "gan-lessons"
LEFT_OUT = ("notebooks/solutions/", "tests/", "tools/", "benchmarks/", "docs/", "CHANGELOG", "CITATION", "CONTRIBUTING", ".")
KEPT = ("tools/uv", "tools/jupyterlab.json", "tools/lab.py")  # `make lab` needs them


def names() -> list[str]:
    """The files for students, by their path in the repository, in order: all that git does not ignore but what is left out."""
    listing = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        known = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, encoding="utf-8").stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        sys.exit(f"{ROOT} is no clone: clone the repository with git, which tells apart what belongs to it.")
    present = {name for name in known if (ROOT / name).is_file()}
    return sorted(name for name in present if name in KEPT or not name.startswith(LEFT_OUT))


def for_students(notebook: nbformat.NotebookNode, lesson: str) -> nbformat.NotebookNode:
    """The notebook as if nobody had run it, with nbgrader's metadata (schema 3) on the exercises."""
    exercises = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if "exercise" in cell.metadata.get("tags", []):
            exercises += 1
            cell.metadata["nbgrader"] = {
                "schema_version": 3,
                "cell_type": "code",
                "grade": True,  # with solution: the student writes here, and a person gives the points
                "solution": True,
                "locked": False,
                "task": False,
                "points": 1,
                "grade_id": f"lesson-{lesson}-exercise-{exercises}",
            }
    return notebook


def content(name: str) -> bytes:
    """What students get under this name."""
    if name == "README.md":
        return (ROOT / "docs/students.md").read_bytes()
    if not name.endswith(".ipynb"):
        return (ROOT / name).read_bytes()
    notebook = for_students(nbformat.read(ROOT / name, as_version=4), Path(name).name[:2])
    nbformat.validate(notebook)
    return (nbformat.writes(notebook) + "\n").encode()


def pack(path: Path) -> None:
    """Write the zip, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in names():
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}")  # dated 1980, whatever the clock says
            entry.create_system, entry.compress_type = 3, zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if name == "tools/uv" else 0o644) << 16
            archive.writestr(entry, content(name))
    unfinished.replace(path)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = ROOT / "dist/gan-lessons-students.zip"
    parser.add_argument("file", nargs="?", type=Path, default=default, help="default dist/gan-lessons-students.zip")
    pack(parser.parse_args().file)


if __name__ == "__main__":
    main()
