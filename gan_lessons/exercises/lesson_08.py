"""The checks of lesson 08, a DCGAN on faces."""

import itertools
import math
import textwrap

import numpy
import torch
from torch import Tensor

from gan_lessons import runtime
from gan_lessons.exercises import Hint, described, exercise, number, refuse, tensor


@exercise(
    "What does one layer do to the vector that it lengthens most, and what does the next layer do to what comes out?",
    "one layer stretches by at most its largest singular value, and the next one stretches what comes out of it.",
)
def check_stretch(stretch) -> str:
    """stretch(weights): how much a stack of these matrices can lengthen a vector at most, as the singular values tell."""
    random = torch.Generator().manual_seed(8)
    for sizes in ((5, 5), (3, 7, 2), (6, 4, 4, 5)):
        weights = [torch.randn(rows, columns, generator=random) for columns, rows in itertools.pairwise(sizes)]
        found, largest = number(stretch(weights)), [torch.linalg.svdvals(weight)[0].item() for weight in weights]
        wanted = math.prod(largest)
        if math.isclose(found, wanted, rel_tol=1e-3):
            continue
        where = f"For {len(weights)} {'matrix' if len(weights) == 1 else 'matrices'} you have {found:.3f}, the bound is {wanted:.3f}. "
        refuse(found, {where + hint: value for hint, value in _mistaken_stretches(weights, largest).items()}, rtol=1e-3)
        raise Hint(where + "The bound is the product of the layers' largest singular values, of one layer that value itself.")
    return "With spectral normalisation every factor is 1, and so is the product, however many layers there are."


def _mistaken_stretches(weights: list[Tensor], largest: list[float]) -> dict[str, float]:
    mistakes = {
        "That is the Frobenius norm, which holds too, but is larger than it need be: matrix_norm(W, ord=2).":
            math.prod(torch.linalg.matrix_norm(weight).item() for weight in weights),
        "That is its square: eigenvalues of WᵀW are squares of singular values.": math.prod(largest) ** 2,
    }  # fmt: skip
    if len(weights) == 1:  # the others are about what happens between layers
        return mistakes
    product = torch.linalg.multi_dot(weights[::-1])
    return mistakes | {
        "One layer after the other: stretches multiply.": sum(largest),
        **{f"That is layer {place} of {len(weights)} alone; each of the others stretches, too.": value
           for place, value in enumerate(largest, start=1)},
        "That is the stretch of the matrices' product; the LeakyReLUs between them can make it larger. Take each matrix by itself.":
            torch.linalg.svdvals(product)[0].item(),
    }  # fmt: skip


@exercise(
    "Where may a square begin so that it stays inside, and how does each image come to a place of its own while the given images stay?",
    "for each image draw a row and a column where its square begins; work on images.clone().",
)
def check_random_cover(random_cover) -> str:
    """random_cover(images, size): images N×C×H×W, each with a square of zeros at a random place of its own."""
    # No pixel is grey; and on a GPU if there is one, for there the lesson's images are.
    images = (torch.rand(400, 3, 10, 12, device=runtime.device()) + 1).requires_grad_()
    covered = random_cover(images, 4)
    if not isinstance(covered, Tensor) or covered.shape != images.shape:
        raise Hint(f"The result should be a tensor of the images' shape, {tuple(images.shape)}, not {described(covered)}.")
    if random_cover.changed:
        raise Hint("The images you were given have changed: the data set would fill with holes. Work on a clone.")
    if not covered.requires_grad:
        raise Hint("No gradient comes through, so G would learn nothing from D: no detach, no .data, no numpy.")
    given = tensor(images)
    holes = _holes(tensor(covered), given)
    _judge_shape(holes)
    _judge_places(holes)
    if torch.equal(holes, _holes(tensor(random_cover(images, 4)), given)):
        raise Hint("A second call covers the same places as the first: draw them anew in each call, and leave the seed alone.")
    return "This is Cutout; in front of D, for reals and fakes alike, it is an augmentation as the shifts are."


def _holes(covered: Tensor, images: Tensor) -> Tensor:
    """Where the images are covered, N×H×W; a Hint where anything but zeros in all channels has come in."""
    changed = covered != images
    strange = covered[changed & (covered != 0)]
    if len(strange):
        if changed[:, 0].sum(dim=(1, 2)).max() <= 16 or (strange == strange[0]).all():
            raise Hint(f"The covered pixels are not 0 but, for example, {strange[0]:.2g}: grey is 0.")
        raise Hint("Outside the squares pixels must stay what they were.")
    if not torch.equal(changed, changed[:, :1].expand_as(changed)):
        raise Hint("The square should be at the same place in all three channels of an image.")
    return changed[:, 0]


