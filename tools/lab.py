"""Open the lessons in JupyterLab: copies of them, in the folder my-lessons/, which belongs to the reader.

What is run and written there leaves the checkout as it is. Lessons that are new are added each time. A copy that was only run
gets the new version of its lesson when there is one; a copy in which something was written is never touched.

Options that are not listed here go to JupyterLab, for example --no-browser --port 9000.
"""

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ROOT / "notebooks"
COPIES = ROOT / "my-lessons"
RECORD = ".copied.json"  # beside the copies: by their names, what was in the cells of the lesson that each was copied from

CHANGED = "is yours and stays as it is, but the lesson has changed since"
UNKNOWN = (
    f"differs from the lesson. {RECORD} does not tell which version it was copied from: it may hold what you wrote, "
    "and stays as it is"
)


def names(lessons: Path = LESSONS) -> list[str]:
    """The lessons and their solutions, by their paths below the folder, in order."""
    found = sorted(lessons.glob("[0-9]*.ipynb")) + sorted(lessons.glob("solutions/[0-9]*.ipynb"))
    return [path.relative_to(lessons).as_posix() for path in found]


def written(notebook: Path) -> str | None:
    """A digest of what is written in the cells, whatever they have put out; None for what is no notebook.

    Empty cells do not count: JupyterLab adds one when the last cell is run.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        texts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return hashlib.sha256(json.dumps([text for text in texts if text[1].strip()]).encode()).hexdigest()


def renew(lessons: Path = LESSONS, copies: Path = COPIES) -> dict[str, str]:
    """Bring the copies up to date, without a change to any in which the reader wrote; what is to be said of those that differ."""
    record, behind = _record(copies), {}
    for name in names(lessons):
        now, was, mine = written(lessons / name), record.get(name), written(copies / name)
        only_run = mine is not None and mine == was
        if not (copies / name).exists() or (only_run and was != now):
            _put(lessons / name, copies / name)
        elif mine != now:
            # Without a record nobody knows where this file comes from: then it is the reader's.
            if was is None:
                behind[name] = UNKNOWN
            elif was != now:
                behind[name] = CHANGED
            continue
        record[name] = now
    _write(copies / RECORD, json.dumps(record, indent=1).encode())
    return behind


def afresh(lesson: str, lessons: Path = LESSONS, copies: Path = COPIES) -> tuple[Path, Path | None]:
    """Put a fresh copy of one lesson into its place; gives its path and that of the old copy, which has a new name.

    `lesson` is the beginning of the name, as 04 or solutions/04. Raises ValueError unless it is that of one lesson.
    """
    found = [name for name in names(lessons) if name.startswith(lesson)] if lesson else []
    if len(found) != 1:
        known = ", ".join(name.removesuffix(".ipynb") for name in names(lessons))
        raise ValueError(f"{lesson!r} is not the beginning of one lesson's name. There are: {known}.")
    (name,) = found
    copy, kept = copies / name, None
    if copy.exists():
        beside = (copy.with_suffix(f".mine{number or ''}.ipynb") for number in [0, *range(2, 10_000)])
        kept = next(path for path in beside if not path.exists())
        copy.rename(kept)
    _put(lessons / name, copy)
    _write(copies / RECORD, json.dumps(_record(copies) | {name: written(copy)}, indent=1).encode())
    return copy, kept


def _record(copies: Path) -> dict[str, str | None]:
    try:
        record = json.loads((copies / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _put(lesson: Path, copy: Path) -> None:
    _write(copy, lesson.read_bytes())


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _prepare(fresh: str | None) -> None:
    if fresh is not None:
        copy, kept = afresh(fresh)
        print(f"{copy.relative_to(ROOT)} is as new." + (f" What was there is now in {kept.name}, beside it." if kept else ""))
        return
    for name, what in renew().items():
        number = name.removesuffix(".ipynb").split("_")[0]
        print(
            f"my-lessons/{name} {what}. To get the new one, "
            f"with yours kept beside it: make lesson LESSON={number}   (or python tools/lab.py --fresh {number})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--fresh", metavar="LESSON", help="do not open: put a fresh copy of this lesson, for example 04, there")
    options, for_jupyterlab = parser.parse_known_args()
    try:
        _prepare(options.fresh)
    except ValueError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"The lessons could not be copied to {COPIES}: {error}. Is there room, and may you write there?")
    if options.fresh is None:
        from jupyterlab.labapp import LabApp

        LabApp.launch_instance([*for_jupyterlab, str(COPIES / names()[0])])


if __name__ == "__main__":
    main()
