"""The checks of lesson 09, latent space."""

import torch
from torch.nn.functional import cosine_similarity

from gan_lessons import latent
from gan_lessons.exercises import Hint, exercise


def _codes(n: int, seed: int, size: int = 100) -> torch.Tensor:
    return torch.randn(n, size, generator=torch.Generator().manual_seed(seed))


def _angle(a: torch.Tensor, b: torch.Tensor) -> float:
    return cosine_similarity(a.double(), b.double(), dim=0).clamp(-1, 1).arccos().item()


@exercise("divide a and b by their lengths, go from one to the other with slerp, and multiply by the length that t asks for.")
def check_arc(arc_between) -> str:
    """arc_between(a, b, t): the direction on the arc at even speed, the length evenly from |a| to |b|."""
    a, b = _codes(2, 1)
    a, b = 8 * a / a.norm(), 12 * b / b.norm()
    whole = _angle(a, b)
    for t in (0.0, 0.25, 0.5, 0.75, 1.0):
        point = arc_between(a.clone(), b.clone(), t)
        if not torch.is_tensor(point) or point.shape != a.shape:
            raise Hint(f"The result should be a code of 100 numbers, not {getattr(point, 'shape', type(point).__name__)}.")
        turned, wanted, length = _angle(a, point), 8 + 4 * t, point.norm().item()
        if torch.allclose(point, a + t * (b - a), atol=1e-3) and 0 < t < 1:
            raise Hint("That is the straight way, which passes through the inside of the shell.")
        if abs(turned - (1 - t) * whole) < 1e-3 and abs(t - 0.5) > 0.1:
            raise Hint("At t = 0 you are at b: a is the start, so its share falls as t grows.")
        if torch.allclose(point, latent.slerp(a, b, t), atol=1e-3) and abs(length - wanted) > 1e-2:
            raise Hint(f"That is slerp: from lengths 8 and 12 it gives {length:.2f} at t = {t}, where {wanted:.0f} is wanted.")
        if abs(turned - t * whole) > 1e-3:
            raise Hint(f"At t = {t} the direction has turned by {turned / whole:.2f} of the angle, not {t}: its speed is uneven.")
        if abs(length - wanted) > 1e-3 * wanted:
            raise Hint(f"From lengths 8 and 12, t = {t} should give a length of {wanted:.0f}; yours is {length:.2f}.")
    return "A quarter of the time is a quarter of the angle, and the length grows evenly."


@exercise(
    "for code i the next is code i + 1, after the last the first again; torch.arange(n) / n gives n values of t that stop short of 1."
)
def check_tour(tour) -> str:
    """tour(codes, n): a closed tour on arcs, n codes for each arc, none twice."""
    codes = _codes(4, 2)
    result = tour(codes.clone(), 5)
    if not torch.is_tensor(result) or result.dim() != 2 or result.shape[1] != 100:
        raise Hint(f"The tour should be one tensor of shape 20×100, not {tuple(getattr(result, 'shape', ()))}.")
    if len(result) == 15:
        raise Hint("There are 15 codes for 4 codes of 5: the arc from the last code back to the first is missing.")
    if len(result) != 20:
        raise Hint(f"4 arcs of 5 pictures are 20 codes, but there are {len(result)}.")
    steps = (result.roll(-1, 0) - result).norm(dim=1)
    if (steps < 1e-3).any():
        raise Hint("Two pictures in a row are the same: an arc must not end where the next begins, so t stops short of 1.")
    for i in range(4):
        if not torch.allclose(result[5 * i], codes[i], atol=1e-3):
            raise Hint(f"Row {5 * i} should be code {i}.")
    expected = torch.cat([latent.slerp(codes[i], codes[(i + 1) % 4], torch.arange(5) / 5) for i in range(4)])
    if torch.allclose(result[:15], expected[:15], atol=1e-3) and not torch.allclose(result, expected, atol=1e-3):
        raise Hint("The tour does not close: the last arc should lead from the last code back to the first.")
    if not torch.allclose(result, expected, atol=1e-3):
        shortest = result.norm(dim=1).min().item()
        what = "that is the straight way" if shortest < 8 else "the steps along an arc are not even"
        raise Hint(f"The tour passes through all codes, but between them {what}: row 1 should be slerp at t = 1/5.")
    return "Twenty pictures, and the twenty-first is the first again."


