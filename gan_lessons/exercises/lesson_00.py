"""The checks of lesson 00, start here."""

import torch
from torch import nn

from gan_lessons.exercises import Hint, described, exercise, number, refuse, tensor


@exercise(
    "How many pixels has the face, and how many numbers does each of them need for its colour? Write your answer in place of `...`.",
    "each of the 64·64 pixels has three numbers: red, green and blue.",
)
def check_numbers(answer) -> str:
    """How many numbers a colour picture of 64×64 pixels is: 12 288."""
    count = number(answer)
    refuse(count, {
        "That counts the pixels. The picture is in colour: each pixel is three numbers.": 64 * 64,
        "You added. 64 rows of 64 pixels are 64·64 pixels.": 64 + 64 + 3,
        "That is one row of the picture. There are 64 of them.": 64 * 3,
        "100 is what the generator is given. The question is how many numbers it gives back.": 100,
        "That is a grey digit of lesson 04. A face has 64×64 pixels, in colour.": 28 * 28,
        "256 is how many values each number can take. The question is how many numbers there are.": 256 * 64 * 64 * 3,
    }, rtol=0)  # fmt: skip
    if count != 64 * 64 * 3:
        raise Hint(f"{count:.10g} is not rows · columns · colours.")
    return "12 288 numbers from 100: G must invent the rest, and the sliders move all of them through those 100."


@exercise(
    "Which part of a direction says where it points, and how do you get rid of the part that says how long it is?",
    "direction.norm() is the direction's length; what is left of the direction when you divide by it?",
)
def check_moved(moved) -> str:
    """moved(z, direction, amount): n×100 z, moved by so many units along the direction, whatever the direction's length."""
    z = torch.tensor([[1.0, 2.0, 0.5], [-1.0, 0.0, 0.7], [0.3, -2.0, 1.1], [2.0, 0.1, -0.4]])
    direction = torch.tensor([0.0, 3.0, 4.0])
    unit = direction / 5
    found = tensor(moved(z, direction, 2.0))
    if 0 in moved.changed:
        raise Hint("z itself has changed. A slider that is moved back must find the old face: return a new tensor.")
    too_far = "That is too far: this direction has length 5, and only where it points should count. Divide by its length."
    refuse(found, {
        "Nothing has moved: where is the amount?": z,
        too_far: z + 2 * direction,
        "That is the other way: add, do not subtract.": z - 2 * unit,
        "That moves by 1, whatever the amount is.": z + unit,
        "That is the step alone, from z = 0. It should begin at z.": 2 * unit,
        "Divided too often: direction.norm() is 5 here, not 25.": z + 2 * direction / 25,
        "Divided by the sum of its numbers. The length is the root of the sum of squares: direction.norm().": z + 2 * direction / 7,
    }, atol=1e-5)  # fmt: skip
    for way, amount in ((direction, 2.0), (direction, 0.0), (torch.tensor([2.0, -1.0, 2.0]), -1.5)):
        right = z + amount * way / way.norm()
        found = tensor(moved(z, way, amount), z.shape)
        if not torch.allclose(found, right.double(), atol=1e-5):
            raise Hint(f"From {_row(z)} by {amount:g} along {way.tolist()} leads to {_row(right)}, not to {_row(found)}.")
    return "That is a slider: it moves z, and the generator draws the face that lies there."


def _row(z: torch.Tensor) -> str:
    return str([round(value, 2) for value in z[0].tolist()])


class _Critic(nn.Module):
    """Scores pictures of three numbers by their mean, as a network, so that it can be used as the lesson's critics are."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((3,), 1 / 3), requires_grad=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures @ self.weight


@exercise("When is the critic right about a real picture, and when about a fake?",
          "critic(real) > 0 says for each real picture whether the critic is right; what says so for each fake?")  # fmt: skip
def check_share_right(share_right) -> str:
    """share_right(critic, real, fake): the share of all the pictures about which the critic is right."""
    # 28 of 40 real pictures and 15 of 20 fakes are judged rightly; the rest so that each mistake gives a share of its own.
    real = torch.cat([torch.full((22, 3), 0.3), torch.full((6, 3), 2.0), torch.full((12, 3), -1.0)])
    fake = torch.cat([torch.full((15, 3), -0.5), torch.full((5, 3), 1.0)])
    share = number(share_right(_Critic(), real, fake), "Add up, and divide by how many pictures there are.")
    refuse(share, {
        "That is a percentage; a share lies between 0 and 1.": 100 * 43 / 60,
        "Those are two shares added up. Count the pictures it is right about, and divide by how many there are.": 28 / 40 + 15 / 20,
        "That divides by the real pictures alone. Divide by how many there are, real and fake.": 43 / 40,
        "That counts them. Divide by how many pictures there are, real and fake.": 43,
        "That looks at the real pictures alone. A critic that calls everything real would be perfect.": 28 / 40,
        "That looks at the fakes alone.": 15 / 20,
        "Only the real ones are counted, but all are divided by: count the fakes it is right about, too.": 28 / 60,
        "For a fake the critic is right where its score is below zero; you have counted those it takes for real.": 33 / 60,
        "Upside down: that is how often the critic is wrong.": 17 / 60,
        "That is the mean of two shares. There are twice as many real pictures here, and each counts once.": (28 / 40 + 15 / 20) / 2,
        "For scores the border between real and fake lies at 0, not at 0.5.": 21 / 60,
        "A probability is above 0 for every picture. Compare the score with 0, or the probability with 0.5.": 40 / 60,
    })  # fmt: skip
    if abs(share - 43 / 60) > 1e-4:
        raise Hint(
            f"A critic that is right about 28 of 40 real pictures and 15 of 20 fakes is right about 0.717 of all, not {share:.3f}."
        )
    return "1 would be a critic that nothing escapes, and at one half it might as well toss a coin."


@exercise("Which one number (an angle, a place along a line) says where on your figure a point lies, and how is it drawn at random?",
          "draw n random numbers with torch.rand, make a first and a second coordinate of them, and join the two with torch.stack.")  # fmt: skip
def check_shape(shape) -> str:
    """shape(n): n random points of a figure of one's own, n×2, about as large as the heart."""
    points, again = shape(500), shape(500)
    if not isinstance(points, torch.Tensor):
        raise Hint(f"shape should give a tensor, not {described(points)}.")
    if points.shape == (2, 500):
        raise Hint("Two rows of 500. Each point is a row of two: stack with dim=1.")
    if points.shape != (500, 2):
        raise Hint(f"500 points in the plane have the shape (500, 2), not {tuple(points.shape)}.")
    if points.dtype != torch.float32:
        raise Hint(f"The points are of type {points.dtype}, and the networks reckon with torch.float32: add .float() at the end.")
    if torch.equal(points, again):
        raise Hint("Two calls gave the very same points. The critic would know them by heart: draw them at random each time.")
    if points.abs().max() > 4:
        raise Hint(
            f"One coordinate is {points.abs().max():.0f} in size. The heart fits between -1.5 and 1.5: make your figure smaller, or move it to (0, 0)."
        )
    if points.std(0).min() < 0.05:
        raise Hint("All the points lie (nearly) in one place, or on one straight line along an axis: let both coordinates vary.")
    if (few := shape(7)).shape != (7, 2):
        raise Hint(f"Asked for 7 points, it gave {described(few)}: use n.")
    return "Put it in the heart's place and run the ten lines again: the forger learns what you drew, from the critic alone."
