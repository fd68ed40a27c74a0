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
    "forgotten detach": "after a forgotten detach D(x) is 1, D(G(z)) is one half, and both losses are log 2",
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
    "After loop A, G's samples are where G was born. Which line should have moved them, and does its gradient reach G?",
    "follow the gradient of g_loss backwards, from d(…) to the weights of G: where does it stop?",
    returns_nothing=True,
)
def check_loop_a(loop) -> str:
    """loop(g, d, g_optimizer, d_optimizer, turns): loop A, mended; D's step is right, G's loss did not reach G."""
    return _judge_loop(loop, "Does the gradient of G's loss reach G, and does that of D's loss stop before it?")


@exercise(
    "In loop B, between which two numbers do D's answers lie before they come to softplus, and how sure can D be then?",
    "softplus wants logits, which may be any number. What does a sigmoid make of them?",
    returns_nothing=True,
)
def check_loop_b(loop) -> str:
    """loop(g, d, g_optimizer, d_optimizer, turns): loop B, mended; a sigmoid stood before the softplus."""
    return _judge_loop(loop, "softplus(-a) is -log σ(a): the sigmoid is in it already. Is there still another one somewhere?")


@exercise(
    "In loop C, what lies in the .grad of D's weights when d_loss.backward() begins?",
    "G's step sends its gradient through D, and it stays in D's weights until somebody clears it.",
    returns_nothing=True,
)
def check_loop_c(loop) -> str:
    """loop(g, d, g_optimizer, d_optimizer, turns): loop C, mended; D's gradients were never set to zero."""
    return _judge_loop(
        loop, "backward() adds to what lies in .grad: of G's step, and of all the turns before. Who clears it, and when?"
    )


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
