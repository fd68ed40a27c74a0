"""How good are generated images? Distances between sets of features, coverage of classes, nearest neighbours.

The distances take features, tensors N×d, one row an image: numbers that a classifier computes on its way to an
answer. `classifiers` has one for digits and one for the cartoon faces; `score_digits` and `score_faces` take all
measures at once.
"""

import functools
import math
from typing import NamedTuple

import torch
from torch import Tensor

from gan_lessons import data
from gan_lessons.classifiers import read_digits, read_faces

# ------------------------------------------------------------------------------ distances between feature sets


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """The Fréchet distance between the normal distributions that fit two feature sets N×d and M×d; 0 for equal ones.

    |μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2 (Σ₁Σ₂)^½) (Dowson and Landau, 1982; for images Heusel et al., 2017). It shrinks as
    N and M grow: compare only values from sets of equal size. Raises ValueError for other shapes, fewer than two
    rows and features that are not finite.
    """
    _check_features(real, fake, least=2)
    (mean_1, covariance_1), (mean_2, covariance_2) = (_moments(features) for features in (real, fake))
    # The eigenvalues of Σ₁Σ₂ are real and not negative; rounding may leave a little of either.
    roots = torch.linalg.eigvals(covariance_1 @ covariance_2).real.clamp(min=0).sqrt()
    distance = (mean_1 - mean_2).square().sum() + covariance_1.trace() + covariance_2.trace() - 2 * roots.sum()
    return max(distance.item(), 0.0)


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    features = features.cpu().double()  # mps knows no double precision
    return features.mean(dim=0), torch.atleast_2d(features.T.cov())


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """The kernel distance between two feature sets N×d and M×d: the unbiased estimate of the squared MMD.

    The kernel is (x·y / d + 1)³ (Bińkowski et al., 2018). Its expectation does not depend on N and M, and is 0 for
    two samples of one distribution, where a single estimate may fall below 0. Raises ValueError as
    `frechet_distance` does.
    """
    _check_features(real, fake, least=2)
    real, fake = real.float().cpu(), fake.float().cpu()
    n, m = len(real), len(fake)
    within = (_kernel_sum(real, real) - _kernel(real, real).sum()) / (n * (n - 1))
    within += (_kernel_sum(fake, fake) - _kernel(fake, fake).sum()) / (m * (m - 1))
    return (within - 2 * _kernel_sum(real, fake) / (n * m)).item()


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """The kernel of each row with the row beside it."""
    return ((x * y).sum(dim=1) / x.shape[1] + 1).pow(3).double()


def _kernel_sum(x: Tensor, y: Tensor) -> Tensor:
    """The sum of the kernel over all pairs of rows, a chunk of pairs at a time."""
    # Single precision is enough for each value, but not for a sum of a hundred million of them.
    return sum(((part / x.shape[1]) @ y.T).add_(1).pow_(3).sum(dtype=torch.float64) for part in x.split(500))


def precision_recall(real: Tensor, fake: Tensor, neighbours: int = 3) -> tuple[float, float]:
    """Precision, the share of the fakes M×d among the reals, and recall, the share of the reals N×d among the fakes.

    A point lies among a set if some point of the set is nearer to it than to its own so-manyth neighbour in the set
    (Kynkäänniemi et al., 2019). Raises ValueError as `frechet_distance` does, and where a set has no such neighbour.
    """
    _check_features(real, fake, least=neighbours + 1)
    if neighbours < 1:
        raise ValueError(f"neighbours is a whole number of at least 1, not {neighbours}.")
    return _share_among(real, fake, neighbours), _share_among(fake, real, neighbours)


def _share_among(region: Tensor, points: Tensor, neighbours: int) -> float:
    # A point is its own nearest, at distance 0: hence one more.
    radii = torch.cat([_distances(part, region).kthvalue(neighbours + 1).values for part in region.split(1000)])
    among = torch.cat([(_distances(part, region) < radii).any(dim=1) for part in points.split(1000)])
    return among.float().mean().item()


def _distances(x: Tensor, y: Tensor) -> Tensor:
    # The quick way to the distances, through a matrix product, gives a point some distance to itself.
    return torch.cdist(x.float(), y.float(), compute_mode="donot_use_mm_for_euclid_dist")


def _check_features(real: Tensor, fake: Tensor, least: int) -> None:
    if real.dim() != 2 or fake.dim() != 2 or real.shape[1] != fake.shape[1] or 0 in real.shape:
        raise ValueError(
            f"Expected features of shape N×d and M×d, a row an image, got {tuple(real.shape)} and {tuple(fake.shape)}; "
            "flatten(1) makes rows of images."
        )
    if min(len(real), len(fake)) < least:
        raise ValueError(f"There are {len(real)} real and {len(fake)} fake rows; this needs at least {least} of each.")
    for name, features in (("real", real), ("fake", fake)):
        if not features.isfinite().all():
            raise ValueError(f"The {name} features hold NaN or infinity: the generator has diverged.")


