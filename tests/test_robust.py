"""How people really run notebooks: odd paths, no network, no right to write, two at once, twice, killed in the middle.

The start of lesson 04 is run in a copy of the checkout whose digits are not unpacked yet: imports, data, a figure and a
file. That a single part copes (a GPU that cannot be used, a cache that cannot be written) is tested beside that part.
"""

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from gan_lessons import runtime

ROOT = Path(__file__).resolve().parent.parent
RAW = "data/MNIST/raw"
LEAVES_A_FILE = """\
import gan_lessons
runtime.write_whole(runtime.runs_folder() / "note.txt", gan_lessons.__file__.encode())"""
OFFLINE = """\
import socket
def refuse(*arguments, **keywords):
    raise AssertionError("a lesson asked for the network")
socket.getaddrinfo = socket.socket.connect = refuse"""
UNUSABLE_GPU = """\
import torch
ones = torch.ones
def fail(*sizes, device=None, **keywords):
    if "cuda" in str(device):
        raise RuntimeError("CUDA error: no kernel image is available")
    return ones(*sizes, device=device, **keywords)
torch.ones, torch.cuda.is_available = fail, lambda: True"""
# Root may write into any folder, but not without these two capabilities.
LIKE_ANYBODY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]

# Stops for ever in the middle of the second file that is written.
HANGS_IN_ITS_SECOND_FILE = """\
import os, pathlib, time
calls = []
def fsync(file):
    calls.append(file)
    if len(calls) == 2:
        os.ftruncate(file, os.fstat(file).st_size // 2)
        pathlib.Path(os.environ["HANGING"]).touch()
        time.sleep(10_000)
os.fsync = fsync"""

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX permissions and signals")


@pytest.fixture
def checkout(tmp_path):
    """What lesson 04 needs, at a path with spaces and Chinese characters."""
    copy = tmp_path / "GAN 课程 (第 1 周)"
    shutil.copytree(ROOT / "gan_lessons", copy / "gan_lessons", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / RAW).mkdir(parents=True)
    (copy / "notebooks").mkdir()
    shutil.copy(ROOT / "data/SHA256SUMS", copy / "data")
    for path in (ROOT / RAW).glob("*.gz"):
        shutil.copy(path, copy / RAW)
    return copy


def start_of_lesson_04():
    notebook = nbformat.read(ROOT / "notebooks/04_mlp_gan.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    digits = next(cell for cell in code if cell.source.startswith("digits = data.mnist()"))
    notebook.cells = [*code[:2], digits, new_code_cell(LEAVES_A_FILE)]
    return notebook


def client(notebook, checkout, startup="", prefix=()):
    """A notebook's client whose kernel begins with the startup code and is started by the prefix."""
    client = NotebookClient(notebook, timeout=200, kernel_name="python3")
    profile = checkout.parent / "ipython/profile_default/startup"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "first.py").write_text(startup)
    client.create_kernel_manager()
    client.km.kernel_spec.argv[:1] = [*prefix, sys.executable]
    return client


def settings(checkout, folder="notebooks", **environment):
    """The working directory and the environment for a kernel."""
    own = {"PYTHONPATH": checkout, "IPYTHONDIR": checkout.parent / "ipython", "XDG_CACHE_HOME": checkout.parent / "cache"}
    return {"cwd": str(checkout / folder), "env": os.environ | {name: str(value) for name, value in own.items()} | environment}


def texts(notebook, name="stdout"):
    """What a stream of each cell said."""
    return ["".join(each.text for each in cell.outputs if each.get("name") == name) for cell in notebook.cells]


def assert_as_recorded(notebook, checkout, runs):
    """The numbers and the figure are there, nobody warned, and the file lies in `runs`."""
    assert texts(notebook)[2] == texts(start_of_lesson_04())[2] != ""
    assert any("image/png" in output.get("data", {}) for output in notebook.cells[2].outputs)
    assert "".join(texts(notebook, "stderr")) == ""
    assert (runs / "note.txt").read_text(encoding="utf-8") == str(checkout / "gan_lessons/__init__.py")


@posix
@pytest.mark.slow
def test_odd_path_c_locale_offline_and_one_thread(checkout):
    notebook = start_of_lesson_04()
    plain = {"LANG": "C", "LC_ALL": "C", "OMP_NUM_THREADS": "1"}
    client(notebook, checkout, startup=OFFLINE).execute(**settings(checkout, **plain))
    assert_as_recorded(notebook, checkout, checkout / "notebooks/runs")
    assert "CPU with 1 thread\n" in texts(notebook)[1] or "CPU with" not in texts(notebook)[1]


@posix
@pytest.mark.slow
def test_any_working_directory(checkout):
    notebook = start_of_lesson_04()
    (checkout.parent / "elsewhere").mkdir()
    client(notebook, checkout).execute(**settings(checkout, folder="../elsewhere"))
    assert_as_recorded(notebook, checkout, checkout.parent / "elsewhere/runs")


