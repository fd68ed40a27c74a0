"""Lesson 05's game on the ring, with every choice an argument, so that each can be made badly on purpose."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy
import torch
from torch import Tensor, nn

from gan_lessons import losses, models, runtime, toys
from gan_lessons.history import History, Record

Optimizer = Callable[..., torch.optim.Optimizer]


def network(inputs: int, outputs: int, activation=lambda: nn.LeakyReLU(0.2), norm=nn.Identity) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, 64), norm(64), activation(),
        nn.Linear(64, 64), norm(64), activation(),
        nn.Linear(64, outputs),
    )  # fmt: skip


def adam(lr: float = 2e-3, momentum: float = 0.5) -> Optimizer:
    return lambda parameters: torch.optim.Adam(parameters, lr, betas=(momentum, 0.99), fused=True)


def sgd(lr: float) -> Optimizer:
    return lambda parameters: torch.optim.SGD(parameters, lr)


def two_batches(d: nn.Module, real: Tensor, fake: Tensor):
    return d(real), d(fake)


class Run(NamedTuple):
    history: History
    generator: nn.Module
    discriminator: nn.Module
    moments: dict[int, Tensor]


class Recipe(NamedTuple):
    generator: Callable[[], nn.Module] = lambda: network(2, 2)
    discriminator: Callable[[], nn.Module] = lambda: network(2, 1)
    pair: losses.Losses = losses.non_saturating
    optimizers: tuple[Optimizer, Optimizer] = (adam(), adam())
    g_steps: int = 1
    d_steps: int = 1
    look: Callable = two_batches
    penalty: Callable = lambda d, real: 0.0
    leak: bool = False
    head_start: int = 0
    draw: Callable[[int], Tensor] = lambda n: toys.ring().sample((n,))
    turns: int = 1000
    seed: int = 0
    every: int = 25


def noise(n):
    return torch.randn(n, 2, device=runtime.device())


def d_turn(g, d, optimizer, recipe):
    for _ in range(recipe.d_steps):
        fake = g(noise(128))
        real = recipe.draw(128)
        real_logits, fake_logits = recipe.look(d, real, fake if recipe.leak else fake.detach())
        loss = recipe.pair.discriminator(real_logits, fake_logits)
        (loss + recipe.penalty(d, real)).backward(retain_graph=recipe.leak)
        optimizer.step(), optimizer.zero_grad()
    beliefs = [logits.detach().sigmoid().mean().item() for logits in (real_logits, fake_logits)]
    return fake, beliefs, loss.item()


def g_turn(g, d, optimizer, fake, recipe):
    for step in range(recipe.g_steps):
        fake = fake if step == 0 else g(noise(128))
        loss = recipe.pair.generator(d(fake))
        loss.backward(inputs=None if recipe.leak else list(g.parameters()))
        optimizer.step(), optimizer.zero_grad()
    return loss.item()


FIXED = torch.randn(2000, 2, generator=torch.Generator().manual_seed(1))


def play(**changes):
    recipe = Recipe(**changes)
    torch.manual_seed(recipe.seed)
    g, d = recipe.generator().to(runtime.device()), recipe.discriminator().to(runtime.device())
    g_optimizer, d_optimizer = recipe.optimizers[0](g.parameters()), recipe.optimizers[1](d.parameters())
    history, moments = History(), {}
    for turn in range(1 - recipe.head_start, recipe.turns + 1):
        fake, beliefs, d_loss = d_turn(g, d, d_optimizer, recipe)
        if turn < 1:
            continue
        g_loss = g_turn(g, d, g_optimizer, fake, recipe)
        history.append(Record(turn, *beliefs, g_loss, d_loss))
        if turn % recipe.every == 0:
            moments[turn] = models.run(g, FIXED)
    return Run(history, g, d, moments)
