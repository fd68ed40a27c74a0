"""The checks of lesson 08, a DCGAN on faces."""

import itertools
import math

import torch

from gan_lessons.exercises import Hint, exercise


@exercise("one layer stretches by at most its largest singular value, and the next one stretches what comes out of it.")
def check_stretch(stretch) -> str:
    """stretch(weights): how much a stack of these matrices can lengthen a vector at most, as the singular values tell."""
    generator = torch.Generator().manual_seed(8)
    for sizes in ((5, 5), (3, 7, 2), (6, 4, 4, 5)):
        weights = [torch.randn(rows, columns, generator=generator) for columns, rows in itertools.pairwise(sizes)]
        found, largest = float(stretch(weights)), [torch.linalg.svdvals(weight)[0].item() for weight in weights]
        wanted, where = math.prod(largest), f"For {len(weights)} matrices you have {found:.3f}, "
        if math.isclose(found, wanted, rel_tol=1e-3):
            continue
        where += f"the bound is {wanted:.3f}. "
        if math.isclose(found, math.prod(torch.linalg.matrix_norm(weight).item() for weight in weights), rel_tol=1e-3):
            raise Hint(
                where + "That is the Frobenius norm, which holds too, but is larger than it need be: matrix_norm(W, ord=2)."
            )
        if len(weights) > 1 and math.isclose(found, sum(largest), rel_tol=1e-3):
            raise Hint(where + "One layer after the other: stretches multiply.")
        if len(weights) > 1 and math.isclose(found, max(largest), rel_tol=1e-3):
            raise Hint(where + "That is the largest of the layers alone; each of the others stretches, too.")
        if math.isclose(found, wanted**2, rel_tol=1e-3):
            raise Hint(where + "That is its square: eigenvalues of WᵀW are squares of singular values.")
        if found < wanted:
            raise Hint(where + "Some vector is lengthened by more than you allow.")
        raise Hint(where)
    return "With spectral normalisation every factor is 1, and so is the product, however many layers there are."


@exercise("for each image draw a row and a column where its square begins; work on images.clone().")
def check_random_cover(random_cover) -> str:
    """random_cover(images, size): images N×C×H×W, each with a square of zeros at a random place of its own."""
    torch.manual_seed(0)
    images = (torch.rand(400, 3, 10, 12) + 1).requires_grad_()
    kept = images.detach().clone()
    covered = random_cover(images, 4)
    if not isinstance(covered, torch.Tensor) or covered.shape != images.shape:
        raise Hint(f"The result should be a tensor of the images' shape, {tuple(images.shape)}.")
    if not torch.equal(images, kept):
        raise Hint("The images you were given have changed: the data set would fill with holes. Work on a clone.")
    if not covered.requires_grad:
        raise Hint("No gradient comes through, so G would learn nothing from D: no detach, no .data, no numpy.")
    holes = covered.detach() == 0
    if not torch.equal(covered.detach()[~holes], kept[~holes]):
        raise Hint("Outside the squares pixels must stay what they were.")
    if not torch.equal(holes, holes[:, :1].expand_as(holes)):
        raise Hint("The square should be at the same place in all three channels of an image.")
    holes = holes[:, 0]
    if not (holes.sum(dim=(1, 2)) == 16).all():
        raise Hint(f"With size 4 each image should lose 16 pixels; the first ones lose {holes.sum(dim=(1, 2))[:5].tolist()}. "
                   "A square must not stick out of the image.")  # fmt: skip
    if not all(int(hole.any(1).sum()) == int(hole.any(0).sum()) == 4 for hole in holes):
        raise Hint("The covered pixels of an image should form one square of 4×4.")
    if torch.equal(holes[0].expand_as(holes), holes):
        raise Hint("All images of the batch are covered at the same place; each needs a place of its own.")
    tops, lefts = (set(holes.any(dim).float().argmax(1).tolist()) for dim in (2, 1))
    if tops != set(range(7)) or lefts != set(range(9)):
        raise Hint(f"In 10×12 pixels squares of 4 may begin in rows 0 to 6 and columns 0 to 8; yours begin in {sorted(tops)} and {sorted(lefts)}. "
                   "torch.randint leaves its upper end out.")  # fmt: skip
    return "This is Cutout; in front of D, for reals and fakes alike, it is an augmentation as the shifts are."


