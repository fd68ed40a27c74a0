"""Every check of lesson 09 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import itertools
import re

import pytest
import torch
from torch.nn.functional import normalize

from gan_lessons import latent
from gan_lessons.exercises import lesson_09


def arc(a, b, t):
    direction = latent.slerp(normalize(a, dim=0), normalize(b, dim=0), t)
    return ((1 - t) * a.norm() + t * b.norm()) * direction


def arc_by_geometry(a, b, t):
    x = a / a.norm()
    y = normalize(b - (b @ x) * x, dim=0)
    omega = torch.atan2(b @ y, b @ x)
    return torch.lerp(a.norm(), b.norm(), t) * ((t * omega).cos() * x + (t * omega).sin() * y)


def arc_of_lerp(a, b, t):
    """The right length, but the direction hurries in the middle."""
    return ((1 - t) * a.norm() + t * b.norm()) * normalize(latent.lerp(a, b, t), dim=0)


def arc_of_length_one(a, b, t):
    return latent.slerp(normalize(a, dim=0), normalize(b, dim=0), t)


def tour(codes, n, way=latent.slerp):
    arcs = [way(a, b, torch.arange(n) / n) for a, b in zip(codes, codes.roll(-1, 0))]
    return torch.cat(arcs)


def tour_with_both_ends(codes, n):
    return torch.cat([latent.path(a, b, n) for a, b in zip(codes, codes.roll(-1, 0))])


def tour_that_stays_open(codes, n):
    return torch.cat([latent.slerp(a, b, torch.arange(n) / n) for a, b in itertools.pairwise(codes)])


def tour_by_steps(codes, n):
    """All arcs at once, but the pictures in the order step, arc."""
    return latent.slerp(codes, codes.roll(-1, 0), (torch.arange(n) / n)[:, None]).flatten(0, 1)


def tour_back_to_the_second(codes, n):
    nexts = torch.cat([codes[1:], codes[1:2]])
    return torch.cat([latent.slerp(a, b, torch.arange(n) / n) for a, b in zip(codes, nexts)])


def without(direction, others):
    basis = torch.linalg.qr(others.T).Q
    return normalize(direction - basis @ (basis.T @ direction), dim=0)


def without_by_least_squares(direction, others):
    return normalize(direction - others.T @ torch.linalg.lstsq(others.T, direction).solution, dim=0)


def without_one_after_another(direction, others):
    for other in others:
        direction = direction - (direction @ other) / (other @ other) * other
    return normalize(direction, dim=0)


def without_lengths(direction, others):
    for other in others:
        direction = direction - (direction @ other) * other
    return normalize(direction, dim=0)


def without_normalising(direction, others):
    basis = torch.linalg.qr(others.T).Q
    return direction - basis @ (basis.T @ direction)


def without_in_place(direction, others):
    basis = torch.linalg.qr(others.T).Q
    direction -= basis @ (basis.T @ direction)
    return direction / direction.norm()


def without_direction(direction, others):
    """Something at right angles to the others, whatever it is."""
    return without(torch.ones(100), others)


def truncated(n, latent_size, limit):
    z = torch.randn(n, latent_size)
    while (outside := z.abs() > limit).any():
        z[outside] = torch.randn(int(outside.sum()))
    return z


def truncated_once(n, latent_size, limit):
    z = torch.randn(n, latent_size)
    return torch.where(z.abs() > limit, torch.randn(n, latent_size), z)


def truncated_uniform(n, latent_size, limit):
    return limit * (2 * torch.rand(n, latent_size) - 1)


def truncated_scaled(n, latent_size, limit):
    z = torch.randn(n, latent_size)
    return limit * z / z.abs().max()


def truncated_seeded(n, latent_size, limit):
    torch.manual_seed(0)
    return truncated(n, latent_size, limit)


CASES = [
    ("check_arc", arc, "Right. A quarter"),
    ("check_arc", arc_by_geometry, "Right. A quarter"),
    ("check_arc", latent.lerp, "straight way"),
    ("check_arc", latent.slerp, "That is slerp: .* 9 is wanted"),
    ("check_arc", arc_of_lerp, "its speed is uneven"),
    ("check_arc", arc_of_length_one, "should give a length of 8; yours is 1.00"),
    ("check_arc", lambda a, b, t: arc(b, a, t), "At t = 0 you are at b"),
    ("check_arc", lambda a, b, t: latent.slerp(a, b, t).norm(), "a code of 100 numbers"),
    ("check_arc", lambda a, b, t: ..., "Not attempted yet"),
    ("check_tour", tour, "Right. Twenty pictures"),
    ("check_tour", lambda codes, n: tour(codes, n, latent.lerp), "that is the straight way"),
    ("check_tour", tour_with_both_ends, "the same: an arc must not end where the next begins"),
    ("check_tour", tour_that_stays_open, "back to the first is missing"),
    ("check_tour", tour_by_steps, "Row 5 should be code 1"),
    ("check_tour", tour_back_to_the_second, "does not close"),
    ("check_tour", lambda codes, n: tour(codes, n).reshape(4, 5, 100), "one tensor of shape 20×100"),
    ("check_tour", lambda codes, n: ..., "Not attempted yet"),
    ("check_without", without, "Right. At right angles"),
    ("check_without", without_by_least_squares, "Right. At right angles"),
    ("check_without", without_one_after_another, "brings another back|bring.* another back"),
    ("check_without", without_lengths, "need not have length 1"),
    ("check_without", without_normalising, "divide by it"),
    ("check_without", without_in_place, "work on copies"),
    ("check_without", without_direction, "points elsewhere"),
    ("check_without", lambda direction, others: ..., "Not attempted yet"),
    ("check_truncated", truncated, "Right. All within"),
    ("check_truncated", lambda n, size, limit: torch.randn(n, size).clamp(-limit, limit), "cut off there"),
    ("check_truncated", truncated_once, "repeat"),
    ("check_truncated", lambda n, size, limit: limit * torch.randn(n, size), "outside the limit"),
    ("check_truncated", truncated_scaled, "do not scale"),
    ("check_truncated", truncated_uniform, "from the normal distribution"),
    ("check_truncated", lambda n, size, limit: (z := torch.randn(n, size)) * (z.abs() <= limit), "exactly 0"),
    ("check_truncated", truncated_seeded, "leave the seed alone"),
    ("check_truncated", lambda n, size, limit: truncated(size, n, limit), "shape 2000×50"),
    ("check_truncated", lambda n, size, limit: ..., "Not attempted yet"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    torch.manual_seed(1)
    getattr(lesson_09, check)(answer)
    assert re.search(says, verdict())