def _judge_shape(holes: Tensor) -> None:
    """A Hint where an image's hole is not one square of 4×4."""
    lost = holes.sum(dim=(1, 2))
    if (lost != 16).any():
        image = int((lost != 16).nonzero()[0])
        hole = holes[image]
        height, width = int(hole.any(1).sum()), int(hole.any(0).sum())
        cause = "One square for each image, of 4 rows and 4 columns."
        if 0 < lost[image] == height * width:
            cause = f"They lie in {height} rows and {width} columns. {cause}"
            cause = "A square must not stick out of the image." if lost[image] < lost.max() == 16 else cause
        raise Hint(f"With size 4 each image should lose 16 pixels; image {image} loses {lost[image]}. {cause}")
    if not ((holes.any(2).sum(1) == 4) & (holes.any(1).sum(1) == 4)).all():
        raise Hint("The covered pixels of an image should form one square of 4×4.")


def _judge_places(holes: Tensor) -> None:
    """A Hint where the squares of 400 images do not come up everywhere (by chance: less than once in 10²⁰ right answers)."""
    tops, lefts = (holes.any(dim).float().argmax(1).tolist() for dim in (2, 1))
    places = set(zip(tops, lefts))
    if len(places) == 1:
        raise Hint("All images of the batch are covered at the same place; each needs a place of its own.")
    if tops == lefts:
        raise Hint("Row and column are the same number in every image, so that the squares lie on one slanting line: draw two numbers, "
                   "each from a range of its own.")  # fmt: skip
    if set(tops) != set(range(7)) or set(lefts) != set(range(9)):
        one_short = max(tops) in (5, 6) and max(lefts) in (7, 8) and (max(tops) < 6 or max(lefts) < 8)
        end = " torch.randint leaves its upper end out." if one_short else ""
        raise Hint(f"In 10×12 pixels squares of 4 may begin in rows 0 to 6 and columns 0 to 8; yours begin in rows {sorted(set(tops))} "
                   f"and columns {sorted(set(lefts))}.{end}")  # fmt: skip
    if len(places) < 40:
        raise Hint(f"A square may begin at 63 places, but yours begin at {len(places)}: draw row and column independently.")


@exercise(
    "What are two lists of different lengths compared by, and how do you come to a value that is never drawn?",
    "count both lists; compare shares, not counts; and go through the values of the real list, for some may not be drawn at all.",
)
def check_rarely_drawn(rarely_drawn) -> str:
    """rarely_drawn(real, drawn): the values whose share among the drawn is below a third of that among the real."""
    cases: tuple[tuple[list[str], list[str], set[str]], ...] = (
        (["a"] * 50 + ["b"] * 50, ["a"] * 90 + ["b"] * 10, {"b"}),
        (["a"] * 50 + ["b"] * 50, ["a"] * 180 + ["b"] * 20, {"b"}),
        (["x"] * 600 + ["y"] * 300 + ["z"] * 100, ["x"] * 6 + ["y"] * 3 + ["z"], set()),
        (["red"] * 10 + ["blue"] * 10, ["red"] * 40, {"blue"}),
        (["on"] * 8 + ["off"] * 2, ["off"] * 5, {"on"}),
        (["p", "q"] * 5, ["q"] * 9 + ["p"] + ["new"] * 10, {"p"}),
        (["a"] * 50 + ["b"] * 50, ["a"] * 83 + ["b"] * 17, set()),  # 0.34 of the share
        (["a"] * 50 + ["b"] * 50, ["a"] * 84 + ["b"] * 16, {"b"}),  # 0.32 of it
        (["a"] * 90 + ["b"] * 10, ["a"] * 50 + ["b"] * 50, set()),  # less by more than a third, but not below a third
        (["a"] * 3 + ["b"], ["a"] + ["b"] * 3, set()),  # exactly a third, in binary numbers too
        (["s"] * 40 + ["t"] * 30 + ["u"] * 30, ["s"] * 98 + ["t", "u"], {"t", "u"}),
    )
    for real, drawn, wanted in cases:
        found = rarely_drawn(real, drawn)
        if rarely_drawn.changed:
            raise Hint("Your function changes the lists it was given.")
        found = found.tolist() if isinstance(found, numpy.ndarray) else found
        if not isinstance(found, (list, tuple, set, frozenset, dict)):
            raise Hint(f"The result should be a list or a set of values, not {described(found)}.")
        _judge_values(list(found), wanted, real, drawn)
    return "Rare, and never drawn at all: both are found, whatever the number of samples."


