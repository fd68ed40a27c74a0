"""The latent space: ways between two codes, and directions along which pictures change.

A code is a vector z of latent_size numbers; functions take float tensors …×latent_size and keep the leading shape.
"""

from collections.abc import Callable
from math import pi

import torch
from torch import Tensor, nn

Way = Callable[[Tensor, Tensor, float | Tensor], Tensor]


def lerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """The point at t on the straight line from a (t = 0) to b (t = 1).

    a and b of shape …×latent_size; t is a number, or a tensor with one number for each code: a and b of shape
    latent_size and nine values of t give 9×latent_size. Raises ValueError where a and b differ in their last size.
    """
    t = _against(a, b, t)
    return a + t * (b - a)


def slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """The point at t on the arc from a (t = 0) to b (t = 1): sin((1-t)Ω)/sin Ω · a + sin(tΩ)/sin Ω · b (Shoemake, 1985).

    Ω is the angle between a and b; codes of equal length keep that length all the way. Shapes as for `lerp`, which it
    equals where a and b point the same way. Raises ValueError where a or b is zero, which has no direction, and where
    they point opposite ways, between which no arc is the shortest.
    """
    t = _against(a, b, t)
    omega = _angle(a, b).unsqueeze(-1)
    same_way = omega < 1e-4
    sine = torch.where(same_way, 1.0, omega.sin())
    arc = ((1 - t) * omega).sin() / sine * a + (t * omega).sin() / sine * b
    return torch.where(same_way, a + t * (b - a), arc)


def path(a: Tensor, b: Tensor, n: int, way: Way = slerp) -> Tensor:
    """n codes from a to b at equal steps, both ends included, straight (`lerp`) or on the arc (`slerp`).

    a and b of shape …×latent_size give n×…×latent_size. Raises ValueError for fewer than two.
    """
    if n < 2:
        raise ValueError(f"A path has at least its two ends, so n must be 2 or more, not {n}.")
    return way(a, b, torch.linspace(0, 1, n, device=a.device, dtype=a.dtype).reshape(n, *[1] * (a.dim() - 1)))


def _against(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """t as a tensor that multiplies whole codes."""
    if a.shape[-1:] != b.shape[-1:]:
        raise ValueError(f"There is no way between codes of shape {tuple(a.shape)} and {tuple(b.shape)}: their sizes differ.")
    return torch.as_tensor(t, device=a.device, dtype=a.dtype).unsqueeze(-1)


def _angle(a: Tensor, b: Tensor) -> Tensor:
    """The angle between two codes in radians; by Kahan's formula, which is exact for small angles too."""
    lengths = a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)
    if any((length == 0).any() for length in lengths):
        raise ValueError("A code of zeros has no direction, so there is no arc from it or to it: use lerp.")
    u, v = a / lengths[0], b / lengths[1]
    omega = 2 * torch.atan2((u - v).norm(dim=-1), (u + v).norm(dim=-1))
    if (omega > pi - 1e-3).any():
        raise ValueError("The two codes point opposite ways, and of all the arcs between them none is the shortest: use lerp.")
    return omega


def first_layer(generator: nn.Module) -> Tensor:
    """The weight that meets z first, as a matrix outputs×latent_size, inside wrappers too.

    Raises ValueError for a generator that has neither a Linear nor a ConvTranspose2d.
    """
    for module in generator.modules():
        if isinstance(module, nn.Linear):
            return module.weight.detach()
        if isinstance(module, nn.ConvTranspose2d):
            return module.weight.detach().flatten(1).T
    raise ValueError(
        f"A {type(generator).__name__} without a Linear or a ConvTranspose2d: no layer is known by which z comes in. "
        "Use a generator of gan_lessons.models, or one built like it."
    )


def principal_directions(generator: nn.Module, n: int) -> Tensor:
    """The n directions of z that the first layer stretches most, the strongest first: SeFa (Shen and Zhou, 2021).

    Unit vectors at right angles, n×latent_size: the first right singular vectors of the layer's weight, each signed so
    that its largest entry is positive. Raises ValueError for n outside 1…latent_size.
    """
    weight = first_layer(generator)
    if not 1 <= n <= weight.shape[1]:
        raise ValueError(f"z has {weight.shape[1]} dimensions, so there are 1 to {weight.shape[1]} directions, not {n}.")
    # Eigenvectors of the small square matrix: all latent_size of them, even where the layer has fewer outputs.
    matrix = weight.cpu().double()  # mps knows no double precision
    _, vectors = torch.linalg.eigh(matrix.T @ matrix)
    directions = vectors.T.flip(0)[:n]
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return (directions * largest.sign()).to(weight)


def mean_direction(z: Tensor, has: Tensor) -> Tensor:
    """The mean code of those that have it minus the mean code of the others (Radford et al., 2016).

    z of shape N×latent_size, `has` N times yes or no; of shape latent_size, and its length says how far the two means
    are apart. Raises ValueError where all are yes or all are no.
    """
    has = _checked(z, has)
    return z[has].mean(0) - z[~has].mean(0)


def linear_direction(z: Tensor, has: Tensor) -> Tensor:
    """The direction, a unit vector, in which a linear fit of yes and no on z rises.

    Regularised least squares (Hoerl and Kennard, 1970), so that 24 samples in 100 dimensions will do. z of shape
    N×latent_size, `has` N times yes or no. Raises ValueError where all are yes or all are no.
    """
    has = _checked(z, has).to(z.dtype)
    centred = z - z.mean(0)
    # As strong as the number of dimensions: the best of 1, 10 and 100 for 24 samples, and nothing lost for 5000.
    stiffness = z.shape[1] * torch.eye(z.shape[1], device=z.device, dtype=z.dtype)
    direction = torch.linalg.solve(centred.T @ centred + stiffness, centred.T @ (has - has.mean()))
    return direction / direction.norm()


def _checked(z: Tensor, has: Tensor) -> Tensor:
    """`has` as booleans on z's device, after a look at both."""
    has = torch.as_tensor(has, device=z.device).bool()
    if z.dim() != 2 or has.shape != z.shape[:1]:
        raise ValueError(
            f"Expected codes N×latent_size and N times yes or no, not shapes {tuple(z.shape)} and {tuple(has.shape)}."
        )
    if has.all() or not has.any():
        every = "all" if has.any() else "none"
        raise ValueError(f"Of the {len(has)} samples {every} have it: a direction needs some that do and some that do not.")
    return has
