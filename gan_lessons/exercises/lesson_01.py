"""The checks of lesson 01, why noise."""

import math

import torch

from gan_lessons.exercises import Hint, described, exercise, number, refuse, tensor


@exercise(
    "Where between -1 and 1 must a guess lie, so that eight distances to 1 and two to -1, squared and added up, become as small as possible?",
    "write down 8·(a - 1)² + 2·(a + 1)²; where is its slope 0?",
)
def check_grey(answer) -> str:
    """The pixel that minimises 0.8·(a - 1)² + 0.2·(a + 1)²: its mean, 0.6."""
    value = number(answer)
    refuse(value, {
        "0 is the answer for equal shares. Here white comes four times as often as black.": 0,
        "1 is the more frequent value. Squared error does not vote, it averages.": 1,
        "0.8 is the share of white. Black pixels are -1, not 0: they pull the mean down further.": 0.8,
        "The sign is flipped: most of the time the pixel is white, which is +1.": -0.6,
    }, atol=1e-6)  # fmt: skip
    if abs(value - 0.6) > 1e-6:
        raise Hint(f"{value:g} is not the mean of a number that is 1 with probability 0.8 and -1 with probability 0.2.")
    return "The mean, 0.8·1 + 0.2·(-1). The ghosts get unequal: the left one bright, the right one faint."


@exercise(
    "Which of torch's functions draws one of two whole numbers, and how do you get from those two to -1 and 1?",
    "torch.randint(0, 2, (n, 1)) gives 0 or 1; stretch and shift it.",
)
def check_coin(coin) -> str:
    """coin(n): n×1 random numbers, -1 or 1 with probability one half each."""
    tosses, again = coin(4000), coin(4000)
    if not isinstance(tosses, torch.Tensor):
        raise Hint(f"coin(4000) should be a tensor, which the game can concatenate with the past, not {described(tosses)}.")
    if tosses.shape != (4000, 1):
        raise Hint(f"coin(4000) has shape {tuple(tosses.shape)}; one number for each of 4000 frames is (4000, 1).")
    _judge_sides(sorted(set(tosses.flatten().tolist())))
    share = (tosses == 1).double().mean().item()
    if abs(share - 0.5) > 0.05:
        raise Hint(f"1 comes up in {share:.0%} of the tosses; a fair coin shows it in half of them.")
    repeated = (tosses[1:] == tosses[:-1]).double().mean().item()
    if abs(repeated - 0.5) > 0.05:
        raise Hint(
            f"A toss is like the one before it in {repeated:.0%} of the cases. A coin has no memory: that is half of them."
        )
    if torch.equal(tosses, again):
        raise Hint("Two calls gave the very same 4000 tosses: draw them anew each time, and leave the seed alone.")
    if tosses.dtype == torch.float64:
        raise Hint("The tosses are of type torch.float64, and the network's weights are torch.float32, so that the game "
                   "would stop: add .float().")  # fmt: skip
    if (few := coin(7)).shape != (7, 1):
        raise Hint(f"Asked for 7 tosses, it gave {described(few)}: use n.")
    return "A fair coin. Now play the game with it."


def _judge_sides(sides: list) -> None:
    if sides == [0, 1]:
        raise Hint("A coin of 0 and 1 is fair too, but here its sides should be -1 and 1: 2·toss - 1.")
    if len(sides) > 2:
        raise Hint(f"A coin has two sides; yours shows {len(sides)} different numbers.")
    if len(sides) == 1:
        raise Hint(
            f"Every toss came out {sides[0]:g}. Each frame needs a toss of its own, n×1 of them, and both sides must be able to come up."
        )
    if sides != [-1, 1]:
        raise Hint(f"The sides are {sides[0]:g} and {sides[1]:g}; they should be -1 and 1.")


@exercise("Which area lies left of u, which lies left of y, and what must hold between the two?",
          "the area under 2y from 0 to y is y², and it must equal the area under u's density from 0 to u, which is u.")  # fmt: skip
def check_rising(rising) -> str:
    """rising(u): u uniform on (0, 1) to y with density 2y on (0, 1): the square root."""
    u = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    y = tensor(rising(u), u.shape)
    refuse(y, {
        "2y is the density of y, not the map to y.": 2 * u,
        "The area from 0 to y under 2y is y²; you have taken y²/2, the area under y.": (2 * u).sqrt(),
        "Right but for the sign: of the two roots, y is the one between 0 and 1.": -u.sqrt(),
        "That leaves u as it is: uniform.": u,
        "u² crowds the draws near 0, the inverse of what we want. If y² = u, what is y?": u.square(),
    })  # fmt: skip
    if y.min() < 0 or y.max() > 1:
        raise Hint(f"Your y go from {y.min():.2f} to {y.max():.2f}, but y lies between 0 and 1, as u does.")
    if not torch.allclose(y, tensor(rising(u), u.shape)):
        raise Hint(
            "For the same u your function gives another y each time: y should follow from u alone, with nothing drawn anew."
        )
    off = torch.histc(y, 10, 0, 1) / 1000 - (2 * torch.arange(10) + 1) / 100
    if off.abs().sum() / 2 > 0.02:
        worst = int(off.abs().argmax())
        wanted = (2 * worst + 1) / 100
        raise Hint(f"Between {worst / 10} and {(worst + 1) / 10}, {wanted:.1%} of all y should lie: the area under 2y there. "
                   f"With yours it is {wanted + off[worst].item():.1%}.")  # fmt: skip
    return "y = √u (or its mirror image, √(1 - u)): area u on one side, area y² = u on the other."


