"""Lesson 05's game on the ring of eight, with each choice an argument, so that each can be made badly on purpose."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy
import torch
from torch import Tensor, nn

from gan_lessons import losses, models, runtime, toys
from gan_lessons.history import History, Record

BATCH, EVERY, MODES, STD = 128, 25, 8, 0.15
ring = functools.cache(toys.ring)  # by its arguments: making one takes longer than drawing from it


class Run(NamedTuple):
    """What a game leaves behind: its history, both networks, and by turn G's samples (2000×2) for always the same z.

    The first snapshot, of turn 0, is of G as it was born.
    """

    history: History
    generator: nn.Module
    discriminator: nn.Module
    snapshots: dict[int, Tensor]


def network(inputs: int, outputs: int, activation: Callable = lambda: nn.LeakyReLU(0.2), norm: Callable = nn.Identity):
    """Two hidden layers of 64 units: a dense layer, `norm(64)`, `activation()`, twice, and a dense layer."""
    hidden = [[nn.Linear(size, 64), norm(64), activation()] for size in (inputs, 64)]
    return nn.Sequential(*hidden[0], *hidden[1], nn.Linear(64, outputs))


def adam(lr: float = 2e-3, momentum: float = 0.5) -> Callable:
    """What makes an Adam of this learning rate and β₁ of a network's parameters."""
    return lambda parameters: torch.optim.Adam(parameters, lr, betas=(momentum, 0.99), fused=True)


def sgd(lr: float) -> Callable:
    """What makes a plain gradient descent of this learning rate of a network's parameters."""
    return lambda parameters: torch.optim.SGD(parameters, lr)


class Recipe(NamedTuple):
    """The choices of a game; the defaults make a healthy one. `optimizers` are G's and D's."""

    generator: Callable = lambda: network(2, 2)
    discriminator: Callable = lambda: network(2, 1)
    pair: losses.Losses = losses.non_saturating
    optimizers: tuple[Callable, Callable] = (adam(), adam())
    g_steps: int = 1  # in each turn
    d_steps: int = 1
    draw: Callable = lambda n: ring().sample((n,))
    look: Callable = lambda d, real, fake: (d(real), d(fake))  # how D sees both batches in its own step
    penalty: Callable = lambda d, real: 0.0  # what D minimises besides its loss
    leak: bool = False  # True: nothing is detached or frozen, and gradients are zeroed after the steps
    head_start: int = 0  # turns that D plays alone
    turns: int = 1000
    every: int = EVERY  # turns between the snapshots that are kept
    seed: int = 0


def play(**changes) -> Run:
    """Play the game of the `Recipe` with these changes, as in `play(g_steps=10)`."""
    recipe = Recipe(**changes)
    fixed_z = torch.randn(2000, 2, generator=torch.Generator().manual_seed(1)).to(runtime.device())
    torch.manual_seed(recipe.seed)
    g, d = recipe.generator().to(runtime.device()), recipe.discriminator().to(runtime.device())
    g_optimizer, d_optimizer = recipe.optimizers[0](g.parameters()), recipe.optimizers[1](d.parameters())
    run = Run(History(), g, d, {0: models.run(g, fixed_z)})
    for turn in range(1 - recipe.head_start, recipe.turns + 1):
        fake, (real_p, fake_p), d_loss = _d_turn(g, d, d_optimizer, recipe)
        if turn < 1:
            continue  # D's head start: G does not learn yet
        g_loss = _g_turn(g, d, g_optimizer, fake, recipe)
        run.history.append(Record(turn, real_p, fake_p, g_loss, d_loss))
        if turn % recipe.every == 0:
            run.snapshots[turn] = models.run(g, fixed_z)
    return run


def play_three(**changes) -> list[Run]:
    """The same game with the seeds 0, 1 and 2."""
    return [play(**changes, seed=seed) for seed in range(3)]


def noise(n: int) -> Tensor:
    """n latent vectors of two numbers each from the standard normal distribution, on the device."""
    return torch.randn(n, 2, device=runtime.device())


def _d_turn(g, d, optimizer, recipe: Recipe) -> tuple[Tensor, list[float], float]:
    for _ in range(recipe.d_steps):
        fake = g(noise(BATCH))
        real = recipe.draw(BATCH)
        logits = recipe.look(d, real, fake if recipe.leak else fake.detach())
        loss = recipe.pair.discriminator(*logits)
        # G's step goes the way back through a leaked fake's graph once more.
        (loss + recipe.penalty(d, real)).backward(retain_graph=recipe.leak)
        optimizer.step(), optimizer.zero_grad()
    return fake, [each.detach().sigmoid().mean().item() for each in logits], loss.item()


def _g_turn(g, d, optimizer, fake: Tensor, recipe: Recipe) -> float:
    for step in range(recipe.g_steps):
        fake = fake if step == 0 else g(noise(BATCH))
        loss = recipe.pair.generator(d(fake))
        loss.backward(inputs=None if recipe.leak else list(g.parameters()))  # as if D were frozen
        optimizer.step(), optimizer.zero_grad()
    return loss.item()


def late(run: Run, name: str, turns: int = 200) -> float:
    """The mean of a column of the history over the last turns, or over all where there are not so many."""
    return float(numpy.mean(run.history.column(name)[-turns:]))


def late_shares(run: Run, looks: int = 8) -> Tensor:
    """The share of the samples at each of the eight modes, on average over the last snapshots: G never stands still."""
    last = list(run.snapshots.values())[-looks:]
    return torch.stack([toys.mode_shares(samples, toys.ring_centres(MODES), STD) for samples in last]).mean(dim=0)


def modes(run: Run, looks: int = 8) -> float:
    """How many of the eight modes are covered, as `toys.modes_covered` counts, on average over the last snapshots."""
    last = list(run.snapshots.values())[-looks:]
    return float(numpy.mean([toys.modes_covered(samples, toys.ring_centres(MODES), STD) for samples in last]))


def reached(run: Run, least: float = 0.02) -> int:
    """How many of the eight modes hold at least this share of the samples, on average over the last snapshots."""
    return int((late_shares(run) >= least).sum())


def smooth(history: History, name: str, window: int = 25) -> tuple[list[float], numpy.ndarray]:
    """The running mean of a column: the turns at which a window of so many rows ends, and the means."""
    return history.column("turn")[window - 1 :], numpy.convolve(history.column(name), numpy.ones(window) / window, "valid")


def band(histories: Sequence[History]) -> dict[str, tuple[list[float], numpy.ndarray, numpy.ndarray]]:
    """By column, the turns and the lowest and the highest running mean of these histories, all equally long."""
    found = {}
    for name in ("real_p", "fake_p", "generator_loss", "discriminator_loss"):
        turns, means = smooth(histories[0], name)[0], numpy.stack([smooth(history, name)[1] for history in histories])
        found[name] = turns, means.min(axis=0), means.max(axis=0)
    return found
