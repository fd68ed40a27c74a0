"""Every check of lesson 06 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import functools
import math
import re

import numpy
import pytest
import torch

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


def nearest(shifts, pick=lambda every: every.min(dim=0).values):
    def answer(images, pixels):
        return pick(torch.stack([metrics.nearest_neighbours(images.roll(s, dims=(2, 3)), pixels)[0] for s in shifts]))

    return answer


NINE = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]


def nearest_by_loops(images, pixels):
    best = torch.full((len(images),), torch.inf)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            best = torch.minimum(best, metrics.nearest_neighbours(images.roll((down, right), dims=(2, 3)), pixels)[0].cpu())
    return best


@functools.cache
def swindle(noise=0.02, split="test", pick="usual", classes=10):
    torch.manual_seed(0)
    images = data.mnist(split)
    floats = data.to_floats(images.pixels[:10_000])
    features, chosen = classifiers.read_digits(floats).features, []
    for k in range(classes):
        mine = (images.labels[:10_000] == k).nonzero().flatten()
        distance = (features[mine] - features[mine].mean(dim=0)).norm(dim=1)
        chosen.append(mine[distance.argmin() if pick == "usual" else distance.argmax()])
    repeated = floats[torch.stack(chosen)].repeat(2000 // classes, 1, 1, 1)
    return (repeated + noise * torch.randn_like(repeated)).clamp(-1, 1)


RIGHT = {"A": "missing", "B": "half noise", "C": "training images", "D": "single digit"}

CASES = [
    ("check_bells", lambda m, v, n, w: (m - n) ** 2 + (v**0.5 - w**0.5) ** 2, "Right. 3.5²"),
    ("check_bells", lambda m, v, n, w: (m - n) ** 2 + (v - w) ** 2, "subtracted the variances"),
    ("check_bells", lambda m, v, n, w: (m - n) ** 2 + abs(v - w), "root of the difference"),
    ("check_bells", lambda m, v, n, w: ((m - n) ** 2 + (v**0.5 - w**0.5) ** 2) ** 0.5, "root at the end"),
    ("check_bells", lambda m, v, n, w: abs(m - n) + (v**0.5 - w**0.5) ** 2, "means must be squared"),
    ("check_bells", lambda m, v, n, w: (m - n) ** 2, "Only the means"),
    ("check_bells", lambda m, v, n, w: (m - n) ** 2 + abs(v**0.5 - w**0.5), "standard deviations must be squared"),
    ("check_bells", lambda m, v, n, w: (m - n) ^ 2, r"A power is written \*\*"),
    ("check_bells", lambda m, v, n, w: (m - n) ** 2 + (v**0.5 + w**0.5) ** 2, "added the standard deviations"),
    ("check_bells", lambda m, v, n, w: float((m - n) ** 2 + (math.sqrt(v) - math.sqrt(w)) ** 2), "Right. 3.5²"),
    (
        "check_bells",
        lambda m, v, n, w: numpy.square((m - n).numpy()) + numpy.square(numpy.sqrt(v.numpy()) - numpy.sqrt(w.numpy())),
        "Right. 3.5²",
    ),
    ("check_bells", lambda m, v, n, w: (m - n).square_() + (v.sqrt_() - w.sqrt_()).square_(), "Right. 3.5²"),
    ("check_bells", lambda m, v, n, w: (v**0.5 - w**0.5) ** 2, "Only the widths"),
    ("check_bells", lambda m, v, n, w: ((m - n) ** 2 + (v**0.5 - w**0.5) ** 2,), "tuple of one"),
    ("check_bells", lambda m, v, n, w: torch.zeros(2), "One number is expected"),
    ("check_bells", lambda m, v, n, w: None, "is there a `return`"),
    ("check_bells", lambda m, v, n, w: 7.0, "should be 14.5"),
    ("check_bells", lambda *a: ..., "Not attempted yet"),
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
    ("check_nearest_shifted", nearest(NINE), "Right. Nine copies caught"),
    ("check_nearest_shifted", nearest_by_loops, "Right. Nine copies caught"),
    ("check_nearest_shifted", lambda images, pixels: nearest(NINE)(images, pixels).double().numpy(), "Right. Nine copies caught"),
    ("check_nearest_shifted", lambda images, pixels: nearest(NINE)(images, pixels).tolist(), "Right. Nine copies caught"),
    ("check_nearest_shifted", lambda images, pixels: None, "is there a `return`"),
    ("check_nearest_shifted", nearest([(0, 0)]), "No image was moved"),
    ("check_nearest_shifted", nearest([(0, 0), (0, 1), (1, 0), (1, 1)]), "one direction only"),
    ("check_nearest_shifted", nearest([(0, 0), (0, 1), (1, 0), (-1, 0), (0, -1)]), "diagonal"),
    ("check_nearest_shifted", nearest([(0, 0), (0, -1), (-1, 0), (-1, -1)]), "You move up and left only"),
    ("check_nearest_shifted", nearest([(0, -1), (0, 0), (0, 1)]), "left and right only"),
    ("check_nearest_shifted", nearest([(-1, 0), (0, 0), (1, 0)]), "up and down only"),
    ("check_nearest_shifted", lambda images, pixels: nearest(NINE)(images, pixels) / 2 - 0.1, "smaller than any of the nine"),
    ("check_nearest_shifted", nearest(NINE[:4] + NINE[5:]), "unmoved images are left out"),
    ("check_nearest_shifted", nearest(NINE, lambda every: every.mean(dim=0)), "mean over the shifts"),
    ("check_nearest_shifted", nearest(NINE, lambda every: every.max(dim=0).values), "worst of the shifts"),
    ("check_nearest_shifted", nearest(NINE, lambda every: every), r"shape \(9, 12\)"),
    ("check_nearest_shifted", metrics.nearest_neighbours, "returned a pair"),
    ("check_nearest_shifted", lambda images, pixels: ..., "Not attempted yet"),
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
    ("check_swindle", lambda: data.to_floats(data.mnist("test").pixels[::5]), "Recall is"),
    (
        "check_swindle",
        lambda: swindle()[:100],
        r"A tensor of shape \(2000, 1, 28, 28\) is expected, not a tensor of shape \(100, 1",
    ),
    ("check_swindle", lambda: ..., "Not attempted yet"),
    ("check_mysteries", RIGHT, "Right. Each of the four"),
    ("check_mysteries", {letter: f" {name.title()} " for letter, name in RIGHT.items()}, "Right. Each of the four"),
    ("check_mysteries", RIGHT | {"A": 3}, "A word in quotation marks"),
    ("check_mysteries", list(RIGHT.values()), "the four letters"),
    ("check_mysteries", RIGHT | {"A": "blurred"}, "A is not “blurred”. Seven effective"),
    ("check_mysteries", RIGHT | {"B": "good"}, "B is not “good”. Only 45 %"),
    ("check_mysteries", RIGHT | {"C": "good"}, "C is not “good”. Nearly every number"),
    ("check_mysteries", RIGHT | {"D": "missing"}, "D is not “missing”. One effective"),
    ("check_mysteries", RIGHT | {"D": "sevens"}, "'sevens' is none of the words"),
    ("check_mysteries", {"A": "missing"}, "named so far is right. Still without a name: B, C, D"),
    ("check_mysteries", {"A": "missing", "B": ..., "C": ..., "D": ...}, "named so far is right. Still without a name: B, C, D"),
    ("check_mysteries", {"A": "blurred", "B": ...}, "A is not “blurred”. Seven effective"),
    ("check_mysteries", dict.fromkeys("ABCD", ...), "^Not yet. Still without a name: A, B, C, D"),
    ("check_mysteries", {"E": "good"}, "the four letters"),
    ("check_mysteries", ..., "Not attempted yet"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_06, check)(answer() if check == "check_swindle" else answer)
    assert re.search(says, verdict())