# --------------------------------------------------------------------------------------- coverage of classes


def class_shares(labels: Tensor, classes: int = 10) -> Tensor:
    """The share of each class among the labels (int64 N, from 0 to classes - 1): `classes` numbers that add up to 1."""
    if labels.dim() != 1 or len(labels) == 0 or labels.is_floating_point() or not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"Expected at least one label, whole numbers from 0 to {classes - 1} in one row.")
    return torch.bincount(labels, minlength=classes) / len(labels)


def effective_classes(shares: Tensor) -> float:
    """exp(entropy) of shares that add up to 1: how many equally frequent classes would be as varied, from 1 to K."""
    if shares.dim() != 1 or shares.min() < 0 or not math.isclose(shares.sum().item(), 1, abs_tol=1e-4):
        raise ValueError(f"Expected shares of shape K, none below 0, that add up to 1; they add up to {shares.sum().item():g}.")
    return torch.special.entr(shares.cpu().double()).sum().exp().item()


# -------------------------------------------------------------------------------------- nearest neighbours


def nearest_neighbours(images: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """For each of the images (float N×C×H×W in [-1, 1]) the nearest in a data set (uint8 M×C×H×W), by its pixels.

    Returns the distances, root mean squared differences from 0 to 2, and the indices into the data set; both of
    length N. Raises ValueError where the images differ in shape.
    """
    if images.dim() != 4 or images.shape[1:] != pixels.shape[1:]:
        raise ValueError(f"Expected images of one shape C×H×W, got {tuple(images.shape)} and {tuple(pixels.shape)}.")
    rows = images.flatten(1)
    best, index = torch.full_like(rows[:, 0], math.inf), torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    chunk = max(1, 8_000_000 // rows.shape[1])  # images; as floats they take 32 MB
    for start, part in zip(range(0, len(pixels), chunk), pixels.split(chunk)):
        distance, nearest = torch.cdist(rows, data.to_floats(part).flatten(1)).min(dim=1)
        closer = distance < best
        best[closer], index[closer] = distance[closer], nearest[closer] + start
    return best / math.sqrt(rows.shape[1]), index


# ----------------------------------------------------------------------------------- all measures at once


class DigitScores(NamedTuple):
    """Scores of generated digits; `sure` is the share that the classifier gives a digit at least 95 %."""

    frechet: float
    kernel: float
    precision: float
    recall: float
    effective_classes: float
    sure: float

    def __str__(self) -> str:
        return (
            f"digit Fréchet distance {self.frechet:.1f}, kernel distance {self.kernel:.1f}, precision {self.precision:.2f}, "
            f"recall {self.recall:.2f}, {self.effective_classes:.1f} classes, {self.sure:.0%} sure"
        )


def score_digits(images: Tensor) -> DigitScores:
    """Score generated digits (float N×1×28×28 in [-1, 1]) against the 10 000 of the test set.

    The digit Fréchet distance is no FID: its features are those of a digit classifier. Distances depend on N; with
    10 000 images, compare with 10 000. Precision and recall use the first 5000 images of each set.
    """
    fake, real = read_digits(images), _test_features()
    precision, recall = precision_recall(real[:5000], fake.features[:5000])
    surest, digit = fake.probabilities.max(dim=1)
    return DigitScores(
        frechet_distance(real, fake.features),
        kernel_distance(real, fake.features),
        precision,
        recall,
        effective_classes(class_shares(digit)),
        (surest >= 0.95).float().mean().item(),
    )


@functools.cache
def _test_features() -> Tensor:
    return read_digits(data.to_floats(data.mnist("test").pixels)).features


class FaceScores(NamedTuple):
    """Scores of generated faces."""

    frechet: float
    kernel: float
    precision: float
    recall: float

    def __str__(self) -> str:
        return (
            f"face Fréchet distance {self.frechet:.1f}, kernel distance {self.kernel:.1f}, "
            f"precision {self.precision:.2f}, recall {self.recall:.2f}"
        )


def score_faces(images: Tensor) -> FaceScores:
    """Score generated faces (float N×3×64×64 in [-1, 1]) against the 1000 of the test set.

    The face Fréchet distance is no FID: its features are those of a classifier of these faces. Distances depend on N;
    with 1000 images, compare with 1000.
    """
    real, fake = _test_face_features(), read_faces(images).features
    return FaceScores(frechet_distance(real, fake), kernel_distance(real, fake), *precision_recall(real, fake))


@functools.cache
def _test_face_features() -> Tensor:
    return read_faces(data.to_floats(data.faces("test").pixels)).features
