"""The checks of lesson 09, latent space."""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from gan_lessons import latent
from gan_lessons.exercises import Hint, exercise, refuse, tensor


def _codes(n: int, seed: int, size: int = 100) -> Tensor:
    return torch.randn(n, size, generator=torch.Generator().manual_seed(seed))


def _angle(a: Tensor, b: Tensor) -> float:
    return cosine_similarity(a.double(), b.double(), dim=0).clamp(-1, 1).arccos().item()


@exercise(
    "slerp mixes direction and length. How do you let each of the two go its own way, and put them together again?",
    "what does slerp give for two codes that both have length 1? And which length is asked for at t = 0, at 1, and halfway?",
)
def check_arc(arc_between) -> str:
    """arc_between(a, b, t): the direction on the arc at even speed, the length evenly from |a| to |b|."""
    a, b = normalize(_codes(2, 1), dim=1)
    a, b = 8 * a, 12 * normalize(a + b, dim=0)  # far from a right angle
    for t in (0.0, 1.0, 0.25, 0.5, 0.75):
        _judge_point(tensor(arc_between(a, b, t), (100,)), a, b, t)
    return "A quarter of the time is a quarter of the angle, and the length grows evenly."


def _judge_point(point: Tensor, a: Tensor, b: Tensor, t: float) -> None:
    """A Hint where this is not the point at t between a of length 8 and b of length 12."""
    whole, turned, left = _angle(a, b), _angle(a, point), _angle(point, b)
    wanted, length = 8 + 4 * t, point.norm().item()
    if t == 0 and left < 1e-3:
        raise Hint("At t = 0 you are at b: a is the start, so its share falls as t grows.")
    if 0 < t < 1:
        refuse(point, {
            "That is the straight way, which passes through the inside of the shell.": latent.lerp(a, b, t),
            f"That is slerp: from lengths 8 and 12 it gives {length:.2f} at t = {t}, where {wanted:.0f} is wanted.": latent.slerp(a, b, t),
        }, atol=1e-3)  # fmt: skip
    if abs(turned - t * whole) > 1e-3:
        raise Hint(f"At t = {t} the direction has turned by {turned / whole:.3f} of the angle between a and b, not by {t} of it.")
    if abs(left - (1 - t) * whole) > 1e-3:
        raise Hint(f"At t = {t} the direction has turned far enough, but not towards b: it leaves the arc.")
    if abs(length - wanted) > 1e-3 * wanted:
        raise Hint(f"From lengths 8 and 12, t = {t} should give a length of {wanted:.0f}; yours is {length:.2f}.")


@exercise(
    "Which code follows the last one, and at which t must an arc stop so that no picture comes twice?",
    "write down the t of the n pictures of one arc, and which code each arc leads to, the last one too.",
)
def check_tour(tour) -> str:
    """tour(codes, n): a closed tour on arcs, n codes for each arc, none twice."""
    codes = _codes(4, 2)
    result = _twenty(tour(codes, 5))
    same = (result.roll(-1, 0) - result).norm(dim=1) < 1e-3
    if same.any():
        row = int(same.nonzero()[0])
        raise Hint(f"Rows {row} and {(row + 1) % 20} are the same: an arc must not end where the next begins, so t stops short of 1, "
                   "and each picture of an arc has a t of its own.")  # fmt: skip
    for i, code in enumerate(codes):
        if not torch.allclose(result[5 * i], code.double(), atol=1e-3):
            raise Hint(f"Row {5 * i} should be code {i}.")
    refuse(result, {
        "That is the straight way, which passes through the inside of the shell: use slerp.": _tour(codes, latent.lerp),
        "From each code you go to the one before it; go to the next one.": _tour(codes, latent.slerp, step=-1),
    }, atol=1e-3)  # fmt: skip
    right = torch.isclose(result, _tour(codes, latent.slerp), atol=1e-3).all(dim=1)
    if right[:15].all() and not right.all():
        raise Hint("The tour does not close: the last arc should lead from the last code back to the first.")
    if not right.all():
        row = int((~right).nonzero()[0])
        raise Hint(f"Row {row} should be slerp from code {row // 5} to code {(row // 5 + 1) % 4} at t = {row % 5}/5.")
    few = tensor(tour(codes[:3], 2))
    if few.shape != (6, 100) or not torch.allclose(few[1::2], _halfway(codes[:3]), atol=1e-3):
        raise Hint(
            "With 4 codes and n = 5 it is right, but with 3 codes and n = 2 it is not: use the lengths that you are given."
        )
    return "Twenty pictures, and the twenty-first is the first again."


