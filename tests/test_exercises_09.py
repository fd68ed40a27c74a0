"""Every check of lesson 09 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import itertools
import math
import re
import signal

import numpy
import pytest
import torch
from scipy.stats import truncnorm
from torch.nn.functional import cosine_similarity, normalize

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


def arc_by_numpy(a, b, t):
    a, b = a.double().numpy(), b.double().numpy()
    x, y = a / numpy.linalg.norm(a), b / numpy.linalg.norm(b)
    w = numpy.arccos(x @ y)
    length = (1 - t) * numpy.linalg.norm(a) + t * numpy.linalg.norm(b)
    return length * (numpy.sin((1 - t) * w) * x + numpy.sin(t * w) * y) / numpy.sin(w)


def arc_without_dividing(a, b, t):
    """The lengths are not divided out, so the cosine is far above 1."""
    w = torch.acos(a @ b)
    return (((1 - t) * w).sin() * a + (t * w).sin() * b) / w.sin()


def arc_of_a_right_angle(a, b, t):
    x, y = normalize(a, dim=0), normalize(b, dim=0)
    return ((1 - t) * a.norm() + t * b.norm()) * normalize(math.cos(t * math.pi / 2) * x + math.sin(t * math.pi / 2) * y, dim=0)


def arc_beyond(a, b, t):
    """As if the angle were a right one: it goes on behind b."""
    x = normalize(a, dim=0)
    y = normalize(b - (b @ x) * x, dim=0)
    return ((1 - t) * a.norm() + t * b.norm()) * (math.cos(t * math.pi / 2) * x + math.sin(t * math.pi / 2) * y)


def arc_elsewhere(a, b, t):
    """The right angles from a, in a plane without b."""
    x = normalize(a, dim=0)
    y = normalize(torch.ones(100) - x.sum() * x, dim=0)
    turned = t * torch.acos(x @ normalize(b, dim=0))
    return ((1 - t) * a.norm() + t * b.norm()) * (turned.cos() * x + turned.sin() * y)


def slerp_of_the_lesson(a, b, t):
    omega = cosine_similarity(a, b, dim=-1).arccos().unsqueeze(-1)
    return (((1 - t) * omega).sin() * a + (t * omega).sin() * b) / omega.sin()


def tour_of_single_pictures(codes, n, way=slerp_of_the_lesson):
    return torch.stack([way(codes[i], codes[(i + 1) % len(codes)], j / n) for i in range(len(codes)) for j in range(n)])


def tour(codes, n, way=latent.slerp):
    arcs = [way(a, b, torch.arange(n) / n) for a, b in zip(codes, codes.roll(-1, 0))]
    return torch.cat(arcs)


def tour_with_both_ends(codes, n):
    return torch.cat([latent.path(a, b, n) for a, b in zip(codes, codes.roll(-1, 0))])


def tour_that_stays_open(codes, n):
    return torch.cat([latent.slerp(a, b, torch.arange(n) / n) for a, b in itertools.pairwise(codes)])


def tour_that_rests(codes, n):
    return torch.cat([tour_that_stays_open(codes, n), codes[-1:].expand(n, -1)])


def truncated_alike(n, latent_size, limit):
    z = torch.randn(n, latent_size)
    while (outside := z.abs() > limit).any():
        z[outside] = torch.randn(1)
    return z


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


def without_by_pairs(direction, others):
    """Gram and Schmidt's way, in double precision."""
    basis = []
    for other in others.double():
        for known in basis:
            other = other - (other @ known) * known
        basis.append(other / other.norm())
    left = direction.double()
    for known in basis:
        left = left - (left @ known) * known
    return (left / left.norm()).numpy()


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


def truncated_by_loops(n, latent_size, limit):
    z = torch.zeros(n, latent_size)
    for i in range(n):
        for j in range(latent_size):
            number = torch.randn(1).item()
            while abs(number) > limit:
                number = torch.randn(1).item()
            z[i, j] = number
    return z


def truncated_by_numpy(n, latent_size, limit):
    return truncnorm.rvs(-limit, limit, size=(n, latent_size))


