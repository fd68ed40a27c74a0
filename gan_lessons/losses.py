"""The adversarial losses: logits in, a scalar out, a pair of functions for each game; and the penalties on D's slopes.

A logit is D's output before the sigmoid. With D = sigmoid(logit), -log D is softplus(-logit) and
-log(1 - D) is softplus(logit): both are exact for any logit, where log(sigmoid(logit)) overflows.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus


class Losses(NamedTuple):
    """What each player minimises: `discriminator(real_logits, fake_logits)` and `generator(fake_logits)`.

    Where G's loss compares its images with real ones, `relative` is True and it is `generator(fake_logits, real_logits)`.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[..., Tensor]
    relative: bool = False


class Penalty(NamedTuple):
    """What D minimises besides its loss: weight · `slopes(discriminator, real, fake)`, every so many turns.

    At those turns it weighs as many times more: on average it is as if it were there at each (Karras et al., 2020).
    """

    slopes: Callable[[nn.Module, Tensor, Tensor], Tensor]
    weight: float
    every: int = 1


def cross_entropy_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-E[log D(x)] - E[log(1 - D(G(z)))]: minus the value V(D, G) of the game (Goodfellow et al., 2014)."""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def saturating_generator(fake_logits: Tensor) -> Tensor:
    """E[log(1 - D(G(z)))]: G's part of V(D, G), the minimax loss (Goodfellow et al., 2014)."""
    return -softplus(fake_logits).mean()


def non_saturating_generator(fake_logits: Tensor) -> Tensor:
    """-E[log D(G(z))]: the loss that everyone trains G with (Goodfellow et al., 2014, end of section 3)."""
    return softplus(-fake_logits).mean()


def least_squares_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E[(D(x) - 1)²] / 2 + E[D(G(z))²] / 2, with D the raw output (Mao et al., 2017)."""
    return ((real_logits - 1).square().mean() + fake_logits.square().mean()) / 2


def least_squares_generator(fake_logits: Tensor) -> Tensor:
    """E[(D(G(z)) - 1)²] / 2, with D the raw output (Mao et al., 2017)."""
    return (fake_logits - 1).square().mean() / 2


def relativistic_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-E[log sigmoid(D(x) - D(G(z)))]: each real is to beat the fake beside it (Jolicoeur-Martineau, 2019)."""
    return softplus(fake_logits - real_logits).mean()


def relativistic_generator(fake_logits: Tensor, real_logits: Tensor) -> Tensor:
    """-E[log sigmoid(D(G(z)) - D(x))]: the mirror of D's, each fake is to beat the real one (Jolicoeur-Martineau, 2019)."""
    return softplus(real_logits - fake_logits).mean()


def r1(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """E[|∇D(x)|²] / 2 over the real images: D is to be flat where the data are (Mescheder et al., 2018)."""
    return _squared_slopes(discriminator, real)


def r1_r2(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """(E[|∇D(x)|²] + E[|∇D(G(z))|²]) / 2: flat at the fakes as well; with the relativistic losses D needs both (Huang et al., 2024)."""
    return _squared_slopes(discriminator, real) + _squared_slopes(discriminator, fake)


def _squared_slopes(discriminator: nn.Module, images: Tensor) -> Tensor:
    images = images.detach().requires_grad_()
    # Each logit comes of its own image, so that the gradient of the sum holds that of each.
    (slopes,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    return slopes.square().flatten(1).sum(dim=1).mean() / 2


minimax = Losses(cross_entropy_discriminator, saturating_generator)
non_saturating = Losses(cross_entropy_discriminator, non_saturating_generator)
least_squares = Losses(least_squares_discriminator, least_squares_generator)
relativistic = Losses(relativistic_discriminator, relativistic_generator, relative=True)
