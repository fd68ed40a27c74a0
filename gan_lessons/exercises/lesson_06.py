"""The checks of lesson 06, measuring GANs."""

import math

import torch
from torch import Tensor

from gan_lessons import classifiers, data, metrics, runtime
from gan_lessons.exercises import Hint, exercise, number, refuse, tensor, word

MYSTERIES = {
    "A": {"Fréchet": 68, "precision": 0.89, "recall": 0.66, "classes": 7.1, "sure": 0.97, "copies": 0.07},
    "B": {"Fréchet": 1080, "precision": 0.45, "recall": 0.89, "classes": 5.3, "sure": 0.99, "copies": 0.02},
    "C": {"Fréchet": 6, "precision": 0.88, "recall": 0.84, "classes": 9.9, "sure": 0.99, "copies": 1.0},
    "D": {"Fréchet": 971, "precision": 0.86, "recall": 0.09, "classes": 1.0, "sure": 0.98, "copies": 0.0},
}
_DIAGNOSIS = {"A": "missing", "B": "half noise", "C": "training images", "D": "single digit"}
_SET_NAMES = ("good", "single digit", "missing", "blurred", "training images", "half noise")
_REASONS = {
    "A": "Seven effective classes of ten, and everything that is drawn is fine: precision and confidence are those of real digits.",
    "B": "Only 45 % of its images lie among the reals, yet nearly all reals are covered: good ones and nonsense side by side.",
    "C": "Nearly every number is that of a good set. Look at the last one.",
    "D": "One effective class. What it draws is right, but it leaves out nine tenths of the reals.",
}


@exercise(
    "What does the formula under “Two bells” ask for, and what are you given instead?",
    "the square root of a variance is a standard deviation; with those, use the formula under “Two bells”.",
)
def check_bells(bells) -> str:
    """bells(mean_1, variance_1, mean_2, variance_2): the Fréchet distance of two normal distributions."""
    arguments = [torch.tensor(value, dtype=torch.float64) for value in (1.0, 4.0, 4.5, 12.25)]
    found = number(bells(*arguments))
    means, widths = 3.5**2, 1.5**2
    refuse(found, {
        "You subtracted the variances. The formula has standard deviations: take the root of each first.": means + 8.25**2,
        "You took the root of the difference. Take the root of each variance, then subtract, then square.": means + 8.25,
        "You added the standard deviations: then even equal bells would be far apart.": means + 5.5**2,
        "You took a root at the end. The distance, as papers report it, is the sum of the squares itself.": math.sqrt(means + widths),
        "The difference of the means must be squared as well.": 3.5 + widths,
        "The difference of the standard deviations must be squared as well.": means + 1.5,
        "Only the means are there. Two bells in one place can still differ in width.": means,
        "Only the widths are there. Two bells of one width can still lie apart.": widths,
    }, rtol=1e-5)  # fmt: skip
    if not math.isclose(found, means + widths, rel_tol=1e-5):
        raise Hint(f"For means 1 and 4.5 and variances 4 and 12.25 it should be {means + widths}, not {found:g}.")
    return "3.5² for the means, and 1.5² for standard deviations of 2 and 3.5."


