"""Torch's threads sleep while others work, and only then; their number and every result stay."""

import subprocess
import sys
import threading
import types

import psutil
import pytest
import torch

from gan_lessons import neighbours, training
from gan_lessons.models import mlp_discriminator, mlp_generator


class Team:
    """Stands for an extra team, and remembers whether it has left."""

    def __init__(self, gnu=None, size=0):
        self.size, self.left = size, False

    def leave(self):
        self.left = True


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many cores, of which torch uses so many."""

    def make(cores, threads):
        monkeypatch.setattr(psutil, "cpu_count", lambda: cores)
        monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
        monkeypatch.setattr(neighbours, "ExtraTeam", Team)

    return make


@pytest.mark.parametrize(
    ("cores", "threads", "others", "sleep"),
    [(2, 2, 0.0, False), (2, 2, 0.2, False), (2, 2, 0.5, True), (2, 1, 1.0, False), (8, 4, 3.9, False), (8, 8, 1.0, True)],
)
def test_threads_sleep_where_others_need_the_cores_that_torch_uses(machine, cores, threads, others, sleep):
    machine(cores, threads)
    team = neighbours.decide(None, others, None)
    assert (team is not None) == sleep
    if team:
        assert threads + team.size - 1 > cores  # more threads than cores, as libgomp counts them


def test_they_wake_up_again_when_the_neighbour_is_gone_but_not_at_every_breath(machine):
    machine(2, 2)
    team = Team()
    assert neighbours.decide(team, 0.9, None) is team
    assert neighbours.decide(team, 0.2, None) is team and not team.left
    assert neighbours.decide(team, 0.05, None) is None and team.left


def test_the_work_of_others_is_all_work_but_our_own(monkeypatch):
    percent, wall, own = iter([0.0, 100.0, 75.0]), iter([10.0, 10.5, 11.5]), iter([3.0, 3.6, 4.1])
    clock = types.SimpleNamespace(sleep=lambda seconds: None, monotonic=lambda: next(wall), process_time=lambda: next(own))
    monkeypatch.setattr(neighbours, "time", clock)
    monkeypatch.setattr(psutil, "cpu_percent", lambda: next(percent))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 2)
    work = neighbours._work_of_others()
    assert next(work) == pytest.approx(2 - 0.6 / 0.5)
    assert next(work) == pytest.approx(1.5 - 0.5 / 1.0)


@pytest.mark.parametrize("name", neighbours.OWN_CHOICE)
def test_who_has_chosen_a_way_of_waiting_keeps_it(monkeypatch, name):
    for each in neighbours.OWN_CHOICE:
        monkeypatch.delenv(each, raising=False)
    begun = []
    monkeypatch.setattr(neighbours, "gnu_openmp", lambda: "library")
    monkeypatch.setattr(neighbours, "_keep_looking", begun.append)
    neighbours.attend()
    for thread in threading.enumerate():
        if thread.name == "neighbours" and begun == []:
            thread.join(1)
    assert begun == ["library"]
    monkeypatch.setenv(name, "1")
    neighbours.attend()
    assert begun == ["library"]


def test_torchs_own_openmp_is_found_among_others_in_a_folder_with_a_space(monkeypatch):
    libraries = [f"/some where/{name}" for name in ("scikit_learn.libs/libgomp-1.so", "torch/lib/libgomp.so.1", "x/libgomp.so.1")]
    maps = "".join(f"7f00-7f01 r-xp 00000000 08:01 42                         {path}\n" for path in ["/bin/python", *libraries])
    monkeypatch.setattr(neighbours.Path, "read_text", lambda path, **_: maps)
    monkeypatch.setattr(torch, "__file__", "/some where/torch/__init__.py")
    tried = []

    def load(path, mode):
        tried.append(path)
        if len(tried) < 2:
            raise OSError("no such file")
        return path

    monkeypatch.setattr(neighbours.ctypes, "CDLL", load)
    assert neighbours.gnu_openmp() == tried[1]
    assert tried[0] == libraries[1] and tried[1] in libraries


def test_where_the_system_does_not_tell_nothing_is_disturbed(monkeypatch):
    def refuse():
        raise PermissionError("closed")

    monkeypatch.setattr(psutil, "cpu_percent", refuse)
    neighbours._keep_looking(None)


def test_another_openmp_is_told_at_once(monkeypatch):
    for each in neighbours.OWN_CHOICE:
        monkeypatch.delenv(each, raising=False)
    milliseconds = []
    monkeypatch.setattr(neighbours, "gnu_openmp", lambda: None)
    monkeypatch.setattr(neighbours, "llvm_openmp", lambda: types.SimpleNamespace(kmp_set_blocktime=milliseconds.append))
    neighbours.attend()
    monkeypatch.setattr(neighbours, "llvm_openmp", lambda: None)
    neighbours.attend()
    assert milliseconds == [1]


@pytest.mark.parametrize("first", ["torch", "gan_lessons.runtime", "gan_lessons.plots"])
@pytest.mark.slow
def test_whatever_is_imported_first_somebody_looks_after_the_threads(first):
    if neighbours.gnu_openmp() is None:
        pytest.skip("this torch has another OpenMP than GNU's")
    code = f"import {first}, threading; from gan_lessons import training; print([each.name for each in threading.enumerate()])"
    names = [f"del os.environ[{name!r}]\n" for name in neighbours.OWN_CHOICE]
    clean = "import os\n" + "".join(f"if {name!r} in os.environ: {line}" for name, line in zip(neighbours.OWN_CHOICE, names))
    out = subprocess.run([sys.executable, "-c", clean + code], capture_output=True, text=True, check=True).stdout
    assert out.count("'neighbours'") == 1


def test_an_extra_team_is_there_until_it_leaves_and_changes_no_number():
    gnu = neighbours.gnu_openmp()
    if gnu is None:
        pytest.skip("this torch has another OpenMP than GNU's")

    def played():
        torch.manual_seed(0)
        game = training.Game(mlp_generator(3, (1, 32, 32), (256,)), mlp_discriminator((1, 32, 32), (256,)), latent_size=3)
        for _ in game.play(lambda n: torch.randn(n, 1, 32, 32).tanh(), 5):
            pass
        return [parameter.detach().clone() for parameter in game.generator.parameters()]

    alone = played()
    before = {thread.id for thread in psutil.Process().threads()}
    team = neighbours.ExtraTeam(gnu, 5)
    beside = played()
    new = {thread.id for thread in psutil.Process().threads()} - before
    team.leave()
    # Four of OpenMP's and the one of Python that called them; on a busy machine the package may have begun a team as well.
    assert len(new) >= 5
    assert not team.is_alive()
    assert all(torch.equal(mine, its) for mine, its in zip(alone, beside, strict=True))
