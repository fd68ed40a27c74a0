"""Every check of lesson 06 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import copy
import functools
import itertools
import math
import re

import numpy
import pytest
import scipy.linalg
import torch
from torch import nn
from torch.nn.functional import softplus

from gan_lessons import classifiers, data, metrics
from gan_lessons.exercises import lesson_06


def radii(points, neighbours=3):
    return torch.cdist(points, points).sort(dim=1).values[:, neighbours]


def coverage(real, fake):
    return (torch.cdist(fake, real) < radii(real)).any(dim=0).float().mean().item()


def coverage_by_loops(real, fake):
    covered = 0
    for point in real:
        radius = sorted((point - other).norm().item() for other in real)[3]
        covered += any((point - other).norm().item() < radius for other in fake)
    return covered / len(real)


def recall(real, fake):
    return (torch.cdist(real, fake) < radii(fake)).any(dim=1).float().mean()


def precision(real, fake):
    return (torch.cdist(fake, real) < radii(real)).any(dim=1).float().mean()


def frechet(real, fake, means=torch.sum, correction=1, root="matrix"):
    """The repaired function of the lesson, or one with some of its mistakes."""
    squares = (real.mean(dim=0) - fake.mean(dim=0)).square()
    covariances = real.T.cov(correction=correction), fake.T.cov(correction=correction)
    product = covariances[0] @ covariances[1]
    entries, values = product.clamp(min=0).sqrt().trace(), torch.linalg.eigvals(product).real.clamp(min=0).sqrt().sum()
    return (means(squares) + sum(covariances).trace() - 2 * (values if root == "matrix" else entries)).item()


def frechet_of_scipy(real, fake):
    one, other = (numpy.cov(each.numpy(), rowvar=False) for each in (real, fake))
    gap = real.numpy().mean(0) - fake.numpy().mean(0)
    return gap @ gap + numpy.trace(one + other - 2 * scipy.linalg.sqrtm(one @ other).real)


def critic(turns, lr=3e-3, width=128, depth=2, flip=1, end=(), held_back=0, known=200):
    """A way to train a critic: with more turns than it needs, with too few, or stopped where held back points say so."""

    def train(real, fake):
        torch.manual_seed(0)
        sizes = [2] + depth * [width]
        hidden = [layer for pair in itertools.pairwise(sizes) for layer in (nn.Linear(*pair), nn.LeakyReLU(0.2))]
        network = nn.Sequential(*hidden, nn.Linear(sizes[-1], 1), nn.Flatten(0), *end)
        optimizer = torch.optim.Adam(network.parameters(), lr)
        kept, best = network, math.inf
        loss = lambda rows: softplus(-flip * network(real[rows])).mean() + softplus(flip * network(fake[rows])).mean()
        for turn in range(turns):
            optimizer.zero_grad()
            loss(slice(held_back, held_back + known)).backward()
            optimizer.step()
            with torch.no_grad():
                if held_back and turn % 10 == 0 and (held := loss(slice(held_back)).item()) < best:
                    best, kept = held, copy.deepcopy(network)
        return kept

    return train


def perfect_critic(real, fake):
    """The logarithm of the two densities' ratio, as a function."""

    def logits(x):
        angles = torch.arange(8) * math.pi / 4
        squares = torch.cdist(x, 2 * torch.stack([angles.cos(), angles.sin()], dim=1)).square()
        modes = (-squares / 0.08).exp().mean(dim=1) / (0.08 * math.pi)
        radius = x.norm(dim=1)
        circle = (-(radius - 2).square() / 0.08).exp() / (math.sqrt(0.08 * math.pi) * 2 * math.pi * radius)
        return (modes / circle).log()

    return logits