@exercise(
    "Whose circles are they here, and of whom do you ask whether it has company?",
    "the distances of all fakes to all reals are torch.cdist(fake, real); each real has its own radius, radii(real).",
)
def check_coverage(coverage) -> str:
    """coverage(real, fake): the share of reals whose circle, to their third neighbour, holds a fake."""
    random = torch.Generator().manual_seed(0)
    real = torch.randn(40, 2, generator=random)
    fake = torch.cat([torch.randn(15, 2, generator=random) * 0.6 + 0.5, torch.full((10, 2), 50.0)])
    inside = torch.cdist(fake, real) < _radii(real, 3)
    right = inside.any(dim=0).float().mean().item()
    found = number(coverage(real, fake))
    refuse(found, {
        "That is precision: the share of the fakes. Coverage is a share of the reals.": inside.any(dim=1).float().mean().item(),
        "That is recall: your circles are around the fakes. Draw them around the reals.": (
            torch.cdist(real, fake) < _radii(fake, 3)).any(dim=1).float().mean().item(),
        "Your circles reach to the second neighbour only: a point is its own nearest, at place 0.": (
            torch.cdist(fake, real) < _radii(real, 2)).any(dim=0).float().mean().item(),
        "You counted the reals. A share is the count divided by how many there are.": inside.any(dim=0).sum().item(),
        "Your circles reach to the fourth neighbour: at place 0 is the point itself, so that its third is at place 3.": (
            torch.cdist(fake, real) < _radii(real, 4)).any(dim=0).float().mean().item(),
        "That is a percentage; a share lies between 0 and 1.": 100 * right,
        "Upside down: that is the share of the reals whose circle is empty.": 1 - right,
        "You asked for circles that hold all the fakes. One fake inside is enough.": inside.all(dim=0).float().mean().item(),
        "That is the share of all pairs. Ask for each real whether any fake is inside, then take the mean.": inside.float().mean().item(),
    })  # fmt: skip
    if not math.isclose(found, right, abs_tol=1e-6):
        raise Hint(f"For a test of 40 reals and 25 fakes it should be {right:.3f}, not {found:.3f}.")
    return "A loner among the fakes has no circle of its own here. On the blank sheets with one of noise, coverage is below 0.01."


def _radii(points: Tensor, neighbours: int) -> Tensor:
    return torch.cdist(points, points).sort(dim=1).values[:, neighbours]


@exercise(
    "How must a copy that was moved down and right be moved so that it fits again, and which of its distances gives it away?",
    "how many moves down and how many right are there to try, and what do you keep from each before you try the next?",
)
def check_nearest_shifted(nearest_shifted) -> str:
    """nearest_shifted(images, pixels): for each image the distance to the nearest of the pixels, the best of nine shifts."""
    pixels = data.mnist().pixels[:60]
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    moved = [data.to_floats(pixels[n : n + 1]).roll(shift, dims=(2, 3)) for n, shift in enumerate(shifts)]
    images = torch.cat([*moved, data.to_floats(data.mnist("test").pixels[:3])])
    found = nearest_shifted(images, pixels)
    if isinstance(found, tuple) and len(found) == 2:
        raise Hint("You returned a pair. nearest_neighbours gives distances and indices; only the distances are asked for.")
    found = tensor(torch.as_tensor(found) if isinstance(found, list) else found)
    if found.shape != (len(images),):
        raise Hint(f"The result has shape {tuple(found.shape)}; {len(images)} images should give {len(images)} distances.")
    distances = [metrics.nearest_neighbours(images.roll(shift, dims=(2, 3)), pixels)[0] for shift in shifts]
    every = torch.stack(distances).cpu().double()
    mistakes = {
        "No image was moved: those are the distances as they are.": every[4],
        "That is the worst of the shifts. One that fits is enough to call it a copy: take the smallest.": every.max(dim=0).values,
        "That is the mean over the shifts. One that fits is enough: take the smallest.": every.mean(dim=0),
        "You move in one direction only. A copy may have been moved up or left as well: shifts of -1.": every[[4, 5, 7, 8]].min(dim=0).values,
        "You move up and left only. A copy may have been moved up or left, and fits when it is moved back: shifts of 1.": (
            every[[0, 1, 3, 4]].min(dim=0).values),
        "You move left and right only: up and down as well.": every[[3, 4, 5]].min(dim=0).values,
        "You move up and down only: left and right as well.": every[[1, 4, 7]].min(dim=0).values,
        "You move up, down, left and right, but never both ways at once: nine shifts, with the diagonal ones.": (
            every[[1, 3, 4, 5, 7]].min(dim=0).values),
        "The unmoved images are left out: 0 down and 0 right is one of the nine.": every[[0, 1, 2, 3, 5, 6, 7, 8]].min(dim=0).values,
    }  # fmt: skip
    refuse(found, mistakes, atol=2e-3)
    if (found < every.min(dim=0).values - 2e-3).any():
        raise Hint(
            "Some distances are smaller than any of the nine: shift by one pixel at most, and take distances, not indices."
        )
    if not torch.allclose(found, every.min(dim=0).values, atol=2e-3):
        raise Hint("Some distances are not the smallest over the nine shifts; use metrics.nearest_neighbours for each shift.")
    return "Nine copies caught, eight of them moved; three test digits left in peace."