@posix
@pytest.mark.slow
def test_read_only_checkout(checkout):
    prefix = LIKE_ANYBODY if os.geteuid() == 0 else []
    if prefix and not shutil.which(prefix[0]):
        pytest.skip("root can write anywhere, and there is no setpriv to take that right away")
    notebook, files = start_of_lesson_04(), set(checkout.rglob("*"))
    folders = [path for path in [checkout, *files] if path.is_dir()]
    for path in folders:
        path.chmod(0o555)
    try:
        client(notebook, checkout, prefix=prefix).execute(**settings(checkout))
    finally:
        for path in folders:
            path.chmod(0o755)
    assert set(checkout.rglob("*")) == files
    assert_as_recorded(notebook, checkout, checkout.parent / "cache/gan_lessons/runs")


@posix
@pytest.mark.slow
def test_unusable_gpu_costs_one_sentence(checkout):
    notebook = start_of_lesson_04()
    client(notebook, checkout, startup=UNUSABLE_GPU).execute(**settings(checkout, GAN_LESSONS_DEVICE=""))
    warned = "".join(texts(notebook, "stderr"))
    assert warned.count("Warning") == 1
    assert "The cuda GPU cannot be used (CUDA error: no kernel image is available), so the CPU does the work." in warned
    assert texts(notebook)[2] == texts(start_of_lesson_04())[2]


@posix
@pytest.mark.slow
def test_two_notebooks_at_once(checkout):
    both = start_of_lesson_04(), start_of_lesson_04()

    async def run():
        await asyncio.gather(*(client(each, checkout).async_execute(**settings(checkout)) for each in both))

    asyncio.run(run())
    for notebook in both:
        assert_as_recorded(notebook, checkout, checkout / "notebooks/runs")


@posix
@pytest.mark.slow
def test_killed_while_it_unpacks_and_run_again(checkout):
    notebook, hanging = start_of_lesson_04(), checkout.parent / "hanging"
    runner, before = client(notebook, checkout, startup=HANGS_IN_ITS_SECOND_FILE), set((checkout / RAW).iterdir())
    with runner.setup_kernel(**settings(checkout, HANGING=str(hanging))):
        for index in (0, 1):
            runner.execute_cell(notebook.cells[index], index)
        runner.kc.execute(notebook.cells[2].source)
        deadline = time.monotonic() + 200  # as for any cell here
        while not hanging.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(runner.km.provisioner.pid, signal.SIGKILL)
    left = {path.name for path in set((checkout / RAW).iterdir()) - before}
    assert "train-images-idx3-ubyte" in left and "train-labels-idx1-ubyte" not in left
    again = start_of_lesson_04()
    client(again, checkout).execute(**settings(checkout))
    assert_as_recorded(again, checkout, checkout / "notebooks/runs")


@posix
@pytest.mark.slow
def test_every_cell_of_lesson_02_twice():
    notebook = nbformat.read(ROOT / "notebooks/02_minimax_objective.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.cells = [cell for pair in code for cell in (pair, new_code_cell(pair.source))]
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": ROOT / "notebooks"}}).execute()
    for first, second in zip(notebook.cells[::2], notebook.cells[1::2]):
        assert texts(nbformat.v4.new_notebook(cells=[second])) == texts(nbformat.v4.new_notebook(cells=[first]))


# -------------------------------------------------------------------------------- writing a file


KILLED_WHILE_IT_WRITES = """
import os, signal, sys
from gan_lessons import runtime
os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL)
runtime.write_whole(sys.argv[1], b"half")
"""


@posix
def test_what_a_killed_process_left_behind_is_removed_by_the_next(tmp_path, monkeypatch):
    path = tmp_path / "a [1].file"
    for name in (path.name, "another"):
        assert subprocess.run([sys.executable, "-c", KILLED_WHILE_IT_WRITES, tmp_path / name]).returncode == -signal.SIGKILL
    dead, others = sorted(tmp_path.iterdir(), key=lambda left: "another" in left.name)
    assert dead.name.startswith(f".{path.name}.")
    living = dead.with_name(dead.name.replace(dead.name.split(".")[-2], str(os.getppid())))
    elsewhere = dead.with_name(f".{path.name}.00000000.{dead.name.split('.', 4)[-1]}")
    living.touch(), elsewhere.touch()
    runtime.write_whole(path, b"whole")
    assert set(tmp_path.iterdir()) == {path, others, living, elsewhere}, "one of another file, process or machine stays"


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device: .*file'"):
        runtime.write_whole(tmp_path / "file", b"content")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("before", [b"the old content", None])
def test_a_file_changes_only_in_its_last_step(tmp_path, monkeypatch, before):
    path, seen = tmp_path / "file", []
    if before is not None:
        path.write_bytes(before)

    def fail(temporary, target):
        found = path.read_bytes() if path.exists() else None
        seen.append((Path(temporary).parent, Path(temporary).read_bytes(), Path(target), found))
        raise OSError("the disk is gone")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        runtime.write_whole(path, b"the new content")
    assert seen == [(tmp_path, b"the new content", path, before)], "whole beside the old one, which nobody has touched yet"
    assert (path.read_bytes() if path.exists() else None) == before
    assert list(tmp_path.iterdir()) == ([path] if before is not None else []), "nothing half-written is left"