@exercise(
    "count both lists; compare shares, not counts; and go through the values of the real list, for some may not be drawn at all."
)
def check_rarely_drawn(rarely_drawn) -> str:
    """rarely_drawn(real, drawn): the values whose share among the drawn is below a third of that among the real."""
    cases = (
        (["a"] * 50 + ["b"] * 50, ["a"] * 90 + ["b"] * 10, {"b"}),
        (["a"] * 50 + ["b"] * 50, ["a"] * 180 + ["b"] * 20, {"b"}),
        (["x"] * 600 + ["y"] * 300 + ["z"] * 100, ["x"] * 6 + ["y"] * 3 + ["z"], set()),
        (["red"] * 10 + ["blue"] * 10, ["red"] * 40, {"blue"}),
        (["on"] * 8 + ["off"] * 2, ["off"] * 5, {"on"}),
        (["p", "q"] * 5, ["q"] * 9 + ["p"] + ["new"] * 10, {"p"}),
    )
    for real, drawn, wanted in cases:
        kept = list(real), list(drawn)
        found = rarely_drawn(real, drawn)
        if (real, drawn) != kept:
            raise Hint("Your function changes the lists it was given.")
        if isinstance(found, str) or not hasattr(found, "__iter__"):
            raise Hint(f"The result should be a list or a set of values, not {found!r}.")
        found = set(found)
        where = f"Of {len(real)} real values {_counted(real)}, and of {len(drawn)} drawn {_counted(drawn)}: you have {sorted(found)}. "
        if found == wanted:
            continue
        if any(value not in drawn for value in wanted - found):
            raise Hint(where + "A value that is never drawn does not turn up when you go through the drawn ones.")
        if found - set(real):
            raise Hint(where + "A value that is not in the data cannot be missing.")
        if len(real) != len(drawn):
            raise Hint(where + "The lists differ in length: compare shares, not counts.")
        raise Hint(where + f"Expected {sorted(wanted)}: below a third of the share among the real.")
    return "Rare, and never drawn at all: both are found, whatever the number of samples."


def _counted(words: list[str]) -> str:
    return ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words)))


@exercise("torch.quantile(new_real, 0.01) is the distance that only one new real image in a hundred falls below.")
def check_copied(copied) -> str:
    """copied(drawn, new_real): the share of drawn images nearer to the training set than all but 1 % of new real ones."""
    new_real = torch.arange(1, 102).float() / 100  # its 1 % quantile is 0.02
    cases = ((torch.tensor([0.001, 0.5, 0.7, 1.5, 1.6]), 0.2), (torch.full((10,), 0.3), 0.0), (torch.zeros(5), 1.0),
             (torch.tensor([0.001, 0.5, 0.001, 0.9]), 0.5), (torch.tensor([1.5, 1.6]), 0.0))  # fmt: skip
    for drawn, wanted in cases:
        found = round(float(copied(drawn, new_real)), 6)
        where = f"New real images lie between 0.01 and 1.01 from the training set, drawn ones at {[round(each, 3) for each in drawn.tolist()]}: you have {found:g}, wanted is {wanted:g}. "
        if math.isclose(found, wanted, abs_tol=1e-6):
            continue
        if math.isclose(found, wanted * len(drawn)):
            raise Hint(where + "That is a number of images; the share of them was asked for.")
        if math.isclose(found, 1 - wanted):
            raise Hint(where + "Copies are near, not far: count the drawn images below the limit.")
        if math.isclose(found, (drawn < new_real.mean()).float().mean().item(), abs_tol=1e-6):
            raise Hint(
                where + "Half of all new real images are nearer than their mean; that makes nobody a copy. Take the 1 % quantile."
            )
        raise Hint(where + "The limit is the 1 % quantile of the new real distances.")
    return "And for honest faces about 1 % is to be expected, for by construction so many of the new real ones fall below, too."
