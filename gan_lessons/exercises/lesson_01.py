"""The checks of lesson 01, why noise."""

import math

import torch

from gan_lessons.exercises import Hint, exercise


@exercise("which number has the smallest mean squared distance to eight ones and two minus ones?")
def check_grey(answer) -> str:
    """The pixel that minimises 0.8·(a - 1)² + 0.2·(a + 1)²: its mean, 0.6."""
    value = float(answer)
    if abs(value) < 1e-6:
        raise Hint("0 is the answer for equal shares. Here white comes four times as often as black.")
    if abs(value - 1) < 1e-6:
        raise Hint("1 is the more frequent value. Squared error does not vote, it averages.")
    if abs(value - 0.8) < 1e-6:
        raise Hint("0.8 is the share of white. Black pixels are -1, not 0: they pull the mean down further.")
    if abs(value + 0.6) < 1e-6:
        raise Hint("The sign is flipped: most of the time the pixel is white, which is +1.")
    if abs(value - 0.6) > 1e-6:
        raise Hint(f"{value:g} is not the mean of a number that is 1 with probability 0.8 and -1 with probability 0.2.")
    return "The mean, 0.8·1 + 0.2·(-1). The ghosts get unequal: the left one bright, the right one faint."


@exercise("torch.randint(0, 2, (n, 1)) gives 0 or 1; stretch and shift it.")
def check_coin(coin) -> str:
    """coin(n): n×1 random numbers, -1 or 1 with probability one half each."""
    tosses = coin(4000)
    if tuple(tosses.shape) != (4000, 1):
        raise Hint(f"coin(4000) has shape {tuple(tosses.shape)}; one number for each of 4000 frames is (4000, 1).")
    values = sorted(set(tosses.flatten().tolist()))
    if values == [0, 1]:
        raise Hint("A coin of 0 and 1 is fair too, but here its sides should be -1 and 1: 2·toss - 1.")
    if len(values) > 2:
        raise Hint(f"A coin has two sides; yours shows {len(values)} different numbers.")
    if len(values) == 1:
        raise Hint(f"Every toss came out {values[0]:g}. A toss must be drawn anew for each frame: n×1 of them, not one.")
    if values != [-1, 1]:
        raise Hint(f"The sides are {values[0]:g} and {values[1]:g}; they should be -1 and 1.")
    share = (tosses == 1).float().mean().item()
    if abs(share - 0.5) > 0.05:
        raise Hint(f"1 comes up in {share:.0%} of the tosses; a fair coin shows it in half of them.")
    if not tosses.is_floating_point():
        raise Hint(f"The tosses have type {tosses.dtype}; a network wants floating-point numbers: add .float().")
    return "A fair coin. Now play the game with it."


@exercise("the area under 2y from 0 to y is y², and it must equal the area under u's density from 0 to u, which is u.")
def check_rising(rising) -> str:
    """rising(u): u uniform on (0, 1) to y with density 2y on (0, 1): the square root."""
    u = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    y = rising(u)
    if not isinstance(y, torch.Tensor) or y.shape != u.shape:
        raise Hint("rising(u) should give a y for each u: a tensor of the shape of u.")
    if y.min() < 0 or y.max() > 1:
        raise Hint(f"Some y lie outside 0…1, from {y.min():.2f} to {y.max():.2f}. 2y is the density of y, not the map to y.")
    if torch.allclose(y, u):
        raise Hint("That leaves u as it is: uniform.")
    if torch.allclose(y, u.square()):
        raise Hint("u² crowds the draws near 0, the inverse of what we want. If y² = u, what is y?")
    found = torch.histc(y.float(), 10, 0, 1) / 1000
    wanted = (2 * torch.arange(10) + 1) / 100
    if (found - wanted).abs().sum() / 2 > 0.02:
        raise Hint(f"A tenth of the interval near 1 should hold 19 % of the draws; it holds {found[-1]:.0%}.")
    return "y = √u (or its mirror image, √(1 - u)): area u on one side, area y² = u on the other."


@exercise("solve y = exp(-2z) for z, differentiate with respect to y, and put both into the rule.")
def check_density(density) -> str:
    """density(y): that of y = exp(-2z) with z standard normal, bell(log(y)/2) / (2y)."""
    y = torch.tensor([0.2, 0.5, 1.0, 1.7, 3.0], dtype=torch.float64)
    z = -y.log() / 2
    right = _bell(z) / (2 * y)
    found = density(y)
    if not isinstance(found, torch.Tensor) or found.shape != y.shape:
        raise Hint("density(y) should give a height for each y: a tensor of the shape of y.")
    mistakes = (
        (-right, "A density is never negative: dz/dy is -1/(2y) here, and the rule takes its absolute value."),
        (_bell(z), "That is the density of z at the right place. The strip's width has changed: the factor |dz/dy| is missing."),
        (_bell(z) * 2 * y, "You multiplied by |dy/dz|. Where the curve is steep, strips get wide and low: it is |dz/dy|."),
        (_bell(z) / y, "Twice too high: z = -log(y)/2, so |dz/dy| = 1/(2y), and each y comes from one z only."),
        (_bell(y) / (2 * y), "bell wants the z that leads to y, not y itself: z = -log(y)/2."),
        (_bell(y.log()) / (2 * y), "The z that leads to y is -log(y)/2; you have ±log(y) inside the bell."),
        (_bell(y.log()) / y, "That is the density of exp(z), the lesson's example. Here y = exp(-2z)."),
    )
    if torch.allclose(found.double(), right, rtol=1e-4):
        return "At y = 1, where z = 0, it is half as high as the bell, since the curve stretches twofold there."
    for wrong, hint in mistakes:
        if torch.allclose(found.double(), wrong, rtol=1e-4):
            raise Hint(hint)
    raise Hint(f"At y = 1 it should be {right[2]:.4f}, half the bell's height at 0; yours is {found[2]:.4f}.")


@exercise("define whisper like concatenate, then: quiet, _ = play(Generator(whisper, 236), 800).")
def check_whisper(answer) -> str:
    """The shares of left, right and neither of a generator whose z is too soft: one of the first two is nearly 1."""
    try:
        counted = [float(share) for share in answer]
    except TypeError:
        raise Hint("The answer should be the three numbers that shares(…) gives.") from None
    if len(counted) != 3:
        raise Hint(f"The answer should be three numbers, for left, right and neither; you have {len(counted)}.")
    if sum(counted) > 1.5:
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
