"""This machine: the device, the random numbers, and files that are never half-written."""

import functools
import glob
import os
import platform
import random
import tempfile
import warnings
import zlib
from contextlib import AbstractContextManager, suppress
from importlib.metadata import version  # importing torchvision itself takes longer than a panel of sliders
from pathlib import Path
from typing import Self
from uuid import uuid4

import numpy
import platformdirs
import psutil
import torch

from gan_lessons import neighbours

neighbours.attend()  # every lesson imports this module, by whatever door it comes in


@functools.cache
def device() -> torch.device:
    """The device everything runs on: a CUDA GPU, an Apple GPU (mps) or the CPU, the first that works.

    The environment variable GAN_LESSONS_DEVICE (cpu, cuda or mps) chooses one, if it is set before the first question.
    A GPU that is there, or chosen, but cannot be used gives a warning of one sentence, and the CPU.
    Raises ValueError for another word in the variable.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    kind = os.environ.get("GAN_LESSONS_DEVICE", "").strip().lower() or next((kind for kind in there if there[kind]), "cpu")
    if kind not in ("cpu", *there):
        raise ValueError(
            f"GAN_LESSONS_DEVICE is {os.environ['GAN_LESSONS_DEVICE']!r}; it chooses cpu, cuda or mps, or stays unset."
        )
    if kind != "cpu":
        reason = _why_not(kind) if there[kind] else "torch finds none on this machine"
        if reason:
            warnings.warn(f"The {kind} GPU cannot be used ({reason}), so the CPU does the work.", stacklevel=2)
            kind = "cpu"
    return torch.device(kind)


def _why_not(kind: str) -> str:
    """The reason why this kind of device fails, in a line; nothing where it works."""
    try:
        # A driver may list a GPU for which this torch has no code: only using it tells.
        torch.ones(2, 2, device=kind).mm(torch.ones(2, 2, device=kind)).sum().item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return ""


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
        f"Python {platform.python_version()} · torch {torch.__version__} · torchvision {version('torchvision')} · {device_name()}"
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
    as `torch.manual_seed(seed)` does. torch has one set of random numbers for all threads: what another
    thread draws meanwhile, it draws from this stream; a callback that needs random numbers while a game is
    played takes them from a `torch.Generator` of its own.

    Raises RuntimeError where the stream is entered a second time before it is left.
    """

    def __init__(self, seed: int):
        self._outside: AbstractContextManager | None = None
        with _global_state_kept():
            torch.manual_seed(seed)
            self._states = _random_states()

    def __enter__(self) -> Self:
        if self._outside is not None:
            raise RuntimeError(
                "This random stream is in use already: entered a second time it would repeat its numbers. Make a stream of "
                "another seed for what is drawn inside; a game is not to be played from within its own draw."
            )
        self._outside = _global_state_kept()
        self._outside.__enter__()
        _set_random_states(self._states)
        return self

    def __exit__(self, exception_type, *exception) -> None:
        if exception_type is None:  # what failed is to be repeated with the same numbers
            self._states = _random_states()
        outside, self._outside = self._outside, None
        if outside is not None:
            outside.__exit__(None, None, None)

    def state(self) -> dict[str, torch.Tensor]:
        """The stream's state: one uint8 tensor for each kind of device in use, by its name."""
        return dict(self._states)

    def load_state(self, states: dict[str, torch.Tensor]) -> None:
        """Continue from a state that `state` gave; kinds of device that are not in use here are left out."""
        self._states.update({kind: state.clone() for kind, state in states.items() if kind in self._states})


def _global_state_kept() -> AbstractContextManager:
    """A block after which torch's global random numbers, on the CPU and on the device, go on where they were."""
    kind = device().type
    return torch.random.fork_rng([] if kind == "cpu" else [kind], device_type=kind)


def _random_states() -> dict[str, torch.Tensor]:
    kind, states = device().type, {"cpu": torch.get_rng_state()}
    return states if kind == "cpu" else states | {kind: torch.get_device_module(kind).get_rng_state()}


def _set_random_states(states: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    for kind in states.keys() - {"cpu"}:
        torch.get_device_module(kind).set_rng_state(states[kind])


def write_whole(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all: readers see the old content or the new, never a part.

    Missing folders are made; who may read the file is what the umask says. What a process that was killed while it wrote
    this file has left behind is removed. Raises OSError, which names the file, where it cannot be written, and PermissionError, with the way out, where another program keeps the old file open (on Windows).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_behind(path)
    # The same folder, so that the rename stays within one file system and is atomic. Its name is nobody else's, and
    # unlike those of tempfile, which only the owner may read, open() makes it with the umask.
    temporary = path.with_name(f"{_temporary(path)}{os.getpid()}.{uuid4().hex[:12]}")
    try:
        _fill(temporary, content, path)
        _replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _temporary(path: Path) -> str:
    """How the names of its temporary files begin on this machine; after that comes the process, which only it can know."""
    return f".{path.name}.{zlib.crc32(platform.node().encode()):08x}."


def _remove_left_behind(path: Path) -> None:
    start = _temporary(path)
    for old in path.parent.glob(glob.escape(start) + "*"):
        process = old.name.removeprefix(start).split(".")[0]
        if process.isdecimal() and not psutil.pid_exists(int(process)):
            with suppress(OSError):
                old.unlink()


def _fill(temporary: Path, content: bytes, path: Path) -> None:
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno and error.filename is None:  # as where the disk is full
            error.filename = str(path)
        raise


def _replace(temporary: Path, path: Path) -> None:
    try:
        os.replace(temporary, path)
    except PermissionError as error:
        if not hasattr(error, "winerror"):  # which only Windows gives an error
            raise
        raise PermissionError(
            error.errno, "The file cannot be replaced, since a program has it open: close it there, and try again", str(path)
        ) from error


def writable(folder: Path) -> bool:
    """Whether files can be written into this folder, which is made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        return True
    except OSError:
        return False


def cache_folder() -> Path:
    """Where files go that do not belong into the checkout: $XDG_CACHE_HOME, else what the system has for it.

    Where that cannot be written to, or there is no home, it is a folder in the temporary folder. Raises PermissionError
    where that cannot be written to either.
    """
    chosen = os.environ.get("XDG_CACHE_HOME")
    try:
        base = Path(chosen) / "gan_lessons" if chosen else platformdirs.user_cache_path("gan_lessons", appauthor=False)
        # Without a home a path may begin with ~, which would become a folder of that name.
        usual = [base] if base.is_absolute() else []
    except RuntimeError:  # or platformdirs says that there is none
        usual = []
    # By the user's number, since all share the temporary folder, and in a container a user need not have a name.
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    return _first_writable(*usual, Path(tempfile.gettempdir()) / f"gan_lessons-{user}")


def runs_folder() -> Path:
    """Where a lesson leaves its histories and checkpoints: $GAN_LESSONS_RUNS, `runs` beside the notebook, or the cache folder."""
    if chosen := os.environ.get("GAN_LESSONS_RUNS"):
        return _first_writable(Path(chosen).expanduser())
    return Path("runs") if writable(Path("runs")) else _first_writable(cache_folder() / "runs")


def _first_writable(*folders: Path) -> Path:
    for folder in folders:
        if writable(folder):
            return folder
    raise PermissionError(f"There is no folder to write to: tried {' and '.join(map(str, folders))}.")
