"""Distributions in one and two dimensions with known densities, and the count of the modes that samples cover.

Each is a `torch.distributions` object on the device: `.sample((n, 1))` in 1-D or `.sample((n,))` in 2-D draws n
points, and `.log_prob(points)` is the exact log density.
"""

import math

import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from gan_lessons import runtime


def bump(mean: float = 0.0, std: float = 1.0) -> Normal:
    """The normal distribution in 1-D. Raises ValueError unless std > 0."""
    _check_positive("std", std)
    return Normal(torch.tensor(float(mean), device=runtime.device()), torch.tensor(float(std), device=runtime.device()))


def two_bumps(means: tuple[float, float] = (-1.0, 1.0), std: float = 0.25, left: float = 0.5) -> MixtureSameFamily:
    """Two normal distributions of one std in 1-D; a point comes from the first with probability `left`.

    Raises ValueError unless std > 0 and 0 < left < 1.
    """
    _check_positive("std", std)
    if len(means) != 2:
        raise ValueError(f"Two bumps have two means, not {len(means)}.")
    if not 0 < left < 1:
        raise ValueError(f"left is a probability between 0 and 1, both excluded, not {left}.")
    weights = torch.tensor([left, 1 - left], device=runtime.device())
    return MixtureSameFamily(Categorical(weights), Normal(torch.tensor(means, device=runtime.device()), float(std)))


def ring_centres(modes: int = 8, radius: float = 2.0) -> Tensor:
    """The centres of a ring's modes, modes×2: evenly spaced on a circle around 0, the first at (radius, 0).

    Raises ValueError unless modes >= 1 and radius > 0.
    """
    if modes < 1 or modes != int(modes):
        raise ValueError(f"A ring has a whole number of modes, at least 1, not {modes}.")
    _check_positive("radius", radius)
    angles = torch.arange(int(modes), device=runtime.device()) * (2 * math.pi / modes)
    return radius * torch.stack([angles.cos(), angles.sin()], dim=1)


def ring(modes: int = 8, radius: float = 2.0, std: float = 0.15) -> MixtureSameFamily:
    """Round normal distributions in 2-D, equally likely, on a circle around 0 (after Metz et al., 2017).

    Raises ValueError unless modes >= 1, radius > 0 and std > 0.
    """
    _check_positive("std", std)
    centres = ring_centres(modes, radius)
    return MixtureSameFamily(Categorical(torch.ones_like(centres[:, 0])), Independent(Normal(centres, float(std)), 1))


def ring_references(n: int = 4000, modes: int = 8, radius: float = 2.0, std: float = 0.15) -> dict[str, Tensor]:
    """Three bags of n points (n×2) to print beside a generator's: what a count of the ring's modes says of them is known.

    "the data" are samples of the ring; "a thin circle" are n points evenly spaced on the ring's circle, which has no
    modes at all; "one point" is the first centre, n times. Raises ValueError as `ring` does, and unless n >= 1.
    """
    if n < 1:
        raise ValueError(f"A bag has at least 1 point, not {n}.")
    centres = ring_centres(modes, radius)
    return {
        "the data": ring(modes, radius, std).sample((n,)),
        "a thin circle": ring_centres(n, radius),
        "one point": centres[:1].repeat(n, 1),
    }


def mode_shares(samples: Tensor, centres: Tensor, std: float, within: float = 2.0) -> Tensor:
    """The share of the samples (N×d) at each of the centres (K×d): K numbers from 0 to 1 whose sum is at most 1.

    A sample counts for its nearest centre, and only if it lies no further than `within` standard deviations
    from it. Raises ValueError for other shapes, and unless std > 0 and within > 0.
    """
    if samples.dim() != 2 or centres.dim() != 2 or samples.shape[1] != centres.shape[1] or 0 in samples.shape:
        raise ValueError(
            f"Expected samples of shape N×d and centres of shape K×d, N at least 1, got {tuple(samples.shape)} "
            f"and {tuple(centres.shape)}."
        )
    _check_positive("std", std)
    _check_positive("within", within)
    distance, nearest = torch.cdist(samples, centres).min(dim=1)
    return torch.bincount(nearest[distance <= within * std], minlength=len(centres)) / len(samples)


def share_of_the_data(modes: int, within: float = 2.0, dimensions: int = 2) -> float:
    """What `mode_shares` is on average for the data itself: K round, equally likely normal distributions far apart.

    This is P(chi² <= within²) / K with `dimensions` degrees of freedom: (1 - exp(-within² / 2)) / K in the plane.
    """
    half = torch.tensor([dimensions, within**2], dtype=torch.float64) / 2
    return torch.special.gammainc(half[0], half[1]).item() / modes


def modes_covered(samples: Tensor, centres: Tensor, std: float, within: float = 2.0, least: float = 0.6) -> int:
    """How many of the centres (K×d) hold at least `least` times the share of the samples (N×d) that the data has there.

    Shares are counted as in `mode_shares`; the data's is `share_of_the_data`. The narrow radius keeps out what only
    passes by: a thin circle through all the centres of the default ring has 0.44 of the data's share at each.
    Raises ValueError as `mode_shares` does, and unless 0 < least <= 1.
    """
    if not 0 < least <= 1:
        raise ValueError(f"least is a fraction of the data's share, above 0 and at most 1, not {least}.")
    shares = mode_shares(samples, centres, std, within)
    return int((shares >= least * share_of_the_data(len(centres), within, centres.shape[1])).sum())


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} is a finite number above 0, not {value}.")