def _judge_values(found: list, wanted: set[str], real: list[str], drawn: list[str]) -> None:
    """A Hint where these are not the values wanted, each of them once."""
    where = f"Of {len(real)} real values {_counted(real)}, and of {len(drawn)} drawn {_counted(drawn)}: you have {textwrap.shorten(str(found), 60)}. "
    if strange := [value for value in found if value not in real]:
        raise Hint(where + f"{strange[0]!r} is not in the data, so it cannot be missing from what is drawn.")
    if len(set(found)) < len(found):
        raise Hint(where + "Each value should stand there once.")
    if set(found) == wanted:
        return
    if any(value not in drawn for value in wanted.difference(found)):
        raise Hint(where + "A value that is never drawn does not turn up when you go through the drawn ones.")
    if len(real) != len(drawn) and set(found) == {value for value in real if drawn.count(value) < real.count(value) / 3}:
        raise Hint(where + "The lists differ in length: compare shares, not counts.")
    value = min(wanted.symmetric_difference(found))
    shares = f"{real.count(value) / len(real):.3g} of the real and {drawn.count(value) / len(drawn):.3g} of the drawn"
    raise Hint(
        where + f"{value!r} is {shares}, and the second share is {'' if value in wanted else 'not '}below a third of the first."
    )


def _counted(words: list[str]) -> str:
    return ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words)))


@exercise(
    "Below which distance lies only one new real image in a hundred, and which share of the drawn ones lies there?",
    "torch.quantile gives the distance below which a given share of distances lies: whose distances, and which share?",
)
def check_copied(copied) -> str:
    """copied(drawn, new_real): the share of drawn images nearer to the training set than all but 1 % of new real ones."""
    # The 1 % quantiles are 0.32 and 0.02. The drawn lie between these and what mistakes would take for the limit.
    far, near = 0.3 + torch.arange(101) / 50, torch.arange(1, 102) / 100
    beside = torch.tensor([2.0, 0.305, 0.9, 0.1, 0.2, 0.33, 0.315, 0.36, 2.1, 0.45, 1.4, 2.15, 2.2])
    for drawn, new_real in (
        (beside, far), (torch.tensor([0.015, 0.5, 0.001, 0.9]), near), (torch.full((10,), 0.3), near), (torch.zeros(5), near),
        (torch.tensor([1.5, 1.6]), near), (torch.full((4,), 0.03), near),
    ):  # fmt: skip
        found, wanted = number(copied(drawn, new_real)), _share_below(drawn, new_real.quantile(0.01))
        if math.isclose(found, wanted, abs_tol=1e-6):
            continue
        where = (f"New real images lie between {new_real.min():.2f} and {new_real.max():.2f} from the training set, drawn ones at "
                 f"{[round(each, 3) for each in drawn.tolist()]}: you have {found:.3g}, wanted is {wanted:.3g}. ")  # fmt: skip
        if drawn is beside:
            refuse(found, {where + hint: value for hint, value in _mistaken_shares(drawn, new_real).items()})
        raise Hint(where + f"The limit is the 1 % quantile of the new real distances, here {new_real.quantile(0.01):.2f}.")
    return "And for honest faces about 1 % is to be expected, for by construction so many of the new real ones fall below, too."


def _share_below(drawn: Tensor, limit: Tensor) -> float:
    return (drawn < limit).double().mean().item()


def _mistaken_shares(drawn: Tensor, new_real: Tensor) -> dict[str, float]:
    wanted = _share_below(drawn, new_real.quantile(0.01))
    return {
        "That is a number of images; the share of them was asked for.": wanted * len(drawn),
        "That is a percentage; a share lies between 0 and 1.": wanted * 100,
        "That is the limit itself. Which share of the drawn images lies below it?": new_real.quantile(0.01).item(),
        "You divided by how many new real images there are. The share is one of the drawn ones.": wanted * len(drawn) / len(new_real),
        "Is the limit taken from the drawn images themselves? It is the 1 % quantile of the new real ones.":
            _share_below(drawn, drawn.quantile(0.01)),
        "Copies are near, not far: count the drawn images below the limit.": 1 - wanted,
        "Half of all new real images are nearer than their mean; that makes nobody a copy. Take the 1 % quantile.":
            _share_below(drawn, new_real.mean()),
        "You ask for images nearer than every new real one; the 1 % quantile lies a little above the smallest distance.":
            _share_below(drawn, new_real.min()),
        "That is the 5 % quantile: 1 % is 0.01.": _share_below(drawn, new_real.quantile(0.05)),
        "That is the 10 % quantile: 1 % is 0.01.": _share_below(drawn, new_real.quantile(0.1)),
        "Nearly all new real images are nearer than that; the limit is the 1 % quantile from below.":
            _share_below(drawn, new_real.quantile(0.99)),
    }  # fmt: skip
