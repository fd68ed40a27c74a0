"""The checks of lesson 00, start here."""

import torch

from gan_lessons.exercises import Hint, exercise


@exercise("64 rows of 64 pixels, and each pixel has three numbers: red, green and blue. Write the product in place of `...`.")
def check_numbers(count) -> str:
    """How many numbers a colour picture of 64×64 pixels is: 12 288."""
    mistakes = {
        64 * 64: "That counts the pixels. The picture is in colour: each pixel is three numbers.",
        64 + 64 + 3: "You added. 64 rows of 64 pixels are 64·64 pixels.",
        64 * 3: "That is one row of the picture. There are 64 of them.",
        100: "100 is what the generator is given. The question is how many numbers it gives back.",
        28 * 28: "That is a grey digit of lesson 04. A face has 64×64 pixels, in colour.",
        256 * 64 * 64 * 3: "256 is how many values each number can take. The question is how many numbers there are.",
    }
    if isinstance(count, bool) or not isinstance(count, int | float):
        raise Hint(f"The answer is one number; yours is of type {type(count).__name__}.")
    if count in mistakes:
        raise Hint(mistakes[count])
    if count != 64 * 64 * 3:
        raise Hint(f"{count:g} is not rows · columns · colours.")
    return "12 288 numbers from 100: G must invent the rest, and the sliders move all of them through those 100."


@exercise("divide the direction by its length, direction.norm(), multiply by the amount, and add that to z.")
def check_moved(moved) -> str:
    """moved(z, direction, amount): z moved by so many units along the direction, whatever the direction's length."""
    z, direction = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([0.0, 3.0, 4.0])
    kept, right = z.clone(), torch.tensor([1.0, 3.2, 2.1])
    found = moved(z, direction, 2.0)
    if not torch.equal(z, kept):
        raise Hint("z itself has changed. A slider that is moved back must find the old face: return a new tensor.")
    if not isinstance(found, torch.Tensor) or found.shape != z.shape:
        raise Hint("moved should give back a z: a tensor as long as the one that came in.")
    mistakes = (
        (z, "Nothing has moved: where is the amount?"),
        (
            z + 2 * direction,
            "That is too far: this direction has length 5, and only where it points should count. Divide by its length.",
        ),
        (2 * z - right, "That is the other way: add, do not subtract."),
        (z + direction / 5, "That moves by 1, whatever the amount is."),
        (right - z, "That is the step alone, from z = 0. It should begin at z."),
        (z + 2 * direction / 25, "Divided too often: direction.norm() is 5 here, not 25."),
        (
            z + 2 * direction / 7,
            "Divided by the sum of its numbers. The length is the root of the sum of squares: direction.norm().",
        ),
    )
    for wrong, hint in mistakes:
        if torch.allclose(found, wrong):
            raise Hint(hint)
    if not torch.allclose(found, right):
        raise Hint(f"From {z.tolist()} by 2 along {direction.tolist()} leads to {right.tolist()}, not to {found.tolist()}.")
    if not torch.allclose(moved(z, direction, 0.0), z):
        raise Hint("By an amount of 0 z should stay where it is.")
    return "That is a slider: it moves z, and the generator draws the face that lies there."


@exercise(
    "critic(real) > 0 says for each real picture whether the critic is right. Count those, and the fakes it is right about."
)
def check_share_right(share_right) -> str:
    """share_right(critic, real, fake): the share of all the pictures about which the critic is right."""
    # 28 of 40 real pictures and 15 of 20 fakes are judged rightly; the rest so that each mistake gives a share of its own.
    real = torch.cat([torch.full((22, 3), 0.3), torch.full((6, 3), 2.0), torch.full((12, 3), -1.0)])
    fake = torch.cat([torch.full((15, 3), -0.5), torch.full((5, 3), 1.0)])
    found = share_right(lambda pictures: pictures.mean(1), real, fake)
    try:
        share = float(found)
    except (TypeError, ValueError, RuntimeError):
        raise Hint(f"The answer is one number from 0 to 1; yours is of type {type(found).__name__}.") from None
    mistakes = (
        (43, "That counts them. Divide by how many pictures there are, real and fake."),
        (28 / 40, "That looks at the real pictures alone. A critic that calls everything real would be perfect."),
        (15 / 20, "That looks at the fakes alone."),
        (28 / 60, "Only the real ones are counted, but all are divided by: count the fakes it is right about, too."),
        (33 / 60, "For a fake the critic is right where its score is below zero; you have counted those it takes for real."),
        (17 / 60, "Upside down: that is how often the critic is wrong."),
        (
            (28 / 40 + 15 / 20) / 2,
            "That is the mean of two shares. There are twice as many real pictures here, and each counts once.",
        ),
        (21 / 60, "For scores the border between real and fake lies at 0, not at 0.5."),
        (40 / 60, "A probability is above 0 for every picture. Compare the score with 0, or the probability with 0.5."),
    )
    if abs(share - 43 / 60) < 1e-4:
        return "1 would be a critic that nothing escapes, and at one half it might as well toss a coin."
    for wrong, hint in mistakes:
        if abs(share - wrong) < 1e-4:
            raise Hint(hint)
    raise Hint(
        f"A critic that is right about 28 of 40 real pictures and 15 of 20 fakes is right about 0.717 of all, not {share:.3f}."
    )


@exercise("draw n random angles or places with torch.rand, and turn them into a first and a second coordinate with torch.stack.")
def check_shape(shape) -> str:
    """shape(n): n random points of a figure of one's own, n×2, about as large as the heart."""
    points, again = shape(500), shape(500)
    if not isinstance(points, torch.Tensor):
        raise Hint(f"shape should give a tensor, not a {type(points).__name__}.")
    if points.shape == (2, 500):
        raise Hint("Two rows of 500. Each point is a row of two: stack with dim=1.")
    if points.shape != (500, 2):
        raise Hint(f"500 points in the plane have the shape (500, 2), not {tuple(points.shape)}.")
    if not points.is_floating_point() or not points.isfinite().all():
        raise Hint("The points should be floating-point numbers, all of them finite.")
    if torch.equal(points, again):
        raise Hint("Two calls gave the very same points. The critic would know them by heart: draw them at random each time.")
    if points.abs().max() > 4:
        raise Hint(f"One coordinate is {points.abs().max():.0f} in size. The heart fits between -1.5 and 1.5; divide.")
    if points.std(0).min() < 0.05:
        raise Hint("All the points lie (nearly) in one place, or on one straight line along an axis: let both coordinates vary.")
    outside = shape(7)
    if outside.shape != (7, 2):
        raise Hint(f"Asked for 7 points, it gave {len(outside)}: use n.")
    return "Put it in the heart's place and run the ten lines again: the forger learns what you drew, from the critic alone."
