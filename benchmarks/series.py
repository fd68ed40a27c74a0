"""Measure every lesson, from kernel start to kernel end, and write the figures wherever they are told.

Writes gan_lessons/lesson_times.json and the classroom table in docs/teaching.md; and two times for each lesson, the machine's and a
student's, into the README's table and the line of times at the lesson's top. The student's is counted, not measured: see `student`.
Wants a quiet machine with two cores, and Linux, which tells a process's peak memory. Fails where a bar is missed: 2 GB a kernel,
15 minutes for the whole series. `--write` alone is what a changed text asks for.
"""

import argparse
import json
import math
import os
import re
import statistics
import sys
import tempfile
import time
from itertools import takewhile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from gan_lessons import doctor, runtime

ROOT = Path(__file__).resolve().parent.parent
MEMORY_BAR, TIME_BAR = 2000, 15 * 60  # MB for each kernel; seconds for the whole series
WORDS, EXERCISE, PROJECT = 300, 10, 20  # words read in a minute; minutes for an exercise, and for the open project after them
STUDENTS, SLOT = 30, 50  # a class, and the minutes of its slot
TIMES = re.compile(r"^\*About .* on two CPU cores.*\*$", flags=re.MULTILINE)
BLOCK = re.compile(r"(<!-- written by benchmarks/series.py -->\n).*(<!-- end -->\n)", flags=re.DOTALL)

# ----------------------------------------------------------------------------------------- measuring


def measure(path: Path) -> dict[str, float]:
    """Run a notebook in a kernel of its own: wall and CPU seconds, and the kernel's peak memory in MB."""
    used: dict[str, float] = {}
    client: NotebookClient = NotebookClient(
        nbformat.read(path, as_version=4),
        timeout=900,
        kernel_name="python3",
        resources={"metadata": {"path": path.parent}},
        # After each cell, since after the last one the kernel is gone.
        on_cell_executed=lambda **_: used.update(process(client.km.provisioner.pid)),
    )
    with tempfile.TemporaryDirectory() as runs:  # no lesson is to go on from what another run of it has left
        os.environ["GAN_LESSONS_RUNS"] = runs
        started = time.monotonic()
        client.execute()
        return {"seconds": round(time.monotonic() - started, 1), **used}


def process(pid: int) -> dict[str, float]:
    """CPU seconds and peak resident memory in MB of a living process, from Linux's /proc."""
    # Not ru_maxrss: a child begins with the peak of the process that it was forked from.
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB", status, flags=re.MULTILINE)
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[11:13]
    cpu_seconds = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return {"cpu_seconds": round(cpu_seconds, 1), "peak_mb": math.ceil(int(peak) * 1024 / 1e6)}


def repeated(path: Path, repeats: int) -> dict:
    """The notebook's wall seconds each time, the median of its CPU seconds, and the highest peak."""
    runs = [measure(path) for _ in range(repeats)]
    result = {
        "seconds": [run["seconds"] for run in runs],
        "cpu_seconds": statistics.median(run["cpu_seconds"] for run in runs),
        "peak_mb": max(run["peak_mb"] for run in runs),
    }
    print(f"{path.relative_to(ROOT)}: {result}", flush=True)
    return result


def here() -> dict:
    """This machine, in words and in the probe that `python -m gan_lessons` compares machines by."""
    machine = f"{doctor.processor()}, {os.cpu_count()} cores"
    return {"machine": machine, "versions": runtime.report(), "probe_ms": round(doctor.probe(), 2)}


def measured(words: list[str], repeats: int) -> dict:
    """All measurements, or the former ones of this machine with those that the words name taken anew."""
    series = here() | {"lessons": {}, "solutions": {}}
    if words:
        former = load()
        if (former["machine"], former["versions"]) != (series["machine"], series["versions"]):
            sys.exit(f"{doctor.TIMES.name} is from {former['machine']} and {former['versions']}: measure all lessons here.")
        series |= {kind: former[kind] for kind in ("lessons", "solutions")}
    for kind, folder in (("lessons", "notebooks"), ("solutions", "notebooks/solutions")):
        for path in sorted((ROOT / folder).glob("[0-9]*.ipynb")):
            if not words or path.name[:2] in words:
                series[kind][path.stem] = repeated(path, repeats)
        series[kind] = dict(sorted(series[kind].items()))
    return series


def missed_bars(series: dict) -> list[str]:
    """A sentence for each bar that the measurements miss."""
    every = {**series["lessons"], **{f"solutions/{name}": result for name, result in series["solutions"].items()}}
    total = sum(statistics.median(result["seconds"]) for result in every.values())
    missed = [f"{name} takes {result['peak_mb']} MB." for name, result in every.items() if result["peak_mb"] > MEMORY_BAR]
    return missed + ([f"The whole series takes {total / 60:.1f} minutes."] if total > TIME_BAR else [])


# -------------------------------------------------------------------------------------- a student's time