@functools.cache
def swindle(noise=0.02, split="test", pick="usual", classes=10, own=False):
    """own: with the reference's own digits, which are those at 1, 6, 11 and so on."""
    torch.manual_seed(0)
    images = data.mnist(split)
    floats = data.to_floats(images.pixels[:10_000])
    features, chosen = classifiers.read_digits(floats).features, []
    for k in range(classes):
        mine = (images.labels[:10_000] == k).nonzero().flatten()
        mine = mine[(mine % 5 == 1) == own]
        distance = (features[mine] - features[mine].mean(dim=0)).norm(dim=1)
        chosen.append(mine[distance.argmin() if pick == "usual" else distance.argmax()])
    repeated = floats[torch.stack(chosen)].repeat(2000 // classes, 1, 1, 1)
    return (repeated + noise * torch.randn_like(repeated)).clamp(-1, 1)


def at_infinity(sizes=(200, 300, 400, 500), over=lambda n: 1 / n, times=5, place=1, distance=metrics.frechet_distance):
    """The line through the distances of subsets: its height at 0, or with place 0 its slope."""

    def extrapolated(real, fake):
        points = []
        for n in sizes * times:
            some = (rows[torch.randperm(len(rows))[:n]] for rows in (real, fake))
            points.append((over(n), distance(*some)))
        return numpy.polyfit(*zip(*points), 1)[place]

    return extrapolated


CASES = [
    ("check_repaired", frechet, "Right. The means are summed"),
    ("check_repaired", metrics.frechet_distance, "Right. The means are summed"),
    ("check_repaired", frechet_of_scipy, "Right. The means are summed"),
    ("check_repaired", lambda r, f: torch.tensor([frechet(r, f)]), "Right. The means are summed"),
    ("check_repaired", lambda r, f: frechet(r, f, torch.mean, 0, "entries"), "All three mistakes are still there"),
    ("check_repaired", lambda r, f: frechet(r, f, torch.mean, 0), "root is right now, and two mistakes"),
    ("check_repaired", lambda r, f: frechet(r, f, torch.mean, 1, "entries"), "covariances are right now, and two mistakes"),
    ("check_repaired", lambda r, f: frechet(r, f, torch.sum, 0, "entries"), "means are right now, and two mistakes"),
    ("check_repaired", lambda r, f: frechet(r, f, torch.mean), "One mistake is left. The means"),
    ("check_repaired", lambda r, f: frechet(r, f, correction=0), "One mistake is left. The covariances"),
    ("check_repaired", lambda r, f: frechet(r, f, root="entries"), "One mistake is left. The root of a matrix"),
    ("check_repaired", lambda r, f: frechet(r, f) ** 0.5, "root at the end"),
    ("check_repaired", lambda r, f: frechet(r - r.mean(dim=0), f - f.mean(dim=0)), "The means are missing"),
    ("check_repaired", lambda r, f: 1.0, "it should be"),
    ("check_repaired", lambda r, f: (frechet(r, f),), "tuple of one"),
    ("check_repaired", lambda r, f: None, "is there a `return`"),
    ("check_repaired", ..., "Not attempted yet"),
    ("check_critic", perfect_critic, "Right. 0.2"),
    ("check_critic", critic(150), "Right. 0.1"),
    ("check_critic", critic(400, held_back=50, known=150), "Right. 0.1"),
    ("check_critic", critic(1000, lr=1e-2), "learned them by heart"),
    ("check_critic", critic(15), "neither can a few turns"),
    ("check_critic", critic(150, depth=0, lr=1e-2), "a line cannot part"),
    ("check_critic", critic(150, flip=-1), "turn the signs round"),
    ("check_critic", critic(150, end=[nn.Sigmoid()]), "leave the sigmoid out"),
    ("check_critic", lambda r, f: lambda x: torch.zeros(3), "one logit for each is expected"),
    ("check_critic", lambda r, f: 3, "A network is expected, not the int 3"),
    ("check_critic", lambda r, f: None, "is there a `return`"),
    ("check_critic", lambda r, f: ..., "Not attempted yet"),
    ("check_coverage", coverage, "Right. A loner"),
    ("check_coverage", recall, "That is recall"),
    ("check_coverage", precision, "That is precision"),
    ("check_coverage", lambda r, f: (torch.cdist(f, r) < radii(r, 2)).any(dim=0).float().mean(), "place 0"),
    ("check_coverage", lambda r, f: numpy.float64(coverage(r, f)), "Right. A loner"),
    ("check_coverage", coverage_by_loops, "Right. A loner"),
    ("check_coverage", lambda r, f: coverage(r.double(), f.double()), "Right. A loner"),
    ("check_coverage", lambda r, f: (coverage(r, f),), "tuple of one"),
    ("check_coverage", lambda r, f: coverage(f, r), "should be|That is"),
    ("check_coverage", lambda r, f: (torch.cdist(f, r) < radii(r, 4)).any(dim=0).float().mean(), "to the fourth neighbour"),
    ("check_coverage", lambda r, f: 100 * coverage(r, f), "a percentage"),
    ("check_coverage", lambda r, f: 1 - coverage(r, f), "Upside down"),
    ("check_coverage", lambda r, f: (torch.cdist(f, r) < radii(r)).any(dim=0).sum(), "counted the reals"),
    ("check_coverage", lambda r, f: (torch.cdist(f, r) < radii(r)).all(dim=0).float().mean(), "all the fakes"),
    ("check_coverage", lambda r, f: (torch.cdist(f, r) < radii(r)).float().mean(), "share of all pairs"),
    (
        "check_coverage",
        lambda r, f: (torch.cdist(f, r) < radii(r)).any(dim=0),
        r"One number is expected, not a tensor of shape \(40,\)",
    ),
    ("check_coverage", lambda r, f: ..., "Not attempted yet"),
    ("check_coverage", (coverage, 2.0, 0.33), "Your function is right, but `of_sheets` is 2.00, what recall gives"),
    ("check_coverage", (coverage, 0.05, 0.33), "should be much smaller than 0.050"),
    ("check_coverage", (coverage, ..., 0.33), "Your function is right. Now call it"),
    ("check_coverage", (coverage, torch.tensor(0.0005), 0.33), "Right. A loner"),
    ("check_coverage", (coverage, 0, 0.33), "Right. A loner"),
    ("check_coverage", (coverage, "small", 0.33), "One number is expected"),
    ("check_coverage", (0.0005, 0.0005, 0.33), "Three things are expected"),
    ("check_coverage", (coverage, 0.0005), "Three things are expected"),
    ("check_coverage", (coverage, 0.0005, ...), "`of_few` is still to come"),
    ("check_coverage", (coverage, 0.0005, 0.0), "is that the recall"),
    ("check_coverage", (coverage, 0.0005, 0.86), "hand over the reals first"),
    ("check_coverage", (coverage, 0.0005, torch.tensor(0.28)), "Right. A loner"),
    ("check_at_infinity", at_infinity(), "Right. On average"),
    ("check_at_infinity", at_infinity(sizes=(100, 500), times=10), "Right. On average"),
    ("check_at_infinity", lambda r, f: torch.tensor(at_infinity(times=10)(r, f)), "Right. On average"),
    ("check_at_infinity", metrics.frechet_distance, "as it comes out at N = 500"),
    ("check_at_infinity", at_infinity(over=lambda n: n), "a line over 1/N, read at 1/N = 0"),
    ("check_at_infinity", at_infinity(place=0), "the slope c of the line"),
    ("check_at_infinity", at_infinity(over=lambda n: n**-0.5), "taken away too much"),
    (
        "check_at_infinity",
        lambda r, f: 0.6 * metrics.frechet_distance(r, f) + 0.4 * 1.6 + 0.2,
        "something else than 1/N|further off",
    ),
    ("check_at_infinity", lambda r, f: 0.0, "taken away too much"),
    ("check_at_infinity", lambda r, f: None, "is there a `return`"),
    ("check_at_infinity", ..., "Not attempted yet"),
    ("check_swindle", swindle, "Right. Ten classes"),
    ("check_swindle", lambda: swindle().double(), "Right. Ten classes"),
    ("check_swindle", lambda: swindle().numpy(), "Right. Ten classes"),
    ("check_swindle", lambda: (swindle() + 1) / 2, "from 0.00 to 1.00, but images lie in .* black is -1"),
    ("check_swindle", lambda: data.to_pixels(swindle()), "from 0 to 255, as uint8 pixels do; data.to_floats"),
    ("check_swindle", lambda: 3 * swindle(), "from -3.00 to 3.00: clamp"),
    ("check_swindle", lambda: list(swindle()), "not a list of 2000"),
    ("check_swindle", lambda: swindle() * torch.nan, "There is nan"),
    ("check_swindle", functools.partial(swindle, noise=0.0), "Only 10 of the images"),
    ("check_swindle", functools.partial(swindle, pick="odd"), "Precision is|effective classes|sure of"),
    ("check_swindle", functools.partial(swindle, classes=1), "1.0 effective classes"),
    ("check_swindle", functools.partial(swindle, split="train"), "copies from the training set"),
    ("check_swindle", functools.partial(swindle, own=True), "the reference's own"),
    ("check_swindle", lambda: data.to_floats(data.mnist("test").pixels[::5]), "Recall is"),
    (
        "check_swindle",
        lambda: swindle()[:100],
        r"A tensor of shape \(2000, 1, 28, 28\) is expected, not a tensor of shape \(100, 1",
    ),
    ("check_swindle", lambda: ..., "Not attempted yet"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    if check == "check_coverage" and callable(answer):
        answer = (answer, 0.0005, 0.33)
    getattr(lesson_06, check)(answer() if check == "check_swindle" else answer)
    assert re.search(says, verdict())