def truncated_in_place(n, latent_size, limit):
    return torch.nn.init.trunc_normal_(torch.empty(n, latent_size), a=-limit, b=limit)


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
    *[("check_arc", answer, "Right. A quarter") for answer in (arc, arc_by_geometry, arc_by_numpy)],
    ("check_arc", lambda a, b, t: arc(a.double(), b.double(), t), "Right. A quarter"),
    ("check_arc", latent.lerp, "straight way"),
    ("check_arc", latent.slerp, "That is slerp: .* 9 is wanted"),
    ("check_arc", arc_of_lerp, "At t = 0.25 the direction has turned by 0.3.. of the angle between a and b, not by 0.25"),
    ("check_arc", arc_of_a_right_angle, "At t = 0.25 the direction has turned by 0.284 of the angle"),
    ("check_arc", arc_beyond, "At t = 1.0 the direction has turned by 2.0.. of the angle between a and b, not by 1.0"),
    ("check_arc", arc_elsewhere, "not towards b: it leaves the arc"),
    ("check_arc", arc_of_length_one, "should give a length of 8; yours is 1.00"),
    ("check_arc", arc_without_dividing, "There is nan in the result"),
    ("check_arc", lambda a, b, t: arc(b, a, t), "At t = 0 you are at b"),
    ("check_arc", lambda a, b, t: latent.slerp(a, b, t).norm(), r"A tensor of shape \(100,\) is expected"),
    ("check_arc", lambda a, b, t: None, "is there a `return`"),
    ("check_arc", lambda a, b, t: ..., "Not attempted yet. slerp mixes"),
    *[("check_tour", answer, "Right. Twenty pictures") for answer in (tour, tour_of_single_pictures)],
    ("check_tour", lambda codes, n: tour(codes.double(), n).numpy(), "Right. Twenty pictures"),
    ("check_tour", lambda codes, n: tour_of_single_pictures(codes, n, latent.slerp), "Right. Twenty pictures"),
    ("check_tour", lambda codes, n: tour(codes, n, latent.lerp), "That is the straight way"),
    ("check_tour", lambda codes, n: tour(codes.flip(0), n).reshape(4, n, 100).flip(0).flatten(0, 1), "you go to the one before it"),
    ("check_tour", lambda codes, n: tour(codes, n, lambda a, b, t: latent.slerp(a, b, t**2)), "Row 1 should be slerp from code 0 to code 1 at t = 1/5"),
    ("check_tour", tour_with_both_ends, "the same: an arc must not end where the next begins"),
    ("check_tour", tour_that_rests, "Rows 15 and 16 are the same: .* each picture of an arc has a t of its own"),
    ("check_arc", lambda a, b, t: arc(normalize(a), normalize(b), t), "one row of numbers has dim=0 alone"),
    ("check_without", lambda direction, others: without(direction, others[:1]), "Only the first of the others is taken out"),
    ("check_without", lambda direction, others: -without(direction, others), "points the opposite way"),
    ("check_truncated", truncated_alike, "Many numbers are equal"),
    ("check_tour", tour_that_stays_open, "back to the first is missing"),
    ("check_tour", tour_by_steps, "Row 5 should be code 1"),
    ("check_tour", tour_back_to_the_second, "does not close"),
    ("check_tour", lambda codes, n: tour(codes, n).reshape(4, 5, 100), "one tensor of shape 20×100"),
    ("check_tour", lambda codes, n: list(tour(codes, n)), "not a list of 20"),
    ("check_tour", lambda codes, n: ..., "Not attempted yet. Which code follows"),
    *[("check_without", answer, "Right. At right angles") for answer in (without, without_by_least_squares, without_by_pairs)],
    ("check_without", lambda direction, others: without(direction.double(), others.double()), "Right. At right angles"),
    ("check_without", without_one_after_another, "bring.* another back"),
    ("check_without", without_lengths, "need not have length 1"),
    ("check_without", without_normalising, "divide by it"),
    ("check_without", without_in_place, "work on copies"),
    ("check_without", without_direction, "points elsewhere"),
    ("check_without", lambda direction, others: without(direction, others) * torch.nan, "There is nan"),
    ("check_without", lambda direction, others: without(direction, others)[None], r"A tensor of shape \(100,\) is expected"),
    ("check_without", lambda direction, others: ..., "Not attempted yet. Taking one"),
    *[("check_truncated", answer, "Right. All within") for answer in (truncated, truncated_by_loops, truncated_by_numpy, truncated_in_place)],
    ("check_truncated", lambda n, size, limit: torch.randn(n, size).clamp(-limit, limit), "cut off there"),
    ("check_truncated", truncated_once, "repeat"),
    ("check_truncated", lambda n, size, limit: limit * torch.randn(n, size), "outside the limit"),
    ("check_truncated", truncated_scaled, "leave every number inside as it was drawn"),
    ("check_tour", lambda codes, n: tour(codes, 5), "with 3 codes and n = 2 it is not"),
    ("check_truncated", truncated_uniform, "from the normal distribution"),
    ("check_truncated", lambda n, size, limit: (z := torch.randn(n, size)) * (z.abs() <= limit), "exactly 0"),
    ("check_truncated", truncated_seeded, "leave the seed alone"),
    ("check_truncated", lambda n, size, limit: truncated(n, size, limit) * torch.nan, "There is nan"),
    ("check_truncated", lambda n, size, limit: truncated(size, n, limit), r"shape \(100, 50\) is expected"),
    ("check_truncated", lambda n, size, limit: ..., "Not attempted yet. Which numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    torch.manual_seed(1)
    getattr(lesson_09, check)(answer)
    assert re.search(says, verdict())


def test_an_answer_without_an_end_can_be_interrupted():
    def whole_rows(n, latent_size, limit):  # one of 50 numbers is within 0.8 once in a million million times
        draws = 0
        while (z := torch.randn(n, latent_size)).abs().max() > limit:
            draws += 1
            if draws == 20:
                signal.raise_signal(signal.SIGINT)
        return z

    with pytest.raises(KeyboardInterrupt):
        lesson_09.check_truncated(whole_rows)


def test_a_loop_over_single_numbers_is_not_asked_for_more_than_it_can_draw_in_a_moment(verdict):
    asked = []
    lesson_09.check_truncated(lambda n, size, limit: asked.append(n * size) or truncated(n, size, limit))
    assert verdict().startswith("Right.") and sum(asked) <= 11_000


@pytest.mark.parametrize(("limit", "spread"), [(0.8, 0.4424), (1.5, 0.7426)])
def test_the_spreads_that_the_check_asks_for(limit, spread):
    assert round(truncnorm.std(-limit, limit), 4) == spread