def student(notebook: nbformat.NotebookNode) -> int:
    """Minutes that a student needs for a lesson, rounded up to fives: reading, exercises, and the open project.

    Read are the text up to the references and the code that is not folded, 300 words a minute; what looks like a word counts.
    """
    cells = notebook.cells
    shown = takewhile(lambda cell: not cell.source.startswith("## References"), cells)
    read = [cell.source for cell in shown if "hide-input" not in cell.metadata.get("tags", [])]
    words = len(re.findall(r"\S*\w\S*", "\n".join(read)))
    exercises = [place for place, cell in enumerate(cells) if "exercise" in cell.metadata.get("tags", [])]
    # A project has a heading of its own, or stands between the last exercise and the next heading.
    project = any(cell.source.startswith("## An open project") for cell in cells)
    project = project or (bool(exercises) and not cells[exercises[-1] + 1].source.startswith("#"))
    return 5 * math.ceil((words / WORDS + EXERCISE * len(exercises) + PROJECT * project) / 5)


# ------------------------------------------------------------------------------------------- writing


def minutes(result: dict) -> str:
    """Wall time in minutes, rounded up to halves: ½, 1, 1½, …"""
    halves = math.ceil(statistics.median(result["seconds"]) / 30)
    return f"{halves // 2 or ''}{'½' if halves % 2 else ''}"


def gigabytes(megabytes: float) -> str:
    """Rounded up to a tenth."""
    return f"{math.ceil(megabytes / 100) / 10:.1f} GB"


def in_words(result: dict) -> str:
    """The same as a phrase: half a minute, a minute, 3½ minutes."""
    phrases = {
        "½": "half a minute",
        "1": "a minute",
        "1½": "a minute and a half",
        "2": "two minutes",
        "2½": "two and a half minutes",
    }
    return phrases.get(minutes(result), f"{minutes(result)} minutes")


def with_columns(readme: str, series: dict, students: dict[str, int]) -> str:
    """The README with the machine's and a student's minutes in the third and fourth of the five columns of each lesson's row."""

    def filled(row: re.Match) -> str:
        result = series["lessons"].get(row["name"])
        return f"{row['before']} {minutes(result)} | {students[row['name']]} |" if result else row[0]

    row = r"^(?P<before>\| \[[^]]*\]\(notebooks/(?P<name>\w+)\.ipynb\) \|[^|\n]*\|)[^|\n]*\|[^|\n]*\|(?=[^|\n]*\|$)"
    return re.sub(row, filled, readme, flags=re.MULTILINE)


def with_times(notebook: nbformat.NotebookNode, result: dict) -> nbformat.NotebookNode:
    """The lesson with both times in its line of times. Raises ValueError where there is no such line, or more than one."""
    line = f"*About {in_words(result)} on two CPU cores; about {student(notebook)} minutes for you, exercises included.*"
    replaced = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source, times = TIMES.subn(line, cell.source)
            replaced += times
    if replaced != 1:
        raise ValueError(f"{replaced} lines of times, where a lesson has one: *About a minute on two CPU cores.*")
    return notebook


def classroom(series: dict) -> str:
    """The table for teachers: what a lesson takes, and what a class that runs it within one slot needs."""
    lines = [
        f"| lesson | minutes | core minutes | memory | cores for {STUDENTS} students | memory for {STUDENTS} students |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, result in series["lessons"].items():
        core_minutes, peak = result["cpu_seconds"] / 60, result["peak_mb"]
        cells = [name, minutes(result), f"{core_minutes:.1f}", gigabytes(peak)]
        cells += [str(math.ceil(STUDENTS * core_minutes / SLOT)), gigabytes(STUDENTS * peak)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"Measured on {series['machine']}; {series['versions']}.", ""])


def with_classroom(page: str, series: dict) -> str:
    """The teachers' page with the table between its two marks."""
    return BLOCK.sub(lambda block: f"{block[1]}\n{classroom(series)}\n{block[2]}", page)


def load() -> dict:
    return json.loads(doctor.TIMES.read_text(encoding="utf-8"))


def write(series: dict) -> None:
    """Write the measurements, and all that is made from them and from the lessons' texts."""
    runtime.write_whole(doctor.TIMES, (json.dumps(series, indent=1, ensure_ascii=False) + "\n").encode())
    students = {}
    for name, result in series["lessons"].items():
        path = ROOT / "notebooks" / f"{name}.ipynb"
        notebook = with_times(nbformat.read(path, as_version=4), result)
        runtime.write_whole(path, (nbformat.writes(notebook) + "\n").encode())
        students[name] = student(notebook)
    readme, page = ROOT / "README.md", ROOT / "docs/teaching.md"
    runtime.write_whole(readme, with_columns(readme.read_text(encoding="utf-8"), series, students).encode())
    runtime.write_whole(page, with_classroom(page.read_text(encoding="utf-8"), series).encode())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "lessons", nargs="*", metavar="LESSON", help="a number such as 04; without any, all lessons and solutions"
    )
    parser.add_argument("--repeats", type=int, default=1, metavar="N")
    parser.add_argument("--write", action="store_true", help="measure nothing, only write what lesson_times.json has")
    options = parser.parse_args()
    if not options.write and not Path("/proc/self/status").exists():
        sys.exit("Only Linux tells a process's peak memory (in /proc), so the lessons are measured there.")
    series = load() if options.write else measured(options.lessons, options.repeats)
    write(series)
    print(*missed_bars(series), sep="\n")
    return bool(missed_bars(series))


if __name__ == "__main__":
    sys.exit(main())
