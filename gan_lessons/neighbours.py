"""Torch beside other programs: its threads wait for one another awake while the cores are theirs, asleep while they are not.

torch shares a large operation out among threads (OpenMP), and those that are done first wait for the last. Awake, that costs
least, as long as every thread has a core. Beside one other program that works (a second notebook, a video call) the waiting
thread keeps the core from which the last one could go on, and a game may come almost to a stand. `attend` looks twice a second
how much others work, and lets torch's threads sleep meanwhile. The number of threads stays as it is, and so does every result,
to the last bit. benchmarks/neighbour.py measures what it is worth.
"""

import contextlib
import ctypes
import os
import sys
import threading
import time
from pathlib import Path

import psutil
import torch

EVERY = 0.5  # seconds
# In cores, beyond those that torch leaves over: where others work more than the first, threads sleep, until it is less than the second.
BUSY, QUIET = 0.3, 0.15
OWN_CHOICE = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # who sets one of these has decided already


def attend() -> None:
    """Begin to look after the threads of this process, in the background; where that cannot be done, nothing changes.

    With GNU's OpenMP (torch from PyPI on Linux) it works whatever was imported first. With LLVM's or Intel's (macOS, Windows,
    conda) the threads sleep after a millisecond instead of two hundred, from now on.
    """
    if any(name in os.environ for name in OWN_CHOICE):
        return
    gnu = gnu_openmp()
    if gnu:
        threading.Thread(target=_keep_looking, args=(gnu,), name="neighbours", daemon=True).start()
    elif llvm := llvm_openmp():
        llvm.kmp_set_blocktime(1)


def gnu_openmp() -> ctypes.CDLL | None:
    """GNU's OpenMP as torch uses it, where this process has loaded it; other packages may have brought copies of their own."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # no Linux
        return None
    paths = {line.split(maxsplit=5)[5] for line in lines if "/libgomp" in line}
    own = str(Path(torch.__file__).parent)
    for path in sorted(paths, key=lambda path: not path.startswith(own)):
        try:
            return ctypes.CDLL(path, mode=os.RTLD_NOLOAD)
        except OSError:  # deleted since, perhaps by an update
            continue
    return None


def llvm_openmp() -> ctypes.CDLL | None:
    """LLVM's or Intel's OpenMP, where this process has loaded it; a second copy is never loaded."""
    if sys.platform == "win32":
        handle = ctypes.windll.kernel32.GetModuleHandleW("libiomp5md.dll")
        return ctypes.CDLL("libiomp5md.dll", handle=handle) if handle else None
    folders = (Path(torch.__file__).parent / "lib", Path(sys.prefix) / "lib")
    for path in (folder / name for folder in folders for name in ("libomp.dylib", "libiomp5.dylib", "libomp.so", "libiomp5.so")):
        try:
            return ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD)
        except OSError:
            continue
    return None


def _keep_looking(gnu: ctypes.CDLL) -> None:
    extra = None
    with contextlib.suppress(Exception):  # where the system does not tell, a lesson is not to be disturbed
        for others in _work_of_others():
            extra = decide(extra, others, gnu)


def _work_of_others():
    """Every so often the mean number of cores that others have kept busy since the last time."""
    psutil.cpu_percent()
    wall, own = time.monotonic(), time.process_time()
    while True:
        time.sleep(EVERY)
        wall_before, own_before, wall, own = wall, own, time.monotonic(), time.process_time()
        yield psutil.cpu_percent() / 100 * (psutil.cpu_count() or 1) - (own - own_before) / (wall - wall_before)


def decide(extra: "ExtraTeam | None", others: float, gnu: ctypes.CDLL) -> "ExtraTeam | None":
    """The extra team that there should be while others keep so many cores busy; the one there is, a new one or none."""
    left_over = (psutil.cpu_count() or 1) - torch.get_num_threads()
    if extra is None and others > left_over + BUSY:
        return ExtraTeam(gnu, left_over + 2)
    if extra is not None and others < left_over + QUIET:
        extra.leave()
        return None
    return extra


class ExtraTeam(threading.Thread):
    """A team of OpenMP threads that does nothing but be there.

    GNU's OpenMP counts its threads. As soon as there are more than cores, those that wait go to sleep after a hundred
    turns instead of three hundred thousand (libgomp's manual, GOMP_SPINCOUNT), in all teams of the process.
    """

    def __init__(self, gnu: ctypes.CDLL, size: int) -> None:
        super().__init__(name="neighbours: extra team", daemon=True)
        self._gnu, self._size, self._leave = gnu, size, threading.Event()
        self.start()

    def run(self) -> None:
        # What each of its threads executes, once: free(NULL), which does nothing and needs no Python.
        self._gnu.GOMP_parallel(ctypes.CDLL(None).free, None, self._size, 0)
        self._leave.wait()

    def leave(self) -> None:
        """End the team, and with it what it is there for."""
        self._leave.set()
        self.join()
