"""Every check of lesson 00 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import functools
import re

import numpy
import pytest
import torch
from torch.nn.functional import softplus

from gan_lessons.exercises import lesson_00


def unit(vector):
    return vector / vector.norm()


def cleaned(direction, other):
    return unit(direction - direction @ unit(other) * unit(other))


def cleaned_without_units(direction, other):
    rest = direction - (direction @ other) / (other @ other) * other
    return rest / rest.square().sum().sqrt()


def cleaned_in_numpy(direction, other):
    direction, other = direction.numpy().astype(float), other.numpy().astype(float)
    rest = direction - direction @ other / (other @ other) * other
    return rest / numpy.linalg.norm(rest)


def cleaned_by_least_squares(direction, other):
    part = torch.linalg.lstsq(other[:, None], direction[:, None]).solution
    return torch.nn.functional.normalize(direction - (other[:, None] @ part)[:, 0], dim=0)


def descend(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def turn(forger, critic, forger_optimizer, critic_optimizer, real, z):
    fake = forger(z)
    descend(critic_optimizer, softplus(-critic(real)).mean() + softplus(critic(fake.detach())).mean())
    descend(forger_optimizer, softplus(-critic(fake)).mean())


def turn_with_the_other_sign(forger, critic, forger_optimizer, critic_optimizer, real, z):
    """The critic's score is high for fakes, and the forger wants it low: the same game."""
    fake = forger(z)
    descend(critic_optimizer, softplus(critic(real)).mean() + softplus(-critic(fake.detach())).mean())
    descend(forger_optimizer, softplus(critic(fake)).mean())


def turn_in_torchs_words(forger, critic, forger_optimizer, critic_optimizer, real, z):
    loss, ones, zeros = torch.nn.functional.binary_cross_entropy_with_logits, torch.ones(128, 1), torch.zeros(128, 1)
    with torch.no_grad():
        fake = forger(z)
    descend(critic_optimizer, loss(critic(real), ones) + loss(critic(fake), zeros))
    descend(forger_optimizer, loss(critic(forger(z)), ones))
    return loss


def turn_as_it_was(forger, critic, forger_optimizer, critic_optimizer, real, z):
    fake = forger(z)
    descend(critic_optimizer, softplus(critic(real)).mean() + softplus(-critic(fake.detach())).mean())
    descend(critic_optimizer, softplus(-critic(fake)).mean())


def turn_with_the_signs_mended(forger, critic, forger_optimizer, critic_optimizer, real, z):
    fake = forger(z)
    descend(critic_optimizer, softplus(-critic(real)).mean() + softplus(critic(fake.detach())).mean())
    descend(critic_optimizer, softplus(-critic(fake)).mean())


def turn_with_the_optimizer_mended(forger, critic, forger_optimizer, critic_optimizer, real, z):
    fake = forger(z)
    descend(critic_optimizer, softplus(critic(real)).mean() + softplus(-critic(fake.detach())).mean())
    descend(forger_optimizer, softplus(-critic(fake)).mean())


def turn_without_detach(forger, critic, forger_optimizer, critic_optimizer, real, z):
    fake = forger(z)
    descend(critic_optimizer, softplus(-critic(real)).mean() + softplus(critic(fake)).mean())
    descend(forger_optimizer, softplus(-critic(fake)).mean())


def turn_of_the_forger_alone(forger, critic, forger_optimizer, critic_optimizer, real, z):
    descend(forger_optimizer, softplus(-critic(forger(z))).mean())


def turn_with_a_detached_forger(forger, critic, forger_optimizer, critic_optimizer, real, z):
    fake = forger(z).detach()
    descend(critic_optimizer, softplus(-critic(real)).mean() + softplus(critic(fake)).mean())
    descend(forger_optimizer, softplus(-critic(fake)).mean())


def spiral_trained(turns):
    """The lesson's ten lines on the spiral, trained when the first points are asked for."""

    @functools.cache
    def forger():
        forger, *rest = lesson_00._players()
        for _ in range(turns):
            turn(forger, *rest, lesson_00.spiral(128), torch.randn(128, 2))
        return forger

    return lambda n: forger()(torch.randn(n, 2))


