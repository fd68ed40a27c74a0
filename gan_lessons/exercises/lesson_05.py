"""The checks of lesson 05, when GANs fail."""

import copy
from typing import NamedTuple

import numpy
import torch
from torch import Tensor, nn

from gan_lessons import bundle, failures, runtime, toys
from gan_lessons.exercises import Hint, exercise, number, refuse, word

# What the diagnosis may name, and what the curves of each look like.
LOOKS = {
    "healthy": "in a healthy run both beliefs stay close to one half, each on its own side, and D's loss just under log 4",
    "mode collapse": "in a mode collapse the curves are calm at one half and D's loss lies at log 4 or above",
    "oscillation": "in an oscillation D(x) swings as widely as D(G(z)), to the end",
    "strong D": "under a strong D the saturating loss is negative and goes flat at 0",
    "weak D": "with a weak D, D(x) is a calm line while D(G(z)) moves in long, smooth waves",
    "linear G": "with a linear G the gap opens slowly, and D is never quite sure",
    "mixed batch": "with a mixed batch D is sure of everything, while G's loss is too low for that",
    "leaked gradients": "after leaked gradients D(x) is 1, D(G(z)) is one half, and both losses are log 2",
    "unscaled data": "with unscaled data D is sure of everything, and G's loss climbs as -log D(G(z)) does",
}
NAMES = tuple(LOOKS)


@exercise(
    "Which of the twelve pictures looks least like a healthy run, and which row of the table of symptoms is that?",
    'begin with the run that swings most, for example answers = {1: "…"}, with a name from the list.',
)
def check_diagnosis(answers) -> str:
    """A dictionary from run to name, for some or all of the twelve (or a list of twelve names)."""
    truth = bundle.diagnosis_labels()
    given = _given(answers, truth)
    wrong = [run for run in sorted(given) if given[run] != truth[run]["name"]]
    count = f"{len(given) - len(wrong)} of the {len(given)} you named"
    if wrong:
        run = wrong[0]
        raise Hint(f"{count} are right. Look at run {run} again: {LOOKS[given[run]]}. But here: {truth[run]['evidence']}")
    if len(given) < len(truth):
        raise Hint(
            f"{count} are right, all of them. Still without a name: {', '.join(map(str, sorted(truth.keys() - given.keys())))}."
        )
    causes = " ".join(f"{run}: {label['cause']}" for run, label in truth.items() if label["name"] != "healthy")
    return f"All twelve. What had been changed: {causes}"


def _given(answers, truth: dict) -> dict[int, str]:
    """The named runs; those left at `...` do not count."""
    if isinstance(answers, (list, tuple, numpy.ndarray)):
        if len(answers) != len(truth):
            raise Hint(f"A list needs {len(truth)} names, one a run, not {len(answers)}; a dictionary may have fewer.")
        answers = dict(enumerate(answers, start=1))
    if not isinstance(answers, dict):
        raise Hint('Answer with a dictionary from run to name, such as {1: "healthy"}.')
    if unknown := [key for key in answers if key not in truth]:
        form = "" if isinstance(unknown[0], int) else ", without quotation marks, each before its name"
        raise Hint(f"{unknown[0]!r} is no run: the keys are the whole numbers 1 to {len(truth)}{form}.")
    given = {run: word(name, NAMES) for run, name in answers.items() if name is not ...}
    if not given:
        raise Hint('No run has a name yet. Begin with the one that swings most, such as {1: "…"}.')
    return given


# What a mended loop has to reach with each of the seeds. Healthy ones have 4 to 8 modes and 53 % to 80 % of their samples there.
TURNS, SEEDS, MODES, AT_MODES = 1000, (0, 1, 2), 3, 0.45


class Played(NamedTuple):
    """What a loop has left behind: how many modes are covered, the share of samples there, and D's mean belief in fakes."""

    modes: int
    at_modes: float
    fake_p: float