def _twenty(answer) -> Tensor:
    """The answer as 20 codes; a Hint where it has another form."""
    result = tensor(answer)
    if result.dim() != 2 or result.shape[1] != 100:
        raise Hint(f"The tour should be one tensor of shape 20×100, not {tuple(result.shape)}.")
    if len(result) == 15:
        raise Hint("There are 15 codes for 4 codes of 5: the arc from the last code back to the first is missing.")
    if len(result) != 20:
        raise Hint(f"4 arcs of 5 pictures are 20 codes, but there are {len(result)}.")
    return result


def _halfway(codes: Tensor) -> Tensor:
    """The point in the middle of the arc from each code to the next."""
    return latent.slerp(codes, codes.roll(-1, 0), 0.5).double()


def _tour(codes: Tensor, way: latent.Way, step: int = 1) -> Tensor:
    """Five points from each code towards the one that lies so many steps further, the first of them the code itself."""
    return torch.cat([way(a, b, torch.arange(5) / 5) for a, b in zip(codes, codes.roll(-step, 0))]).double()


@exercise(
    "Taking one direction out puts some of another back. What must the directions be like for this not to happen?",
    "find vectors of length 1, at right angles to each other, that span the others (torch.linalg.qr), and take each one's share away.",
)
def check_without(without_all) -> str:
    """without_all(direction, others): length 1, at right angles to each of the others."""
    direction, first, second, third = _codes(4, 3)
    others = torch.stack([3 * first, second + first, 0.5 * third - second + direction])
    result = tensor(without_all(direction, others), (100,))
    if without_all.changed:
        raise Hint("The vectors that were given have changed; work on copies.")
    left = cosine_similarity(result, others.double()).abs().max()
    if left > 1e-3:
        single = tensor(without_all(direction, others[:1]), (100,))
        if cosine_similarity(single, others[0].double(), dim=0).abs() > 1e-3:
            raise Hint(
                "It is not even at right angles to one: of v, take (u·v)/(v·v) · v away; the others need not have length 1."
            )
        if torch.allclose(single, result, atol=1e-4):
            raise Hint(f"Only the first of the others is taken out; the cosine with another is still {left:.2f}.")
        raise Hint(
            f"With one of the others it is right, with three a cosine of {left:.2f} is left: they overlap, so that taking one out "
            "brings another back. Make them a basis at right angles first."
        )
    basis = torch.linalg.qr(others.T)[0]
    likeness = cosine_similarity(result, (direction - basis @ (basis.T @ direction)).double(), dim=0)
    if likeness < -0.999:
        raise Hint("It points the opposite way: a step forward with it would be a step back along the direction.")
    if likeness < 0.999:
        raise Hint("It is at right angles to the others, but no longer what is left of the direction: it points elsewhere.")
    if abs(result.norm().item() - 1) > 1e-3:
        raise Hint(f"Its length is {result.norm():.2f}; divide by it, so that a step of 3 is as long as with other directions.")
    return "At right angles to all of them, and as near to the old direction as that allows."


@exercise(
    "Which numbers must be drawn again, and can you tell beforehand how often?",
    "draw z once; which mask tells where it lies outside, how many numbers are that, and what must be asked again after they are drawn anew?",
)
def check_truncated(truncated) -> str:
    """truncated(n, latent_size, limit): normal numbers, those outside the limit drawn again."""
    # Few enough for an answer that loops over them in Python, and many enough for what is said about their spread.
    z, wider = (tensor(truncated(100, 50, limit), (100, 50)) for limit in (0.8, 1.5))
    if z.abs().max() > 0.80001:
        raise Hint(
            f"One number is {z.abs().max():.2f}, outside the limit of 0.8. Both signs count; and a number drawn anew may be outside again: repeat."
        )
    if (z.abs() > 0.7999).double().mean() > 0.01:
        raise Hint("Many numbers lie exactly at the limit: they were cut off there. Draw them again instead.")
    if (z == 0).double().mean() > 0.01:
        raise Hint("Many numbers are exactly 0: those outside were wiped out. Draw them again instead.")
    if z.unique().numel() < 0.95 * z.numel():
        raise Hint("Many numbers are equal: each one that lies outside is drawn again by itself.")
    # The spreads of a normal number within ±0.8 and ±1.5. Those of a uniform one would be 0.462 and 0.866; a right answer's
    # lie this far off less than once in a hundred million times.
    if abs(z.std() - 0.4424) > 0.018 or abs(wider.std() - 0.7426) > 0.04:
        raise Hint(
            f"Within ±0.8 the spread should be 0.44, and yours is {z.std():.2f}; within ±1.5 it should be 0.74, and yours is "
            f"{wider.std():.2f}: draw from the normal distribution up to the limit that is given, and leave every number inside as it was drawn."
        )
    if torch.equal(tensor(truncated(2, 50, 0.8)), tensor(truncated(2, 50, 0.8))):
        raise Hint("Two calls give the same codes: leave the seed alone.")
    return "All within the limit, and nothing piles up at it. With 0.8 a z of 100 numbers is only 4.4 long: that is the price."
