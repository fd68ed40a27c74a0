"""Every check of lesson 01 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import re

import pytest
import torch

from gan_lessons.exercises import lesson_01
from gan_lessons.exercises.lesson_01 import _bell as bell


def toss(n):
    return 2.0 * torch.randint(0, 2, (n, 1)) - 1


CASES = [
    ("check_grey", 0.6, "Right. The mean"),
    ("check_grey", ..., "Not attempted yet"),
    ("check_grey", 0, "equal shares"),
    ("check_grey", 1, "does not vote"),
    ("check_grey", 0.8, "share of white"),
    ("check_grey", -0.6, "sign is flipped"),
    ("check_grey", 0.5, "is not the mean"),
    ("check_coin", toss, "Right. A fair coin"),
    ("check_coin", lambda n: ..., "Not attempted yet"),
    ("check_coin", lambda n: toss(n).flatten(), r"shape \(4000,\)"),
    ("check_coin", lambda n: torch.randint(0, 2, (n, 1)).float(), "A coin of 0 and 1"),
    ("check_coin", lambda n: 2 * torch.rand(n, 1) - 1, "two sides"),
    ("check_coin", lambda n: torch.ones(n, 1), "drawn anew"),
    ("check_coin", lambda n: (torch.rand(n, 1) < 0.8) * 2.0 - 1, "a fair coin shows it in half"),
    ("check_coin", lambda n: 2 * torch.randint(0, 2, (n, 1)) - 1, "torch.int64"),
    ("check_rising", torch.sqrt, "Right. y = √u"),
    ("check_rising", lambda u: (1 - u).sqrt(), "Right. y = √u"),
    ("check_rising", lambda u: ..., "Not attempted yet"),
    ("check_rising", lambda u: u**2, "the inverse of what we want"),
    ("check_rising", lambda u: 2 * u, "not the map to y"),
    ("check_rising", lambda u: u, "uniform"),
    ("check_rising", lambda u: u ** (1 / 3), "should hold 19 %"),
    ("check_density", lambda y: bell(y.log() / 2) / (2 * y), "Right. At y = 1"),
    ("check_density", lambda y: ..., "Not attempted yet"),
    ("check_density", lambda y: -bell(y.log() / 2) / (2 * y), "never negative"),
    ("check_density", lambda y: bell(y.log() / 2) * 2 * y, r"multiplied by \|dy/dz\|"),
    ("check_density", lambda y: bell(y.log() / 2), "is missing"),
    ("check_density", lambda y: bell(y.log() / 2) / y, "Twice too high"),
    ("check_density", lambda y: bell(y) / (2 * y), "not y itself"),
    ("check_density", lambda y: bell(y.log()) / y, "the lesson's example"),
    ("check_density", lambda y: torch.exp(-y), "half the bell's height"),
    ("check_whisper", [0.0, 1.0, 0.0], "Right. One direction"),
    ("check_whisper", [0.99, 0.0, 0.01], "Right. One direction"),
    ("check_whisper", ..., "Not attempted yet"),
    ("check_whisper", [0.49, 0.49, 0.02], "a loud z"),
    ("check_whisper", [0, 1000, 0], "counts, not shares"),
    ("check_whisper", [0.0, 0.1, 0.9], "hardly been trained"),
    ("check_whisper", [0.0, 0.6, 0.4], "Not settled"),
    ("check_whisper", 1.0, "three numbers that shares"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_01, check)(answer)
    assert re.search(says, verdict())