@exercise("Which z leads to this y, and how wide is the strip at z that becomes a strip of width 1 at y?",
          "solve y = exp(-2z) for z, and differentiate with respect to y.")  # fmt: skip
def check_density(density) -> str:
    """density(y): that of y = exp(-2z) with z standard normal, bell(log(y)/2) / (2y)."""
    y = torch.tensor([0.2, 0.5, 1.0, 1.7, 3.0], dtype=torch.float64)
    z = -y.log() / 2
    right = _bell(z) / (2 * y)
    found = tensor(density(y), y.shape)
    refuse(found, {
        "A density is never negative: dz/dy is -1/(2y) here, and the rule takes its absolute value.": -right,
        "That is the density of z at the right place. The strip's width has changed: the factor |dz/dy| is missing.": _bell(z),
        "Half the bell is right at y = 1 only. |dz/dy| is not the same everywhere: it hangs on y.": _bell(z) / 2,
        "You multiplied by |dy/dz|. Where the curve is steep, strips get wide and low: it is |dz/dy|.": _bell(z) * 2 * y,
        "Twice too high: z = -log(y)/2, so |dz/dy| = 1/(2y), and each y comes from one z only.": _bell(z) / y,
        "Divided by y once too often: the slope of log(y) is 1/y.": _bell(z) / (2 * y**2),
        "bell wants the z that leads to y, not y itself: z = -log(y)/2.": _bell(y) / (2 * y),
        "The z that leads to y is -log(y)/2; you have ±log(y) inside the bell.": _bell(y.log()) / (2 * y),
        "That is the density of exp(z), the lesson's example. Here y = exp(-2z).": _bell(y.log()) / y,
        "That is the logarithm of the density: exp of it is the density itself.": right.log(),
        "The logarithm is the natural one, torch.log; you have the one to base 10.": _bell(y.log10() / 2) / (2 * y),
    })  # fmt: skip
    if not torch.allclose(found, right, rtol=1e-4):
        worst = ((found - right).abs() / right).argmax()
        raise Hint(f"At y = {y[worst]:g} it should be {right[worst]:.4g}; yours is {found[worst]:.4g}.")
    return "At y = 1, where z = 0, it is half as high as the bell, since the curve stretches twofold there."


@exercise("How loud is 0.2 · z beside 234 pixels that are often 1 or -1, and is it worth G's while to listen?",
          "define whisper like concatenate, then: quiet, _ = play(Generator(whisper, 236), 800).")  # fmt: skip
def check_whisper(answer) -> str:
    """The shares of left, right and neither of a generator whose z is too soft: one of the first two is nearly 1."""
    if callable(answer) or not hasattr(answer, "__len__") or isinstance(answer, str | dict | set):
        raise Hint(f"The answer should be the three numbers that shares(…) gives, not {described(answer)}.")
    counted = [number(share) for share in answer]
    if len(counted) != 3:
        raise Hint(f"The answer should be three numbers, for left, right and neither; you have {len(counted)}.")
    if abs(sum(counted) - 100) < 1:
        raise Hint(
            f"They add up to {sum(counted):g}, as percentages do. Let the answer be what shares(…) gives, which adds up to 1."
        )
    if sum(counted) > 1.5 and all(share.is_integer() for share in counted):
        raise Hint(f"They add up to {sum(counted):g}: counts, not shares. Divide by the number of draws.")
    if abs(sum(counted) - 1) > 0.01 or min(counted) < -0.01:
        raise Hint(f"Shares lie between 0 and 1 and add up to 1; yours add up to {sum(counted):g}.")
    if min(counted[:2]) > 0.2:
        raise Hint("Both directions: that is a loud z. Is it whisper, with 0.2 · z, that the new Generator was given?")
    if counted[2] > 0.5:
        raise Hint("Mostly neither: this generator has hardly been trained. Measure the one that play gives back.")
    if max(counted[:2]) < 0.9:
        raise Hint("Not settled yet: play on for 800 turns, with a fresh Generator.")
    return "One direction, (nearly) every time. G hardly hears z and is all but a function: this is called mode collapse."


def _bell(z: torch.Tensor) -> torch.Tensor:
    return torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
