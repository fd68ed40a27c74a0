"""Every check of lesson 01 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import math
import re

import numpy
import pytest
import torch

from gan_lessons.exercises import lesson_01
from gan_lessons.exercises.lesson_01 import _bell as bell


def toss(n):
    return 2.0 * torch.randint(0, 2, (n, 1)) - 1


def fixed_toss(n):
    random = torch.Generator().manual_seed(0)
    return 2.0 * torch.randint(0, 2, (n, 1), generator=random) - 1


def half_and_half(n):
    return torch.tensor([-1.0, 1.0]).repeat_interleave((n + 1) // 2)[:n, None]


def root_in_place(u):
    return u.sqrt_()


def root_one_by_one(u):
    return torch.tensor([math.sqrt(each) for each in u])


def density_in_numpy(y):
    z = numpy.log(y.numpy()) / 2
    return numpy.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) / (2 * y.numpy())


CASES = [
    ("check_grey", 0.6, "Right. The mean"),
    ("check_grey", numpy.float64(0.6), "Right. The mean"),
    ("check_grey", torch.tensor([0.6]), "Right. The mean"),
    ("check_grey", float("nan"), "There is nan"),
    ("check_grey", (0.6,), "tuple of one"),
    ("check_grey", "0.6", "not the str"),
    ("check_grey", ..., "Not attempted yet"),
    ("check_grey", 0, "equal shares"),
    ("check_grey", 1, "does not vote"),
    ("check_grey", 0.8, "share of white"),
    ("check_grey", -0.6, "sign is flipped"),
    ("check_grey", 0.5, "is not the mean"),
    ("check_coin", toss, "Right. A fair coin"),
    ("check_coin", lambda n: toss(n).long(), "Right. A fair coin"),
    ("check_coin", lambda n: torch.randn(n, 1).sign(), "Right. A fair coin"),
    ("check_coin", lambda n: torch.where(torch.rand(n, 1) < 0.5, -1.0, 1.0), "Right. A fair coin"),
    ("check_coin", lambda n: torch.from_numpy(numpy.random.choice([-1.0, 1.0], (n, 1))).float(), "Right. A fair coin"),
    ("check_coin", lambda n: torch.from_numpy(numpy.random.choice([-1.0, 1.0], (n, 1))), "add .float()"),
    ("check_coin", lambda n: toss(n).numpy(), "not a numpy array"),
    ("check_coin", lambda n: toss(4000), "Asked for 7"),
    ("check_coin", fixed_toss, "very same 4000"),
    ("check_coin", half_and_half, "no memory"),
    ("check_coin", lambda n: (2.0 * (torch.arange(n) % 2) - 1)[:, None], "no memory"),
    ("check_coin", lambda n: None, "is there a `return`"),
    ("check_coin", lambda n: ..., "Not attempted yet"),
    ("check_coin", lambda n: toss(n).flatten(), r"shape \(4000,\)"),
    ("check_coin", lambda n: torch.randint(0, 2, (n, 1)).float(), "A coin of 0 and 1"),
    ("check_coin", lambda n: 2 * torch.rand(n, 1) - 1, "two sides"),
    ("check_coin", lambda n: torch.ones(n, 1), "both sides must be able to come up"),
    ("check_coin", lambda n: (torch.rand(n, 1) < 0.8) * 2.0 - 1, "a fair coin shows it in half"),
    ("check_coin", lambda n: 2 * torch.randint(0, 2, (n, 1)) - 1, "Right. A fair coin"),
    ("check_rising", torch.sqrt, "Right. y = √u"),
    ("check_rising", lambda u: (1 - u).sqrt(), "Right. y = √u"),
    ("check_rising", lambda u: u.float().sqrt(), "Right. y = √u"),
    ("check_rising", lambda u: u.numpy() ** 0.5, "Right. y = √u"),
    ("check_rising", root_in_place, "Right. y = √u"),
    ("check_rising", root_one_by_one, "Right. y = √u"),
    ("check_rising", lambda u: (-u).sqrt(), "There is nan"),
    ("check_rising", lambda u: [math.sqrt(each) for each in u], r"shape \(1000,\) is expected, not a list"),
    ("check_rising", lambda u: ..., "Not attempted yet"),
    ("check_rising", lambda u: u**2, "the inverse of what we want"),
    ("check_rising", lambda u: 2 * u, "not the map to y"),
    ("check_rising", lambda u: u, "uniform"),
    ("check_rising", lambda u: (2 * u).sqrt(), "you have taken y²/2"),
    ("check_rising", lambda u: u.log(), "^Not yet. Your y go from -7.60 to -0.00, but y lies between 0 and 1, as u does.$"),
    ("check_rising", lambda u: -u.sqrt(), "Right but for the sign"),
    ("check_rising", lambda u: torch.rand(len(u)).sqrt(), "For the same u your function gives another y each time"),
    ("check_coin", lambda n: torch.rand(n, 1).sign(), "Every toss came out 1. .* both sides must be able to come up"),
    ("check_density", lambda y: (bell(y.log() / 2) / (2 * y)).log(), "the logarithm of the density"),
    ("check_rising", lambda u: u ** (1 / 3), "Between 0.9 and 1.0, 19.0% .* yours it is 27.1%"),
    ("check_density", lambda y: bell(y.log() / 2) / (2 * y), "Right. At y = 1"),
    ("check_density", lambda y: (bell(y.log() / 2) / (2 * y)).float(), "Right. At y = 1"),
    ("check_density", density_in_numpy, "Right. At y = 1"),
    ("check_density", lambda y: bell(y.log() / 2) / 2, "right at y = 1 only"),
    ("check_density", lambda y: bell(y.log() / 2) / (2 * y**2), "once too often"),
    ("check_density", lambda y: bell(y.log10() / 2) / (2 * y), "base 10"),
    ("check_density", lambda y: ..., "Not attempted yet"),
    ("check_density", lambda y: -bell(y.log() / 2) / (2 * y), "never negative"),
    ("check_density", lambda y: bell(y.log() / 2) * 2 * y, r"multiplied by \|dy/dz\|"),
    ("check_density", lambda y: bell(y.log() / 2), "is missing"),
    ("check_density", lambda y: bell(y.log() / 2) / y, "Twice too high"),
    ("check_density", lambda y: bell(y) / (2 * y), "not y itself"),
    ("check_density", lambda y: bell(y.log()) / y, "the lesson's example"),
    ("check_density", lambda y: torch.exp(-y), "At y = 1 it should be 0.1995; yours is 0.3679"),
    ("check_whisper", [0.0, 1.0, 0.0], "Right. One direction"),
    ("check_whisper", [0.99, 0.0, 0.01], "Right. One direction"),
    ("check_whisper", torch.tensor([0.0, 1.0, 0.0]), "Right. One direction"),
    ("check_whisper", (0.0, 1.0, 0.0), "Right. One direction"),
    ("check_whisper", [math.nan, 1.0, 0.0], "There is nan"),
    ("check_whisper", lambda: [0.0, 1.0, 0.0], "not a function"),
    ("check_whisper", [0.0, 1.0], "you have 2"),
    ("check_whisper", ..., "Not attempted yet"),
    ("check_whisper", [0.49, 0.49, 0.02], "a loud z"),
    ("check_whisper", [0, 1000, 0], "counts, not shares"),
    ("check_whisper", [0.2, 99.8, 0.0], "add up to 100, as percentages do"),
    ("check_whisper", [0, 100, 0], "add up to 100, as percentages do"),
    ("check_whisper", [1.0, 0.5, 0.5], "Shares lie between 0 and 1 and add up to 1; yours add up to 2"),
    ("check_whisper", {"left": 1.0, "right": 0.0, "neither": 0.0}, "not a dict of 3"),
    ("check_whisper", [..., 1.0, 0.0], "One number is expected, not `...`"),
    ("check_whisper", [0.0, 0.1, 0.9], "hardly been trained"),
    ("check_whisper", [0.0, 0.6, 0.4], "Not settled"),
    ("check_whisper", 1.0, "three numbers that shares"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_01, check)(answer)
    assert re.search(says, verdict())


@pytest.mark.parametrize("check", ["check_grey", "check_coin", "check_rising", "check_density", "check_whisper"])
def test_the_untouched_exercise_asks(check, verdict):
    getattr(lesson_01, check)(...)
    assert re.fullmatch(r"Not attempted yet\. [A-Z].*\?", verdict())