def half_a_spiral(n):
    points = lesson_00.spiral(20 * n)
    return points[points.norm(dim=1) > 0.9][:n]


CASES = [
    ("check_numbers", 64 * 64 * 3, "Right. 12 288"),
    ("check_numbers", torch.tensor(12288), "Right. 12 288"),
    ("check_numbers", numpy.int64(12288), "Right. 12 288"),
    ("check_numbers", 12288.0, "Right. 12 288"),
    ("check_numbers", numpy.array([12288]), "Right. 12 288"),
    ("check_numbers", 64 * 64, "counts the pixels"),
    ("check_numbers", 131, "You added"),
    ("check_numbers", 100, "100 is what the generator is given"),
    ("check_numbers", 64 * 63 * 3, "is not rows"),
    ("check_numbers", "12288", "One number is expected, not the str '12288'"),
    ("check_numbers", (12288,), "tuple of one"),
    ("check_numbers", float("nan"), "There is nan"),
    ("check_numbers", True, "not the bool"),
    ("check_numbers", lambda: 12288, "not a function"),
    ("check_numbers", ..., "Not attempted yet"),
    ("check_cleaned", cleaned, "Right. A step along"),
    ("check_cleaned", cleaned_without_units, "Right. A step along"),
    ("check_cleaned", cleaned_in_numpy, "Right. A step along"),
    ("check_cleaned", cleaned_by_least_squares, "Right. A step along"),
    ("check_cleaned", lambda d, other: cleaned(d.double(), other.double()).tolist() and cleaned(d, other), "Right. A step"),
    ("check_cleaned", lambda d, other: d - d @ unit(other) * unit(other), "Its length is not 1"),
    ("check_cleaned", lambda d, other: unit(d), "Nothing has been taken away"),
    ("check_cleaned", lambda d, other: unit(d - unit(other)), "takes the whole other direction away"),
    ("check_cleaned", lambda d, other: unit(d - other), "gone, and more"),
    ("check_cleaned", lambda d, other: unit(unit(d) - unit(other)), "two unit vectors"),
    ("check_cleaned", lambda d, other: unit(d @ unit(other) * unit(other)), "shared part, which was to go"),
    ("check_cleaned", lambda d, other: unit(d + d @ unit(other) * unit(other)), "twice as much"),
    ("check_cleaned", lambda d, other: unit(d - d @ other * other), "length 5 here"),
    ("check_cleaned", lambda d, other: unit(d - d @ unit(other) * other), "counts twice"),
    ("check_cleaned", lambda d, other: unit(d - 2.4 * unit(other)), "yours one gets"),
    ("check_cleaned", lambda d, other: -cleaned(d, other), "is left, not"),
    ("check_cleaned", lambda d, other: d @ other, r"shape \(4,\) is expected"),
    ("check_cleaned", lambda d, other: None, "is there a `return`"),
    ("check_cleaned", lambda d, other: ..., "Not attempted yet"),
    ("check_missing", [2, 4, 1, 3], "Right. Each line"),
    ("check_missing", (2, 4, 1, 3), "Right. Each line"),
    ("check_missing", torch.tensor([2, 4, 1, 3]), "Right. Each line"),
    ("check_missing", numpy.array([2.0, 4.0, 1.0, 3.0]), "Right. Each line"),
    ("check_missing", {"a": 2, "b": 4, "c": 1, "d": 3}, "Right. Each line"),
    ("check_missing", {"a": 2, "b": 4, "c": 1}, "Still without a number: d"),
    ("check_missing", [2, ..., 1, 3], "Still without a number: b"),
    ("check_missing", [1, 4, 2, 3], "2 of 4 are right. Look at a again. Without line 1 no real point"),
    ("check_missing", [2, 1, 4, 3], "Look at b again. Without line 1"),
    ("check_missing", [2, 3, 1, 4], "Look at b again. Without line 3"),
    ("check_missing", [2, 4, 3, 1], "Look at c again. Without line 3"),
    ("check_missing", [4, 2, 1, 3], "Look at a again. Without line 4"),
    ("check_missing", [2, 2, 1, 3], "Look at b again. Without line 2"),
    ("check_missing", [2, 4, 1, 5], "5 is no line"),
    ("check_missing", [2, 4, 1], "list of four numbers"),
    ("check_missing", {"e": 2}, "'e' is no game"),
    ("check_missing", "2413", "list of four numbers"),
    ("check_missing", ["2", "4", "1", "3"], "One number is expected, not the str"),
    ("check_missing", 4, "list of four numbers"),
    ("check_missing", [..., ..., ..., ...], "Not attempted yet"),
    ("check_turn", turn, "Right. After 600 turns"),
    ("check_turn", turn_with_the_other_sign, "Right. After 600 turns"),
    ("check_turn", turn_in_torchs_words, "Right. After 600 turns"),
    ("check_turn", turn_as_it_was, "the forger's weights are what they were"),
    ("check_turn", turn_with_the_signs_mended, "the forger's weights are what they were"),
    ("check_turn", turn_with_the_optimizer_mended, "Which of the two should each line push up"),
    ("check_turn", turn_without_detach, "backward through the graph a second time"),
    ("check_turn", turn_of_the_forger_alone, "the critic's weights are what they were"),
    ("check_turn", turn_with_a_detached_forger, "the forger's weights are what they were"),
    ("check_turn", lambda *all: (turn(*all), ...)[1], "still ends with `return"),
    ("check_turn", lambda *all: ..., "Not attempted yet"),
    ("check_spiral", lambda n: lesson_00.spiral(n), "Right."),
    ("check_spiral", lesson_00.spiral, "That is the museum itself"),
    ("check_spiral", lambda n: lesson_00.spiral(n).double().numpy(), "Right."),
    ("check_spiral", spiral_trained(turns=4000), "Right."),
    ("check_spiral", spiral_trained(turns=300), "Too many lie beside it|leaves parts"),
    ("check_spiral", lesson_00.heart, "Too many lie beside it|leaves parts"),
    ("check_spiral", half_a_spiral, "leaves parts of the spiral out"),
    ("check_spiral", lambda n: torch.zeros(n, 2) + 0.01 * torch.randn(n, 2), "Was your forger trained"),
    ("check_spiral", lambda n: lesson_00.spiral(n) + 0.1 * torch.randn(n, 2), "Too many lie beside it"),
    ("check_spiral", lambda n: torch.ones(n, 2), "the very same points"),
    ("check_spiral", lambda n: lesson_00.spiral(n).T, "Two rows of 1000"),
    ("check_spiral", lambda n: lesson_00.spiral(1000), r"shape \(7, 2\) is expected"),
    ("check_spiral", lesson_00.spiral(1000), "function that paints"),
    ("check_spiral", lambda n: lesson_00.spiral(n) / 0, "There is"),
    ("check_spiral", lambda n: ..., "Not attempted yet"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_00, check)(answer)
    assert re.search(says, verdict())


@pytest.mark.parametrize("check", ["check_numbers", "check_cleaned", "check_missing", "check_turn", "check_spiral"])
def test_the_untouched_exercise_asks(check, verdict):
    getattr(lesson_00, check)(...)
    assert re.fullmatch(r"Not attempted yet\. [A-Z].*\?( Write your answer in place of `\.\.\.`\.)?", verdict())


def test_each_broken_game_shows_its_missing_line():
    games = lesson_00.broken_games()
    signs = {letter: (scores[0] > 2) - (scores[0] < -2) for letter, (_, _, *scores) in games.items()}
    assert signs == {"a": 1, "b": 1, "c": -1, "d": 0}
    fakes = {letter: scores[1] for letter, (_, _, *scores) in games.items()}
    assert fakes["a"] > 2 and fakes["b"] < -2 and fakes["c"] < -2
    assert torch.equal(games["b"][0], games["b"][1]), "a forger that does not learn paints what it painted"
    assert (games["d"][1].abs() > 4).any(dim=1).float().mean() > 0.5, "up an untrained critic's slope there is no end"