def _play(loop, seed: int, turns: int) -> Played:
    """Play a loop from the networks of this seed; a Hint where a few turns leave a player where it was."""
    torch.manual_seed(seed)
    players = {"G": failures.network(2, 2).to(runtime.device()), "D": failures.network(2, 1).to(runtime.device())}
    before = copy.deepcopy(players)
    g, d = players.values()
    loop(g, d, failures.adam()(g.parameters()), failures.adam()(d.parameters()), turns)
    for name, player in players.items():
        if _equal(player, before[name]):
            raise Hint(
                f"{name}'s weights are where they were before the game: its optimizer has found no gradient, or made no step."
            )
    with torch.no_grad():
        samples = g(failures.noise(2000))
        shares = toys.mode_shares(samples, toys.ring_centres(), failures.STD)
        covered = toys.modes_covered(samples, toys.ring_centres(), failures.STD)
        return Played(covered, shares.sum().item(), d(samples).sigmoid().mean().item())


def _equal(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(*pair) for pair in zip(one.parameters(), other.parameters()))


def _judge_loop(loop, otherwise: str) -> str:
    """Play the loop with three seeds; a Hint, with `otherwise` at its end, where one of them does not find the ring."""
    _play(loop, SEEDS[0], 5)
    found = []
    for seed in SEEDS:
        found.append(now := _play(loop, seed, TURNS))
        if now.modes < MODES or now.at_modes < AT_MODES:
            raise Hint(
                f"Played for {TURNS} turns with seed {seed}, your loop covers {now.modes} of 8 modes, with {now.at_modes:.0%} of the "
                f"samples at a mode; D believes the fakes at {now.fake_p:.2f}. {MODES} modes and {AT_MODES:.0%} are asked. {otherwise}"
            )
    modes, shares = (", ".join(map(str, column)) for column in ([x.modes for x in found], [f"{x.at_modes:.0%}" for x in found]))
    return f"With three seeds it covers {modes} of 8 modes, with {shares} of the samples at a mode."


@exercise(
    "What does D say of reals and of fakes at the end of loop A, and what would you expect it to say of such samples?",
    "print the least and the greatest number that goes into each softplus, here and in a healthy loop.",
    returns_nothing=True,
)
def check_loop_a(loop) -> str:
    """loop(g, d, g_optimizer, d_optimizer, turns): loop A, mended; a sigmoid stood before the softplus."""
    return _judge_loop(loop, "softplus(-a) is -log σ(a): the sigmoid is in it already. Is there still another one somewhere?")


@exercise(
    "Write down the steps of one turn of loop B, in their order, and beside each what it changes: weights, gradients, or both.",
    "print the length of the gradient of D's first weights at the beginning of each of the first five turns.",
    returns_nothing=True,
)
def check_loop_b(loop) -> str:
    """loop(g, d, g_optimizer, d_optimizer, turns): loop B, mended; D's gradients were never set to zero."""
    return _judge_loop(
        loop, "backward() adds to what lies in .grad: of G's step, and of all the turns before. Who clears it, and when?"
    )


