"""Every check of lesson 01 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import math
import re
from pathlib import Path

import nbformat
import numpy
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from gan_lessons.exercises import lesson_01

LESSON = Path(__file__).resolve().parent.parent / "notebooks/01_why_noise.ipynb"


def root_in_place(u):
    return u.sqrt_()


def root_one_by_one(u):
    return torch.tensor([math.sqrt(each) for each in u])


def cross_entropy(scores, label):
    return binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))


def right_losses(discriminator, past, real, fake):
    d_loss = cross_entropy(discriminator(past, real), 1.0) + cross_entropy(discriminator(past, fake.detach()), 0.0)
    return d_loss, cross_entropy(discriminator(past, fake), 1.0)


def mean_in_softplus(discriminator, past, real, fake):
    real_scores, fake_scores = discriminator(past, real), discriminator(past, fake.detach())
    return [(softplus(-real_scores) + softplus(fake_scores)).mean() / 2, softplus(-discriminator(past, fake)).mean()]


def saturating(discriminator, past, real, fake):
    return right_losses(discriminator, past, real, fake)[0], -softplus(discriminator(past, fake)).mean()


def shuffled(discriminator, past, real, fake):
    shown = past[torch.randperm(len(past))]
    return right_losses(discriminator, shown, real, fake)[0], right_losses(discriminator, past, real, fake)[1]


def rolled(discriminator, past, real, fake):
    return right_losses(discriminator, past.roll(1, 0), real, fake)[0], right_losses(discriminator, past, real, fake)[1]


def rewarded_for_being_caught(discriminator, past, real, fake):
    return right_losses(discriminator, past, real, fake)[0], cross_entropy(discriminator(past, fake), 0.0)


def on_the_real_ones(discriminator, past, real, fake):
    return right_losses(discriminator, past, real, fake)[0], cross_entropy(discriminator(past, real), 1.0)


def labels_swapped(discriminator, past, real, fake):
    d_loss = cross_entropy(discriminator(past, real), 0.0) + cross_entropy(discriminator(past, fake.detach()), 1.0)
    return d_loss, right_losses(discriminator, past, real, fake)[1]


def not_detached(discriminator, past, real, fake):
    d_loss = cross_entropy(discriminator(past, real), 1.0) + cross_entropy(discriminator(past, fake), 0.0)
    return d_loss, cross_entropy(discriminator(past, fake), 1.0)


def detached_twice(discriminator, past, real, fake):
    return right_losses(discriminator, past, real, fake.detach())


CASES = [
    ("check_errors", [0.6, 1], "Right. The mean"),
    ("check_errors", (0.6, 1.0), "Right. The mean"),
    ("check_errors", torch.tensor([0.6, 1.0]), "Right. The mean"),
    ("check_errors", [numpy.float64(0.6), torch.tensor(1.0)], "Right. The mean"),
    ("check_errors", [..., ...], "Not attempted yet"),
    ("check_errors", [1, 0.6], "wrong order"),
    ("check_errors", [0, 1], "equal shares"),
    ("check_errors", [1, 1], "does not vote"),
    ("check_errors", [0.8, 1], "share of white"),
    ("check_errors", [-0.6, 1], "sign of the first"),
    ("check_errors", [0.5, 1], "is not the mean"),
    ("check_errors", [0.6, 0.6], "right for squared error only"),
    ("check_errors", [0.6, 0], "in the middle"),
    ("check_errors", [0.6, 0.8], "can still be bettered"),
    ("check_errors", [0.6, -1], "rarer value"),
    ("check_errors", [0.6, 0.9], "At 0.9 the absolute error"),
    ("check_errors", [0.6, math.nan], "There is nan"),
    ("check_errors", 0.6, "Two numbers in square brackets"),
    ("check_errors", [0.6], "you have 1"),
    ("check_errors", "0.6, 1", "Two numbers in square brackets"),
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
    ("check_rising", lambda u: u ** (1 / 3), "Between 0.9 and 1.0, 19.0% .* yours it is 27.1%"),
    ("check_mended", right_losses, "Right. Each frame"),
    ("check_mended", mean_in_softplus, "Right. Each frame"),
    ("check_mended", saturating, "Right. Each frame"),
    ("check_mended", lambda discriminator, past, real, fake: ..., "Not attempted yet"),
    ("check_mended", shuffled, "different losses"),
    ("check_mended", rolled, "is each frame judged with its own past"),
    ("check_mended", rewarded_for_being_caught, "rewarded for being caught"),
    ("check_mended", on_the_real_ones, "in which no fake occurs"),
    ("check_mended", labels_swapped, "wrong way round"),
    ("check_mended", not_detached, "`detach` the fakes"),
    ("check_mended", detached_twice, "no gradient gets through to the fakes"),
    ("check_mended", lambda d, past, real, fake: [each.item() for each in right_losses(d, past, real, fake)], "no gradient"),
    ("check_mended", lambda d, past, real, fake: right_losses(d, past, real, fake)[0], "Two losses are expected"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_01, check)(answer)
    assert re.search(says, verdict())


class Painter(nn.Module):
    """Paints the endings in these shares, by where z₁ falls; only the corner leaves a choice, if it listens to the past."""

    def __init__(self, endings, shares, combine=None, listens=True):
        super().__init__()
        self.endings, self.edges, self.listens = endings, torch.tensor(shares).cumsum(0)[:-1], listens
        self.combine = combine

    def forward(self, past, z):
        drawn = self.endings[torch.bucketize((z[:, 0].contiguous() + 1) / 2, self.edges)]
        turned = (past == lesson_01.TURNED).all(dim=1, keepdim=True) & self.listens
        return torch.where(turned, lesson_01.GONE_ON, drawn)


def many(past, z):
    return torch.cat([past, z.repeat(1, 200)], dim=1)


BOTH, FOUR, GHOST = lesson_01.four_endings()[:2], lesson_01.four_endings(), lesson_01.four_endings()[:2].mean(dim=0)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Painter(BOTH, [0.5, 0.5], many), "Right. left"),
        (Painter(BOTH, [0.5, 0.5], lambda past, z: past + z.repeat(1, 117)), "Right. left"),
        (Painter(BOTH, [0.36, 0.64], lambda past, z: torch.cat([past, z.sign()], dim=1)), "Right. left"),
        (..., "Not attempted yet"),
        (Painter(BOTH, [0.5, 0.5], lambda past, z: torch.cat([past, 50 * z], dim=1)), "as large as 50"),
        (Painter(BOTH, [0.5, 0.5], lambda past, z: past), "z does not go in at all"),
        (Painter(BOTH, [0.0, 1.0], many), "z is not heard: left 0%, right 100%"),
        (Painter(torch.stack([*BOTH, GHOST]), [0.4, 0.4, 0.2], many), "Too many are neither"),
        (Painter(BOTH, [0.5, 0.5], many, listens=False), "the past is not heard"),
        (Painter(BOTH, [0.5, 0.5]), "no `combine`"),
        ((Painter(BOTH, [0.5, 0.5], many), nn.Identity()), "hand in the first"),
        (many, "A trained generator is expected"),
        ([0.5, 0.5, 0.0], "A trained generator is expected"),
    ],
)
def test_a_voice_that_is_heard(answer, says, verdict):
    torch.manual_seed(0)
    lesson_01.check_heard(answer)
    assert re.search(says, verdict())


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Painter(FOUR, [0.4, 0.3, 0.2, 0.1]), "Right. 0.0"),
        (Painter(FOUR, [0.35, 0.3, 0.22, 0.13]), "Right. 0.0"),
        (Painter(FOUR, [0.6, 0.25, 0.12, 0.03]), r"0\.2\d would have to move"),
        (Painter(torch.stack([*FOUR, GHOST]), [0.4, 0.29, 0.18, 0.08, 0.05]), "Right. 0.0"),
        (..., "Not attempted yet"),
        (Painter(FOUR, [0.25, 0.25, 0.25, 0.25]), "equally often"),
        (Painter(FOUR, [0.32, 0.28, 0.22, 0.18]), "Right. 0.0"),  # nearly equal, and yet within the bar
        (Painter(FOUR, [0.44, 0.33, 0.23, 0.0]), "One ending is missing"),  # within the bar, and yet one is lost
        (Painter(FOUR, [0.5, 0.5, 0.0, 0.0]), "two endings only"),
        (Painter(FOUR, [0.4, 0.4, 0.2, 0.0]), "One ending is missing"),
        (Painter(torch.stack([*FOUR, GHOST]), [0.31, 0.23, 0.14, 0.07, 0.25]), r"0\.2\d would have to move"),
        (Painter(torch.stack([*FOUR, GHOST]), [0.0, 0.0, 0.0, 0.0, 1.0]), "none of the four"),
        ((Painter(FOUR, [0.4, 0.3, 0.2, 0.1]), nn.Identity()), "hand in the first"),
        (torch.tensor([0.4, 0.3, 0.2, 0.1]), "A trained generator is expected"),
    ],
)
def test_four_endings_in_their_shares(answer, says, verdict):
    torch.manual_seed(0)
    lesson_01.check_endings(answer)
    assert re.search(says, verdict())


CHECKS = ["check_errors", "check_rising", "check_heard", "check_endings", "check_mended"]


@pytest.mark.parametrize("check", CHECKS)
def test_the_untouched_exercise_asks(check, verdict):
    getattr(lesson_01, check)(...)
    assert re.fullmatch(r"Not attempted yet\. [A-Z].*\?", verdict())


def test_the_checks_know_the_lessons_frames():
    cells = nbformat.read(LESSON, as_version=4).cells
    scope = {"torch": torch}
    walls = next(cell.source for cell in cells if cell.source.startswith("# @title Builds both walks"))
    exec(walls[: walls.index("walks = ")], scope)
    left = scope["walk"](-1)
    assert torch.equal(lesson_01.CORNER, left[1:3].flatten())
    assert torch.equal(lesson_01.TURNED, left[2:4].flatten()) and torch.equal(lesson_01.GONE_ON, left[4].flatten())
    assert torch.equal(lesson_01.four_endings()[:2], torch.stack([left[3], scope["walk"](1)[3]]).flatten(1))
