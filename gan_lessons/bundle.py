"""The files that come with the lessons, below data/: each checked against data/SHA256SUMS when it is read."""

import functools
import gzip
import hashlib
import json
from pathlib import Path

import safetensors.torch
from torch import nn

from gan_lessons import runtime
from gan_lessons.history import History

FOLDER = Path(__file__).resolve().parent.parent / "data"


def path(name: str) -> Path:
    """The path of a bundled file, by its path below data/, checked against data/SHA256SUMS.

    Raises FileNotFoundError or ValueError, with the way to restore it, for a missing or damaged file.
    """
    _check_file(FOLDER / name, checksums()[name])
    return FOLDER / name


def weights(network: nn.Sequential, name: str) -> nn.Sequential:
    """The network with the bundled weights of this name, on the device, in eval mode. Raises as `path` does."""
    network.load_state_dict(safetensors.torch.load_file(path(name)))
    return network.to(runtime.device()).eval()


def card(name: str) -> dict:
    """What a bundled JSON file tells, for example how weights were made. Raises as `path` does."""
    return json.loads(path(name).read_text(encoding="utf-8"))


def diagnosis_runs() -> dict[int, History]:
    """The histories of lesson 05's twelve recorded runs by number, every fourth turn. Raises as `path` does."""
    return {number: History.read_csv(path(f"diagnosis/run_{number:02}.csv")) for number in diagnosis_labels()}


def diagnosis_labels() -> dict[int, dict]:
    """The labels of the recorded runs by number: name, evidence in the curves, and what was changed. Raises as `path` does."""
    return {label["run"]: label for label in card("diagnosis/labels.json")}


def unpacked(names: list[str]) -> Path:
    """The root folder that holds these bundled files unpacked, checked; what is not there yet is unpacked now.

    It is data/ or, where that cannot be written to, the cache folder. Raises as `path` does.
    """
    for name in names:
        path(f"{name}.gz")
    root = FOLDER if runtime.writable(FOLDER / Path(names[0]).parent) else runtime.cache_folder()
    for name in names:
        if _checksum(root / name) != checksums()[name]:
            runtime.write_whole(root / name, gzip.decompress((FOLDER / f"{name}.gz").read_bytes()))
    return root


def _check_file(path: Path, wanted: str) -> None:
    found, name = _checksum(path), path.relative_to(FOLDER.parent)
    way_out = (
        f"Restore it with `git checkout -- {name.as_posix()}`, run in {FOLDER.parent}, or clone the repository again; "
        "where it came as a zip, unpack the zip again."
    )
    if found is None:
        raise FileNotFoundError(f"{name} is missing. {way_out}")
    if found != wanted:
        # Delete it first: git leaves alone what differs in nothing but line ends.
        raise ValueError(f"{name} is damaged (its SHA-256 is {found[:12]}…, not {wanted[:12]}…): delete it. {way_out}")


def checksums() -> dict[str, str]:
    """The wanted SHA-256 of every bundled file and of what is unpacked from it, by its path below data/."""
    path = FOLDER / "SHA256SUMS"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: GAN Lessons runs from a clone of its repository, or from the unpacked zip, data folder included."
        )
    # sha256sum's own form, two blanks: a name may have blanks in it.
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: checksum for checksum, name in (line.split("  ", 1) for line in lines)}


def _checksum(path: Path) -> str | None:
    if not path.is_file():
        return None
    status = path.stat()
    return _checksum_once(path, status.st_size, status.st_mtime_ns)


@functools.cache
def _checksum_once(path: Path, size: int, changed: int) -> str:
    """Once a process for each state of a file: a lesson asks for the same eleven megabytes several times."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
