import os
import random
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy
import pytest
import torch
from drawn_faces import DrawnFaces

from gan_lessons import models, runtime, training, widgets


@pytest.fixture(autouse=True)
def fresh_device():
    runtime.device.cache_clear()
    yield
    runtime.device.cache_clear()


@pytest.fixture
def free_choice(monkeypatch):
    """No GPU and no device chosen, whatever the machine has; a test makes believe what it needs."""
    monkeypatch.delenv("GAN_LESSONS_DEVICE")
    for module in (torch.cuda, torch.backends.mps):
        monkeypatch.setattr(module, "is_available", lambda: False)


def test_device_is_found_and_works():
    assert torch.ones(2, device=runtime.device()).sum().item() == 2
    assert torch.__version__ in runtime.report() and runtime.device_name() in runtime.report()


@pytest.mark.parametrize(("kind", "module"), [("cuda", torch.cuda), ("mps", torch.backends.mps)])
def test_unusable_gpu_falls_back_with_one_sentence(free_choice, monkeypatch, kind, module):
    def fail(*sizes, **keywords):
        raise RuntimeError(f"{kind} error: no kernel image is available\nlong explanation")

    monkeypatch.setattr(module, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", fail)
    with pytest.warns(
        UserWarning, match=rf"^The {kind} GPU cannot be used \({kind} error: no kernel image is available\)"
    ) as said:
        assert runtime.device() == torch.device("cpu")
    assert len(said) == 1


def test_a_gpu_that_works_is_used(free_choice, monkeypatch):
    class Answer:
        mm = sum = item = lambda self, *others: self

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", lambda *sizes, device: Answer())
    assert runtime.device() == torch.device("cuda")


@pytest.mark.parametrize(("chosen", "found"), [("cpu", "cpu"), ("mps", "mps"), ("cuda", "cuda"), (" MPS ", "mps"), ("", "cuda")])
def test_a_device_can_be_chosen(free_choice, monkeypatch, chosen, found):
    class Answer:
        mm = sum = item = lambda self, *others: self

    for module in (torch.cuda, torch.backends.mps):
        monkeypatch.setattr(module, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", lambda *sizes, device: Answer())
    monkeypatch.setenv("GAN_LESSONS_DEVICE", chosen)
    assert runtime.device() == torch.device(found)


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_a_chosen_device_that_is_not_there_gives_one_sentence_and_the_cpu(free_choice, monkeypatch, kind):
    monkeypatch.setenv("GAN_LESSONS_DEVICE", kind)
    words = rf"^The {kind} GPU cannot be used \(torch finds none on this machine\), so the CPU does the work.$"
    with pytest.warns(UserWarning, match=words) as said:
        assert runtime.device() == torch.device("cpu")
    assert len(said) == 1


@pytest.mark.parametrize("word", ["gpu", "cuda:0", "2"])
def test_a_wrong_word_for_the_device_is_refused(monkeypatch, word):
    monkeypatch.setenv("GAN_LESSONS_DEVICE", word)
    with pytest.raises(ValueError, match=f"GAN_LESSONS_DEVICE is '{word}'; it chooses cpu, cuda or mps"):
        runtime.device()


def test_seeding_covers_all_three_sources():
    def numbers():
        runtime.seed_everything(7)
        return random.random(), numpy.random.rand(), torch.rand(1).item()

    assert numbers() == numbers()


def test_random_stream_is_private_and_continues():
    torch.manual_seed(4)
    expected = torch.randn(6)
    stream = runtime.RandomStream(4)
    with stream:
        first = torch.randn(3)
    torch.randn(50)
    saved = stream.state()
    with stream:
        second = torch.randn(3)
    assert torch.equal(torch.cat([first, second]), expected)
    again = runtime.RandomStream(0)
    again.load_state(saved)
    with again:
        assert torch.equal(torch.randn(3), second)


def test_random_stream_repeats_what_failed():
    stream = runtime.RandomStream(1)
    with pytest.raises(ZeroDivisionError), stream:
        first = torch.randn(1)
        raise ZeroDivisionError
    with stream:
        assert torch.equal(torch.randn(1), first)


def test_random_stream_cannot_be_entered_twice():
    torch.manual_seed(4)
    expected = torch.randn(4)
    torch.manual_seed(9)
    stream, outside = runtime.RandomStream(4), torch.get_rng_state()
    with stream:
        first = torch.randn(2)
        with pytest.raises(RuntimeError, match="in use already: entered a second time"), stream:
            pass
        second = torch.randn(2)
    assert torch.equal(torch.cat([first, second]), expected)
    assert torch.equal(torch.get_rng_state(), outside)
    with stream:  # and it can be entered again once it was left
        assert not torch.equal(torch.randn(2), first)


def small_game():
    torch.manual_seed(0)
    networks = models.mlp_generator(3, (1, 2, 2), (8,)), models.mlp_discriminator((1, 2, 2), (8,))
    return training.Game(*networks, latent_size=3, batch_size=4)


def test_panels_that_are_moved_in_another_thread_take_no_numbers_from_a_game():
    panel, teach = widgets.latent_sliders(DrawnFaces(size=8)), widgets.teach_direction(DrawnFaces(size=8), faces=8)
    plain, beside = small_game(), small_game()

    def draw(n):
        """Real images, for which the game waits while panels draw faces in a thread of their own, as JupyterLab lets them."""
        for act in (panel.random_face, panel.keep, teach.more_faces):
            thread = threading.Thread(target=act)
            thread.start()
            thread.join()
        return torch.rand(n, 1, 2, 2) * 2 - 1

    list(plain.play(lambda n: torch.rand(n, 1, 2, 2) * 2 - 1, 5))
    list(beside.play(draw, 5))
    assert plain.history == beside.history


# ------------------------------------------------------------------------------------------------- files


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_is_readable_for_whom_the_umask_says(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        runtime.write_whole(tmp_path / "new/file", b"content")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new/file").stat().st_mode) == mode


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    def fail(*arguments):
        raise OSError("the disk is full")

    runtime.write_whole(tmp_path / "file", b"old")
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="the disk is full"):
        runtime.write_whole(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("on_windows", "says"), [(True, "a program has it open: close it there, and try again"), (False, "denied")]
)
def test_a_file_that_windows_holds_is_named_with_the_way_out(tmp_path, monkeypatch, on_windows, says):
    error = PermissionError(13, "Access is denied")
    if on_windows:
        error.winerror = 5

    def refuse(*arguments):
        raise error

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError, match=says) as raised:
        runtime.write_whole(tmp_path / "file", b"new")
    assert raised.value.filename == (str(tmp_path / "file") if on_windows else None)
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert runtime.cache_folder() == tmp_path / "gan_lessons"


def without_a_home(monkeypatch, tmp_path):
    """As a hub with arbitrary users starts a server: no HOME, and a number that has no name. Gives the temporary folder."""
    for name in ("XDG_CACHE_HOME", "HOME", "USERPROFILE", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    # What platformdirs makes of it there: expanduser leaves the ~ alone.
    monkeypatch.setattr(runtime.platformdirs, "user_cache_path", lambda name, appauthor: Path("~/.cache") / name)
    monkeypatch.setattr(runtime.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_home_the_cache_is_in_the_temporary_folder(tmp_path, monkeypatch):
    temporary = without_a_home(monkeypatch, tmp_path)
    assert runtime.cache_folder().parent == temporary
    assert not (temporary / "~").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become a user without a name")
@pytest.mark.slow
def test_a_user_without_a_name_and_a_home_has_a_cache_folder():
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        Path(name).chmod(0o777)
        code = "import os; from gan_lessons import runtime; os.setgroups([]); os.setgid(12345); os.setuid(12345); print(runtime.cache_folder())"
        root = str(Path(runtime.__file__).parent.parent)
        environment = {"PATH": os.environ["PATH"], "TMPDIR": name, "PYTHONPATH": root}
        child = subprocess.run([sys.executable, "-c", code], cwd=name, env=environment, capture_output=True, text=True)
        assert child.returncode == 0, child.stderr
        assert child.stdout.strip() == str(Path(name) / "gan_lessons-12345")


def test_another_users_folder_in_the_temporary_folder_does_not_matter(tmp_path, monkeypatch):
    temporary = without_a_home(monkeypatch, tmp_path)
    (temporary / "gan_lessons").write_text("what another user has put there")
    assert runtime.writable(runtime.cache_folder())


def test_sliders_do_not_wait_for_torchvision():
    code = "import sys, gan_lessons.widgets, gan_lessons.board; print('torchvision' in sys.modules)"
    root = Path(__file__).resolve().parent.parent
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, env=os.environ)
    assert run.stdout == "False\n", run.stderr
