"""Whether this machine is ready for the lessons, what is missing or damaged, and how long each lesson will take here."""

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import sys
import time
import tomllib
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIMES = Path(__file__).with_name("lesson_times.json")
BUSY = 0.2  # of all cores: a quiet desktop stays below it, and the probe is slowed down from there on
SET_UP = "Set the lessons up as the README tells: make lab, or conda."


def main(words: list[str]) -> int:
    """Print the report; the status is 0, or 1 where something is broken. Raises SystemExit for words that mean nothing."""
    description = f"{__doc__} The status is 1 where something is broken."
    argparse.ArgumentParser(prog="python -m gan_lessons", description=description).parse_args(words)
    print("Machine ", machine())
    broken = show("Packages", packages())
    if broken:  # torch itself may be what is missing: nothing below could be imported
        return 1
    broken = show("Device  ", device())
    broken |= show("Data    ", bundled_files())
    print("Lessons ", *lessons(), sep="\n  ")
    return int(broken)


def show(heading: str, findings: tuple[str, list[str]]) -> bool:
    """Print what is fine and then what is not, a line each; whether there was any such line."""
    fine, wrong = findings
    print(heading, fine)
    for line in wrong:
        print("  BROKEN:", line)
    return bool(wrong)


def machine() -> str:
    """System, processor, cores, memory and free disk in one line."""
    parts = [f"{platform.system()} {platform.machine()}", processor(), f"{os.cpu_count()} cores"]
    with contextlib.suppress(ModuleNotFoundError):  # `packages` says so
        import psutil

        parts.append(f"{psutil.virtual_memory().total / 1e9:.0f} GB memory")
    return " · ".join([*filter(None, parts), f"{shutil.disk_usage(ROOT).free / 1e9:.0f} GB of disk free"])


def processor() -> str:
    """The processor's name, or as much as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def packages() -> tuple[str, list[str]]:
    """The versions of what the lessons import, and what is missing or older than pyproject.toml asks for."""
    try:
        from packaging.requirements import Requirement  # comes with matplotlib
    except ModuleNotFoundError:
        return "none", [f"Nothing is installed for {sys.executable}. {SET_UP}"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found, wrong = [f"Python {platform.python_version()}"], []
    for requirement in map(Requirement, project["dependencies"]):
        if requirement.name == "jupyterlab":
            continue  # Colab, VS Code and others open notebooks as well
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is not installed. {SET_UP}")
            continue
        found.append(f"{requirement.name} {version}")
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, and the lessons need {requirement.specifier}. {SET_UP}")
    return " · ".join(found), wrong


def device() -> tuple[str, list[str]]:
    """The device that does the work; why it is not the GPU, where there is one that cannot be used."""
    from gan_lessons import runtime

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            name = runtime.device_name()
        except ValueError as error:  # a choice in the environment that there is not
            return "none", [str(error)]
    return " ".join([f"{name}.", *(str(warning.message) for warning in caught)]), []


def bundled_files() -> tuple[str, list[str]]:
    """How many of the files in data/SHA256SUMS are as they should be, and for each of the others how to restore it.

    Unpacked copies are not looked at: whoever reads one checks it and unpacks it anew where it is damaged.
    """
    from gan_lessons import bundle

    try:
        checksums = bundle.checksums()
    except FileNotFoundError as error:
        return "none", [str(error)]
    wrong, names = [], [name for name in checksums if f"{name}.gz" not in checksums]
    for name in names:
        try:
            bundle.path(name)
        except (FileNotFoundError, ValueError) as error:
            wrong.append(str(error))
    return f"{len(names) - len(wrong)} of {len(names)} files below {bundle.FOLDER} are as they should be", wrong


def lessons() -> list[str]:
    """How many minutes each lesson will take here: an estimate, from those measured elsewhere and a short probe."""
    if not TIMES.exists():
        return ["No times have been measured yet: run benchmarks/series.py."]
    series = json.loads(TIMES.read_text(encoding="utf-8"))
    busy, slower = busy_share(), probe() / series["probe_ms"]
    measured_on = f"{slower:.1f} times those measured on {series['machine']}"
    head = [f"minutes here, estimated: {measured_on}; training on a GPU has not been measured"]
    if busy > BUSY:
        head.append(f"(Other programs keep {busy:.0%} of the processor busy right now, so the estimate is too high.)")
    times = {name: slower * statistics.median(measured["seconds"]) / 60 for name, measured in series["lessons"].items()}
    return [*head, *(f"{minutes:5.1f}  {name}" for name, minutes in times.items())]


def busy_share(seconds: float = 1.0) -> float:
    """The share of all cores, from 0 to 1, that other programs keep busy while this one waits for so many seconds."""
    import psutil

    return psutil.cpu_percent(interval=seconds) / 100


def probe() -> float:
    """How fast this machine's CPU is: milliseconds for one update of a network the size of lesson 04's, the median of 60.

    Always on the CPU: a lesson is more than its training, and a GPU speeds up that alone.
    """
    import torch

    torch.manual_seed(0)
    x = torch.randn(128, 784)
    network = torch.nn.Sequential(torch.nn.Linear(784, 512), torch.nn.LeakyReLU(0.2), torch.nn.Linear(512, 784))
    optimizer, times = torch.optim.Adam(network.parameters()), []
    for _ in range(80):
        started = time.perf_counter()
        optimizer.zero_grad()
        (network(x) - x).square().mean().backward()
        optimizer.step()
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times[20:])  # the first ones also warm up
