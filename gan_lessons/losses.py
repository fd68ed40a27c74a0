"""The adversarial losses: logits in, a scalar out, a pair of functions for each game.

A logit is D's output before the sigmoid. With D = sigmoid(logit), -log D is softplus(-logit) and
-log(1 - D) is softplus(logit): both are exact for any logit, where log(sigmoid(logit)) overflows.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import softplus


class Losses(NamedTuple):
    """What each player minimises: `discriminator(real_logits, fake_logits)` and `generator(fake_logits)`."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]


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


minimax = Losses(cross_entropy_discriminator, saturating_generator)
non_saturating = Losses(cross_entropy_discriminator, non_saturating_generator)
least_squares = Losses(least_squares_discriminator, least_squares_generator)