@exercise(
    "At which points does R1 measure D's slope, and of which of D's numbers, the logit or the belief?",
    "torch.autograd.grad(d(real).sum(), real) gives the slope at each point; the sum does not mix them, since D sees each alone.",
)
def check_r1(penalty) -> str:
    """penalty(d, real): half the squared length of D's slope at the reals, on average, with a way back to D's weights."""
    device = runtime.device()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        d, real = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)).to(device), torch.randn(4, 3).to(device)
    slopes = _slopes(d, real)
    lengths, wanted = slopes.norm(dim=1).detach(), slopes.square().sum(dim=1).mean() / 2
    result = penalty(d, real)
    found = number(result, "One number for the whole batch is asked for: the mean over its points.")
    beliefs = _slopes(lambda x: d(x).sigmoid(), real)
    refuse(found, {
        "The half is missing: it is there so that the slope of ψ²/2 is ψ.": 2 * wanted,
        "That is half the mean length. R1 squares the length.": lengths.mean() / 2,
        "That is the mean over all coordinates: the squared length of one point's slope is the *sum* over its coordinates.": wanted / 3,
        "That is the sum over the batch. R1 takes the mean, so that the batch's size does not change its weight.": 4 * wanted,
        "That is the slope of a *mean* of logits, which is 4 times too small here for each point: take the sum.": wanted / 16,
        "That is the slope of the belief. R1 takes the logit's: no sigmoid.": beliefs.square().sum(dim=1).mean() / 2,
        "That draws the slope's length towards 1, as WGAN-GP does. R1 draws it towards 0.": (lengths - 1).square().mean(),
        "All slopes were added up before the square, so that they cancel one another: square each point's own.": slopes.sum(dim=0).square().sum() / 2,
    }, rtol=1e-3)  # fmt: skip
    if abs(found - wanted.item()) > 1e-3 * wanted.item():
        raise Hint(f"On a D of three inputs and four points the penalty is {wanted.item():.4f}, not {found:.4f}.")
    _lead_back(result, wanted, d)
    return f"On a D of three inputs and four points it is {found:.4f}, and D's weights hear of it."


def _slopes(d, points: Tensor) -> Tensor:
    """The slope of d at each of the points, ready to be differentiated once more."""
    points = points.clone().requires_grad_()
    return torch.autograd.grad(d(points).sum(), points, create_graph=True)[0]


def _lead_back(result, wanted: Tensor, d: nn.Module) -> None:
    """A Hint unless the result has the gradient of the wanted penalty in each of d's weights."""
    if not isinstance(result, Tensor) or not result.requires_grad:
        raise Hint("The number is right, but nothing leads from it back to D's weights, so D cannot lower it: `create_graph`.")
    weights = [each for name, each in d.named_parameters() if name != "2.bias"]  # the last bias has no part in any slope
    mine, its = (torch.autograd.grad(each, weights, allow_unused=True) for each in (result, wanted))
    if any(one is None or not torch.allclose(one, other, rtol=1e-3, atol=1e-6) for one, other in zip(mine, its)):
        raise Hint("The number is right, but its gradient in D's weights is not: is a part of it detached?")


@exercise(
    "If all samples sit at K places, equally often, how often do two different ones sit at the same place?",
    "torch.cdist(samples, samples) holds each pair of different samples twice, and each sample with itself once.",
)
def check_places(places) -> str:
    """places(samples, near): 1 / the share of the pairs of different samples that are nearer to each other than `near`."""
    spots = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]], device=runtime.device())
    samples = spots[[0, 1, 0, 2, 1, 0]] + torch.linspace(0, 0.1, 6, device=runtime.device())[:, None]
    found = number(places(samples, 0.5))
    refuse(found, {
        "Each sample is near to itself, and that is no pair: with 6 samples there are 15 pairs.": 36 / 14,
        "The pairs of a sample with itself do not count above the line, nor below: of 6 samples there are 15 pairs.": 36 / 8,
        "Above the line each pair counts once, and below the line twice, with samples paired with themselves.": 36 / 4,
        "Above the line each pair counts twice, below once.": 15 / 8,
        "Above the line each pair counts once, below twice.": 30 / 4,
        "That is the share of pairs that are near. How many places is it for?": 4 / 15,
        "Those are the places that occur at all. How often they come counts too: a place that holds half of the samples is met more often.": 3,
        "Those are the pairs that are far apart.": 15 / 11,
    })  # fmt: skip
    if abs(found - 15 / 4) > 1e-3:
        raise Hint(
            f"Six samples, three at one place, two at another, one alone: 4 of 15 pairs are near, so 3.750, not {found:.3f}."
        )
    if abs(found := number(places(samples, 10.0)) - 1) > 1e-3:
        raise Hint(f"With near = 10 all pairs are near, which is one place; yours are {found + 1:.3f}. Is `near` used?")
    return " ".join(f"{name.capitalize()}: {number(places(x, 0.6)):.1f}." for name, x in _places_to_count().items())


def _places_to_count() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return toys.ring_references(2000)
