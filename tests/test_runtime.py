import random

import numpy
import pytest
import torch

from gan_lessons import runtime


@pytest.fixture(autouse=True)
def fresh_device():
    runtime.device.cache_clear()
    yield
    runtime.device.cache_clear()


def test_device_is_found_and_works():
    assert torch.ones(2, device=runtime.device()).sum().item() == 2
    assert torch.__version__ in runtime.report() and runtime.device_name() in runtime.report()


@pytest.mark.parametrize(("kind", "module"), [("cuda", torch.cuda), ("mps", torch.backends.mps)])
def test_unusable_gpu_falls_back_with_one_sentence(monkeypatch, kind, module):
    def fail(*sizes, **keywords):
        raise RuntimeError(f"{kind} error: no kernel image is available\nlong explanation")

    monkeypatch.setattr(module, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", fail)
    with pytest.warns(
        UserWarning, match=rf"^The {kind} GPU cannot be used \({kind} error: no kernel image is available\)"
    ) as said:
        assert runtime.device() == torch.device("cpu")
    assert len(said) == 1


def test_a_gpu_that_works_is_used(monkeypatch):
    class Answer:
        mm = sum = item = lambda self, *others: self

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", lambda *sizes, device: Answer())
    assert runtime.device() == torch.device("cuda")


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
