"""Every check of lesson 00 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import math
import re

import numpy
import pytest
import torch

from gan_lessons import models
from gan_lessons.exercises import lesson_00


def moved_in_place(z, direction, amount):
    z += amount * direction / direction.norm()
    return z


def moved_row_by_row(z, direction, amount):
    return torch.stack([row + amount * direction / direction.norm() for row in z])


def moved_by_two_loops(z, direction, amount):
    new = torch.zeros(z.shape)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            new[i, j] = z[i, j] + amount * direction[j] / math.sqrt(sum(float(each) ** 2 for each in direction))
    return new


def moved_in_numpy(z, direction, amount):
    z, direction = z.numpy().astype(float), direction.numpy()
    return z + amount * direction / numpy.linalg.norm(direction)


def direction_in_place(z, direction, amount):
    direction /= direction.norm()
    return z + amount * direction


def as_in_the_lesson(critic, real, fake):
    found = (models.run(critic, real) > 0).sum() + (models.run(critic, fake) < 0).sum()
    return found.double() / (len(real) + len(fake))


def one_by_one(critic, real, fake):
    right = 0
    for pictures, sign in ((real, 1), (fake, -1)):
        for picture in pictures:
            right += int(sign * critic(picture[None]) > 0)
    return right / (len(real) + len(fake))


def right_about(critic, real, fake):
    return ((critic(real) > 0).sum() + (critic(fake) < 0).sum()) / (len(real) + len(fake))


def counted(critic, real, fake):
    return (critic(real) > 0).sum() + (critic(fake) < 0).sum()


def took_for_real(critic, real, fake):
    return (torch.cat([critic(real), critic(fake)]) > 0).float().mean()


def mean_of_two(critic, real, fake):
    return ((critic(real) > 0).float().mean() + (critic(fake) < 0).float().mean()) / 2


def border_at_half(critic, real, fake):
    return ((critic(real) > 0.5).sum() + (critic(fake) < 0.5).sum()) / (len(real) + len(fake))


def probability_above_zero(critic, real, fake):
    return ((critic(real).sigmoid() > 0).sum() + (critic(fake).sigmoid() < 0).sum()) / (len(real) + len(fake))


def spiral(n):
    t = 10 * torch.rand(n)
    return torch.stack([t.cos(), t.sin()], dim=1) * t[:, None] / 8


def same_each_time(n):
    t = torch.linspace(0, 2 * math.pi, n)
    return torch.stack([t.cos(), t.sin()], dim=1)


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
    ("check_moved", lambda z, direction, amount: z + amount * direction / direction.norm(), "Right. That is a slider"),
    ("check_moved", lambda z, d, amount: z + amount * (d / d.norm())[None, :], "Right. That is"),
    ("check_moved", lambda z, d, amount: z + amount * (d / d.norm()).expand(len(z), -1), "Right. That is"),
    ("check_moved", lambda z, d, amount: torch.nn.functional.normalize(d, dim=0).mul(amount).add(z), "Right. That is"),
    ("check_moved", lambda z, d, amount: z.double() + amount * d.double() / d.square().sum().sqrt(), "Right. That is"),
    ("check_moved", moved_row_by_row, "Right. That is"),
    ("check_moved", moved_by_two_loops, "Right. That is"),
    ("check_moved", moved_in_numpy, "Right. That is"),
    ("check_moved", direction_in_place, "Right. That is"),
    ("check_moved", lambda z, d, amount: z + amount * d / 5, "by -1.5 along"),
    ("check_moved", lambda z, d, amount: z + 2 * d / d.norm(), "by 0 along"),
    ("check_moved", lambda z, d, amount: (z + amount * d / d.norm())[0], r"shape \(4, 3\) is expected"),
    ("check_moved", lambda z, d, amount: None, "is there a `return`"),
    ("check_moved", lambda z, d, amount: z + amount * d / d.norm(dim=1), "IndexError: .* one row of numbers has dim=0 alone"),
    ("check_moved", lambda z, d, a: z + a * torch.nn.functional.normalize(d, dim=1), "one row of numbers has dim=0 alone"),
    ("check_moved", lambda z, d, amount: z + amount * d / 0, "There is (nan|inf)"),
    ("check_moved", lambda z, direction, amount: z + amount * direction, "too far.*length 5"),
    ("check_moved", lambda z, direction, amount: z - amount * direction / direction.norm(), "the other way"),
    ("check_moved", lambda z, direction, amount: z + direction / direction.norm(), "whatever the amount"),
    ("check_moved", lambda z, direction, amount: amount * direction / direction.norm(), "the step alone"),
    ("check_moved", lambda z, direction, amount: z + amount * direction / direction.abs().sum(), "sum of squares"),
    ("check_moved", lambda z, direction, amount: z, "Nothing has moved"),
    ("check_moved", moved_in_place, "z itself has changed"),
    ("check_moved", lambda z, direction, amount: ..., "Not attempted yet"),
    ("check_share_right", right_about, "Right. 1 would be"),
    ("check_share_right", lambda *all: right_about(*all).item(), "Right. 1 would be"),
    ("check_share_right", as_in_the_lesson, "Right. 1 would be"),
    ("check_share_right", one_by_one, "Right. 1 would be"),
    ("check_share_right", lambda *all: right_about(*all).numpy().reshape(1, 1), "Right. 1 would be"),
    ("check_share_right", lambda *all: (one_by_one(*all),), "tuple of one"),
    ("check_share_right", counted, "counts them. Divide"),
    ("check_share_right", lambda *all: 100 * right_about(*all), "a percentage"),
    ("check_share_right", lambda *all: 2 * mean_of_two(*all), "two shares added up"),
    (
        "check_share_right",
        lambda critic, real, fake: counted(critic, real, fake) / len(real),
        "divides by the real pictures alone",
    ),
    ("check_share_right", lambda critic, real, fake: (critic(real) > 0).mean(), "no mean of True and False"),
    ("check_shape", lambda n: spiral(n) + 10, "make your figure smaller, or move it"),
    ("check_share_right", took_for_real, "takes for real"),
    ("check_share_right", mean_of_two, "mean of two shares"),
    ("check_share_right", border_at_half, "lies at 0, not at 0.5"),
    ("check_share_right", probability_above_zero, "above 0 for every picture"),
    ("check_share_right", lambda critic, real, fake: (critic(real) > 0).float().mean(), "real pictures alone"),
    ("check_share_right", lambda *all: 1 - right_about(*all), "Upside down"),
    ("check_share_right", lambda critic, real, fake: critic(real) > 0, "Add up, and divide"),
    ("check_share_right", lambda critic, real, fake: ..., "Not attempted yet"),
    ("check_shape", spiral, "Right. Put it"),
    ("check_shape", lambda n: torch.rand(n, 2), "Right. Put it"),
    ("check_shape", lambda n: spiral(n).double(), "float64.*float32"),
    ("check_shape", lambda n: spiral(n).half(), "float16.*float32"),
    ("check_shape", lambda n: spiral(n).numpy(), "not a numpy array"),
    ("check_shape", lambda n: spiral(n) / 0, "There is"),
    ("check_shape", same_each_time, "the very same points"),
    ("check_shape", lambda n: spiral(n).T, "stack with dim=1"),
    ("check_shape", lambda n: 10 * spiral(n), "fits between"),
    ("check_shape", lambda n: spiral(500), "Asked for 7 points"),
    ("check_shape", lambda n: torch.rand(n, 2) * torch.tensor([1.0, 0.0]), "straight line"),
    ("check_shape", lambda n: torch.rand(n), "have the shape"),
    ("check_shape", lambda n: ..., "Not attempted yet"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_00, check)(answer)
    assert re.search(says, verdict())


@pytest.mark.parametrize("check", ["check_numbers", "check_moved", "check_share_right", "check_shape"])
def test_the_untouched_exercise_asks(check, verdict):
    getattr(lesson_00, check)(...)
    assert re.fullmatch(r"Not attempted yet\. [A-Z].*\?( Write your answer in place of `\.\.\.`\.)?", verdict())