@exercise(
    "Which images lie so far inside the data that no circle misses them, and how few of them are enough?",
    "ten test digits, one of each class, repeated: which ten are surely among the reals? Then make the copies differ.",
)
def check_swindle(swindle) -> str:
    """swindle: 2000 different images that all measures but recall and the distances praise."""
    images = _images(swindle)
    different = len(data.to_pixels(images).flatten(1).unique(dim=0))
    if different < 2000:
        raise Hint(f"Only {different} of the images are different: add noise too faint to see, and clamp to [-1, 1].")
    _judge_scores(images)
    near, _ = metrics.nearest_neighbours(images[::20], data.mnist().pixels)
    if (near < 0.1).float().mean() > 0.2:
        raise Hint("Your digits are copies from the training set, and the copies measure tells. Take them from the test set.")
    return "Ten classes, sure, precise, not copied, and worthless: only recall and the two distances tell."


def _judge_scores(images: Tensor) -> None:
    """A Hint where the scores are not those of the swindle that is asked for."""
    reading = classifiers.read_digits(images)
    reference = classifiers.read_digits(data.to_floats(data.mnist("test").pixels[1::5]))
    surest, digit = reading.probabilities.max(dim=1)
    classes, sure = metrics.effective_classes(metrics.class_shares(digit)), (surest >= 0.95).float().mean().item()
    precision, recall = metrics.precision_recall(reference.features, reading.features)
    if classes < 9.9:
        raise Hint(f"There are {classes:.1f} effective classes. Every digit should come 200 times, and be read as what it is.")
    if recall > 0.05:
        raise Hint(f"Recall is {recall:.2f}: your set covers too much of the data. Draw fewer kinds of each digit.")
    if precision < 0.95:
        raise Hint(
            f"Precision is {precision:.2f}: some of your digits lie at the edge of the data. Take the most usual one of each class."
        )
    if sure < 0.95:
        raise Hint(f"The classifier is sure of {sure:.0%} only: take clearer digits, or fainter noise.")


def _images(answer) -> Tensor:
    """The answer as 2000 images, floats in [-1, 1] with a dark background; a Hint where they are something else."""
    images = tensor(answer, (2000, 1, 28, 28)).float()
    low, high = images.min().item(), images.max().item()
    if low >= 0 and high > 2:
        raise Hint(
            f"Your numbers go from {low:.0f} to {high:.0f}, as uint8 pixels do; data.to_floats makes floats in [-1, 1] of those."
        )
    if low < -1.0001 or high > 1.0001:
        raise Hint(f"Your numbers go from {low:.2f} to {high:.2f}: clamp them to [-1, 1].")
    if low >= 0:
        raise Hint(f"Your numbers go from {low:.2f} to {high:.2f}, but images lie in [-1, 1]: black is -1, not 0.")
    return images.to(runtime.device())


@exercise(
    "Which of the six kinds spoils which number, and leaves which as good as a real digit's?",
    "begin with the number that is furthest from that of real digits, and ask which of the six could cause it.",
)
def check_mysteries(diagnosis) -> str:
    """diagnosis: a dict from the four letters to the names of the sets."""
    if not isinstance(diagnosis, dict) or not diagnosis or not set(diagnosis) <= set(_DIAGNOSIS):
        raise Hint('Expected a dict with the four letters: {"A": "…", "B": "…", "C": "…", "D": "…"}.')
    named = {letter: word(name, _SET_NAMES) for letter, name in diagnosis.items() if name is not ...}
    for letter, name in named.items():
        if name != _DIAGNOSIS[letter]:
            raise Hint(f"{letter} is not “{name}”. {_REASONS[letter]}")
    if left := sorted(set(_DIAGNOSIS) - set(named)):
        raise Hint(f"{'What you have named so far is right. ' if named else ''}Still without a name: {', '.join(left)}.")
    return "Each of the four was praised by at least two measures, and given away by another."