@exercise(
    "find vectors of length 1, at right angles to each other, that span the others (torch.linalg.qr), and take each one's share away."
)
def check_without(without_all) -> str:
    """without_all(direction, others): length 1, at right angles to each of the others."""
    direction, *others = _codes(4, 3)
    others = torch.stack([3 * others[0], others[1] + others[0], 0.5 * others[2] - others[1] + direction])
    given = direction.clone(), others.clone()
    result = without_all(direction, others)
    if not torch.equal(direction, given[0]) or not torch.equal(others, given[1]):
        raise Hint("The vectors that were given have changed; work on copies.")
    if not torch.is_tensor(result) or result.shape != (100,):
        raise Hint(f"The result should be a vector of 100 numbers, not {tuple(getattr(result, 'shape', ()))}.")
    cosines = cosine_similarity(result[None], others).abs()
    basis = torch.linalg.qr(others.T)[0]
    expected = direction - basis @ (basis.T @ direction)
    if cosines.max() > 1e-3:
        single = without_all(direction, others[:1])
        if cosine_similarity(single, others[0], dim=0).abs() > 1e-3:
            raise Hint(
                "It is not even at right angles to one: of v, take (u·v)/(v·v) · v away; the others need not have length 1."
            )
        raise Hint(
            f"Each alone is taken out rightly, but a cosine of {cosines.max():.2f} is left: the others overlap, so that taking one out "
            "brings another back. Make them a basis at right angles first."
        )
    if cosine_similarity(result, expected, dim=0) < 0.999:
        raise Hint("It is at right angles to the others, but no longer what is left of the direction: it points elsewhere.")
    if abs(result.norm().item() - 1) > 1e-3:
        raise Hint(f"Its length is {result.norm():.2f}; divide by it, so that a step of 3 is as long as with other directions.")
    return "At right angles to all of them, and as near to the old direction as that allows."


@exercise("draw z, then while any number lies outside, draw only those anew: z[outside] = torch.randn(how many).")
def check_truncated(truncated) -> str:
    """truncated(n, latent_size, limit): normal numbers, those outside the limit drawn again."""
    z = truncated(2000, 50, 0.8)
    if not torch.is_tensor(z) or z.shape != (2000, 50):
        raise Hint(f"The codes should be of shape 2000×50, not {tuple(getattr(z, 'shape', ()))}.")
    if z.abs().max() > 0.8:
        raise Hint(
            f"One number is {z.abs().max():.2f}, outside the limit of 0.8. A number drawn anew may be outside again: repeat."
        )
    if (z.abs() > 0.7999).float().mean() > 0.01:
        raise Hint("Many numbers lie exactly at the limit: they were cut off there. Draw them again instead.")
    if (z == 0).float().mean() > 0.01:
        raise Hint("Many numbers are exactly 0: those outside were wiped out. Draw them again instead.")
    low, high = (truncated(2000, 50, limit).std().item() for limit in (0.8, 1.5))
    # The standard deviations of a normal number within ±0.8 and ±1.5; of a uniform one they are 0.462 and 0.866.
    if abs(low - 0.4424) > 0.008 or abs(high - 0.7426) > 0.012:
        raise Hint(
            f"Within ±1.5 the spread should be 0.74, and yours is {high:.2f}: draw from the normal distribution and do not "
            "scale, so that small numbers stay as they were drawn."
        )
    if torch.equal(truncated(2, 50, 0.8), truncated(2, 50, 0.8)):
        raise Hint("Two calls give the same codes: leave the seed alone.")
    return f"All within the limit, and nothing piles up at it. With 0.8 a z of 100 numbers is only {10 * low:.1f} long: that is the price."
