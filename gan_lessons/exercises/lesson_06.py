"""The checks of lesson 06, measuring GANs."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_lessons import classifiers, data, metrics, runtime
from gan_lessons.exercises import Answer, Hint, described, exercise, number, refuse, tensor


@exercise(
    "Which of the four terms would you test alone first, and on which features would you see it?",
    "take two large sets that differ in their means alone, then in their widths alone, then in how two features vary together.",
)
def check_repaired(repaired) -> str:
    """repaired(real, fake): the Fréchet distance, from a version with three mistakes."""
    random = torch.Generator().manual_seed(0)
    mix = torch.tensor([[1.0, 0.8, 0.0], [0.0, 0.6, -0.5], [0.0, 0.0, 0.9]])
    real = torch.randn(12, 3, generator=random) @ mix
    fake = 1.5 * torch.randn(15, 3, generator=random) @ mix.T + torch.tensor([0.5, -1.0, 2.0])
    found = number(repaired(real.clone(), fake.clone()))
    refuse(found, {_LEFT[mistakes]: _frechet(real, fake, mistakes) for mistakes in _LEFT} | {
        "You took a root at the end. The distance, as papers report it, is the sum of the squares itself.": (
            metrics.frechet_distance(real, fake) ** 0.5),
        "The means are missing: two sets may have one shape and lie apart.": (
            metrics.frechet_distance(real - real.mean(dim=0), fake - fake.mean(dim=0))),
    }, rtol=1e-4)  # fmt: skip
    right = metrics.frechet_distance(real, fake)
    if not math.isclose(found, right, rel_tol=1e-3):
        raise Hint(f"For a test of 12 reals and 15 fakes with three features it should be {right:.3f}, not {found:.3f}.")
    return "The means are summed, the covariances divided by N - 1, and the root is that of the matrix."


def _frechet(real: Tensor, fake: Tensor, mistakes: str) -> float:
    """The Fréchet distance with some of the mistakes: "m" the means, "c" the covariances, "r" the root."""
    real, fake = real.double(), fake.double()
    squares = (real.mean(dim=0) - fake.mean(dim=0)).square()
    covariances = [each.T.cov(correction=0 if "c" in mistakes else 1) for each in (real, fake)]
    product = covariances[0] @ covariances[1]
    root = (
        product.clamp(min=0).sqrt().trace() if "r" in mistakes else torch.linalg.eigvals(product).real.clamp(min=0).sqrt().sum()
    )
    means = squares.mean() if "m" in mistakes else squares.sum()
    return (means + covariances[0].trace() + covariances[1].trace() - 2 * root).item()


_ROOT = "The root of a matrix is not the matrix of the roots: what would that give where two features vary together?"
_SPREAD = (
    "The covariances are too small, by a factor that is nearly 1 for large sets: by what does an estimate from N points divide?"
)
_MEANS = "The means do not weigh enough: are the squared steps of all features added up, as the formula says?"
_LEFT = {
    "mcr": "All three mistakes are still there.",
    "mc": f"The root is right now, and two mistakes are left. {_MEANS}",
    "mr": f"The covariances are right now, and two mistakes are left. {_ROOT}",
    "cr": f"The means are right now, and two mistakes are left. {_ROOT}",
    "m": f"One mistake is left. {_MEANS}",
    "c": f"One mistake is left. {_SPREAD}",
    "r": f"One mistake is left. {_ROOT}",
}


@exercise(
    "Whose circles are they here, and of whom do you ask whether it has company?",
    "the distances of all fakes to all reals are torch.cdist(fake, real); each real has its own radius, radii(real).",
)
def check_coverage(answers) -> str:
    """Three things: coverage(real, fake), the share of reals whose circle holds a fake, that of the sheets, that of the 250."""
    if not isinstance(answers, tuple) or len(answers) != 3 or not callable(answers[0]):
        raise Hint("Three things are expected: the function `coverage`, and the numbers `of_sheets` and `of_few`.")
    _judge_coverage(Answer(answers[0]))
    if answers[1] is ...:
        raise Hint("Your function is right. Now call it: `of_sheets` is still to come.")
    found = number(answers[1])
    if found > 0.5:
        raise Hint(
            f"Your function is right, but `of_sheets` is {found:.2f}, what recall gives: hand over the reals first, then the fakes."
        )
    if not 0 <= found < 0.01:
        raise Hint(
            f"Your function is right, but `of_sheets` should be much smaller than {found:.3f}: is it of the set with the noise?"
        )
    _judge_few(answers[2])
    return f"A loner among the fakes has no circle here: the sheets cover {found:.4f}. And the 250 cover a third, however often they are shown."


def _judge_few(answer) -> None:
    """A Hint where the number is not the coverage of 250 digits."""
    if answer is ...:
        raise Hint("`coverage` and `of_sheets` are right. Now ask it about the 250 digits: `of_few` is still to come.")
    found = number(answer)
    if found < 0.2:
        raise Hint(f"`of_few` should be more than {found:.2f}: is that the recall, which from four copies on falls to 0?")
    if found > 0.45:
        raise Hint(f"`of_few` should be less than {found:.2f}: hand over the reals first, and then the 250 digits.")


def _judge_coverage(coverage: Answer) -> None:
    """A Hint where the function does not give the coverage of a small test."""
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


def _radii(points: Tensor, neighbours: int) -> Tensor:
    return torch.cdist(points, points).sort(dim=1).values[:, neighbours]


BAR, PERFECT = 0.15, 0.26  # bits


@exercise(
    "How would you notice that your critic has begun to learn its 200 points by heart?",
    "keep 50 points of each for yourself, train on the others, and stop when the bits of the 50 no longer rise.",
)
def check_critic(train_critic) -> str:
    """train_critic(real, fake): a network that tells a ring of eight modes from a plain circle, from 200 points of each."""
    bits = []
    for seed in range(3):
        real, fake, new_real, new_fake = (*_ring_and_circle(200, seed), *_ring_and_circle(4000, 100 + seed))
        critic = train_critic(real, fake)
        if not callable(critic):
            raise Hint(f"A network is expected, not {described(critic)}.")
        judge = Answer(critic)
        with torch.no_grad():
            logits = [_logits(judge, points) for points in (real, fake, new_real, new_fake)]
        bits.append((_bits(*logits[:2]), _bits(*logits[2:])))
        _judge_logits(logits)
    known, new = (sum(column) / 3 for column in zip(*bits))
    if new < BAR:
        raise Hint(_why_too_few(known, new))
    return f"{new:.2f} bits on new points, of the {PERFECT} that a perfect critic has; on its own 200 your critic claims {known:.2f}."


def _ring_and_circle(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """n points of eight modes on a ring of radius 2, and n of the plain circle, with a spread of 0.2."""
    random = torch.Generator().manual_seed(seed)
    angles = torch.randint(8, (n,), generator=random) * math.pi / 4
    modes = 2 * torch.stack([angles.cos(), angles.sin()], dim=1) + 0.2 * torch.randn(n, 2, generator=random)
    angles, radii = 2 * math.pi * torch.rand(n, generator=random), 2 + 0.2 * torch.randn(n, generator=random)
    device = runtime.device()
    return modes.to(device), (radii[:, None] * torch.stack([angles.cos(), angles.sin()], dim=1)).to(device)


def _logits(critic: Answer, points: Tensor) -> Tensor:
    logits = tensor(critic(points))
    if logits.numel() != len(points):
        raise Hint(f"For {len(points)} points the network gives {described(logits)}; one logit for each is expected.")
    return logits.flatten()


def _bits(real: Tensor, fake: Tensor) -> float:
    return 1 - (softplus(-real).mean() + softplus(fake).mean()).item() / math.log(4)


def _judge_logits(logits: list[Tensor]) -> None:
    every = torch.cat(logits)
    if every.min() >= 0 and every.max() <= 1:
        raise Hint(
            "All that the network gives lies between 0 and 1, like probabilities. Logits are asked for: leave the sigmoid out."
        )
    if _bits(-logits[0], -logits[1]) > max(0.02, _bits(*logits[:2])):
        raise Hint("The network gives high logits to the fakes and low ones to the reals: turn the signs round.")


def _why_too_few(known: float, new: float) -> str:
    told = f"On new points it tells {new:.2f} bits; {BAR} are asked for."
    if known > new + 0.06:
        return f"{told} On the points that it has learned from it claims {known:.2f}: it has learned them by heart. Stop earlier."
    if known < 0.03:
        return f"{told} On its own points it tells no more ({known:.2f}): a line cannot part a ring from a circle, and neither can a few turns."
    return f"{told} On its own points it claims {known:.2f}."


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
    if _copied_from(images[::20], data.mnist().pixels, 0.1) > 0.2:
        raise Hint("Your digits are copies from the training set, and the copies measure tells. Take them from the test set.")
    if _copied_from(images[::21], data.mnist("test").pixels[1::5], 0.06) > 0.05:
        raise Hint(
            "Some of your digits are the reference's own, so that each lies in its own circle. Take test digits that are not in it."
        )
    return "Ten classes, sure, precise, not copied, and worthless: only recall and the two distances tell."


def _copied_from(images: Tensor, pixels: Tensor, nearer: float) -> float:
    """The share of the images that lie nearer than that to one of the data set's, by their pixels."""
    distances, _ = metrics.nearest_neighbours(images, pixels)
    return (distances < nearer).float().mean().item()


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
    "The distance is about a + c/N. Over which quantity do these points lie on a line, and where on that line is N infinite?",
    "measure at several N, such as 200, 300, 400 and 500, taking many random subsets of each, and fit a line over 1/N.",
)
def check_at_infinity(at_infinity) -> str:
    """at_infinity(real, fake): the Fréchet distance that N → ∞ would give (Chong and Forsyth, 2020), from 500 rows of each."""
    found, plain = [], []
    torch.manual_seed(0)
    for seed in range(10):
        real, fake = _clouds(seed)
        plain.append(metrics.frechet_distance(real, fake))
        found.append(number(at_infinity(real.clone(), fake.clone())))
    bias, plain_bias = (sum(values) / 10 - _APART for values in (found, plain))
    if abs(bias) > _LEAST * plain_bias:
        raise Hint(_why_biased(bias, plain_bias))
    return f"On average of ten pairs the distance itself is {plain_bias:.2f} too large, and yours misses the truth by {abs(bias):.2f}."


