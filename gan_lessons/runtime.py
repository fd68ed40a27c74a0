"""This machine: the device, the random numbers, and files that are never half-written."""

import functools
import os
import platform
import random
import tempfile
import warnings
from pathlib import Path
from typing import Self

import numpy
import torch
import torchvision

from gan_lessons import neighbours

neighbours.attend()  # every lesson imports this module, by whatever door it comes in


@functools.cache
def device() -> torch.device:
    """The device everything runs on: a CUDA GPU, an Apple GPU (mps) or the CPU, the first that works.

    A GPU that is there but cannot be used gives a warning of one sentence, and the CPU.
    """
    if torch.cuda.is_available():
        candidate = torch.device("cuda")
    elif torch.backends.mps.is_available():
        candidate = torch.device("mps")
    else:
        return torch.device("cpu")
    try:
        # A driver may list a GPU for which this torch has no code: only using it tells.
        torch.ones(2, 2, device=candidate).mm(torch.ones(2, 2, device=candidate)).sum().item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        warnings.warn(f"The {candidate.type} GPU cannot be used ({reason}), so the CPU does the work.", stacklevel=2)
        return torch.device("cpu")
    return candidate


def device_name() -> str:
    """The device in words, for example 'NVIDIA T4', 'Apple GPU' or 'CPU with 2 threads'."""
    kind = device().type
    if kind == "cuda":
        return torch.cuda.get_device_name()
    if kind == "mps":
        return "Apple GPU"
    threads = torch.get_num_threads()
    return f"CPU with {threads} thread" + "s" * (threads > 1)


def report() -> str:
    """One line: the versions that matter and the device."""
    return (
        f"Python {platform.python_version()} · torch {torch.__version__} · "
        f"torchvision {torchvision.__version__} · {device_name()}"
    )


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's random numbers (torch's on every device)."""
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


class RandomStream:
    """A private stream of torch's random numbers.

    Inside `with stream:` the ordinary functions (`torch.randn`, dropout, …) draw from this stream, and
    outside it from the global one: neither disturbs the other. A fresh stream gives the same numbers
    as `torch.manual_seed(seed)` does.
    """

    def __init__(self, seed: int):
        outside = _random_states()
        torch.manual_seed(seed)
        self._states = _random_states()
        _set_random_states(outside)

    def __enter__(self) -> Self:
        self._outside = _random_states()
        _set_random_states(self._states)
        return self

    def __exit__(self, exception_type, *exception) -> None:
        if exception_type is None:  # what failed is to be repeated with the same numbers
            self._states = _random_states()
        _set_random_states(self._outside)

    def state(self) -> dict[str, torch.Tensor]:
        """The stream's state: one uint8 tensor for each kind of device in use, by its name."""
        return dict(self._states)

    def load_state(self, states: dict[str, torch.Tensor]) -> None:
        """Continue from a state that `state` gave; kinds of device that are not in use here are left out."""
        self._states.update({kind: state.clone() for kind, state in states.items() if kind in self._states})


def _random_states() -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device().type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state()
    elif device().type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def _set_random_states(states: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
    if "mps" in states:
        torch.mps.set_rng_state(states["mps"])


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all: readers see the old content or the new, never a part.

    Missing folders are made. Raises OSError where the folder cannot be written to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The same folder, so that the rename stays within one file system and is atomic.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def writable(folder: Path) -> bool:
    """Whether files can be written into this folder, which is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        return True
    except OSError:
        return False


def cache_folder() -> Path:
    """Where files go that do not belong into the checkout: $XDG_CACHE_HOME, ~/.cache or the temporary folder."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return _first_writable(base / "gan_lessons", Path(tempfile.gettempdir()) / "gan_lessons")


def runs_folder() -> Path:
    """Where a lesson leaves its histories and checkpoints: `runs` beside the notebook, else in the cache folder."""
    return Path("runs") if writable(Path("runs")) else _first_writable(cache_folder() / "runs")


def _first_writable(*folders: Path) -> Path:
    for folder in folders:
        if writable(folder):
            return folder
    raise PermissionError(f"There is no folder to write to: tried {' and '.join(map(str, folders))}.")