_WIDTH, _MOVED, _FEATURES, _LEAST = 1.2, 0.1, 32, 0.25
_APART = _FEATURES * ((_WIDTH - 1) ** 2 + _MOVED**2)  # the true distance of the two clouds


def _clouds(seed: int) -> tuple[Tensor, Tensor]:
    """500 points each of two bells with 32 independent features, in widths and means a little apart."""
    random = torch.Generator().manual_seed(seed)
    real, fake = torch.randn(2, 500, _FEATURES, generator=random)
    return real, _WIDTH * fake + _MOVED


def _why_biased(bias: float, plain: float) -> str:
    told = f"The true distance is {_APART:.2f}, and on average of ten pairs you are {bias:+.2f} off; the distance itself {plain:+.2f}."
    if bias > 10 * _APART:
        return f"{told} That is the slope c of the line. Asked for is its height a where 1/N is 0."
    if abs(bias - plain) < 0.02 * plain:
        return f"{told} So that is the distance itself, as it comes out at N = 500."
    if bias > plain:
        return f"{told} You are further off than before: is it a line over 1/N, read at 1/N = 0?"
    if bias > 0:
        return f"{told} The line was laid over something else than 1/N, or its points scatter: more subsets at each N help."
    return f"{told} You have taken away too much: is c/N counted once, at the N that it belongs to?"
