"""What would make a game fail silently or in torch's words, noticed before the first update."""

import math
from collections.abc import Callable
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from gan_lessons import losses as our_losses
from gan_lessons.losses import Losses, Penalty


class BadImages(ValueError):
    """Images that no game can be played with; the message says which, what they should be and the way there."""


LIMIT = 1.001  # of an image in [-1, 1], with room for rounding
ENOUGH = 1000  # pixels, of which honest ones are not all on one side of mid-grey


def check_networks(generator: Any, discriminator: Any) -> None:
    """Raises TypeError or ValueError for what is no network, has nothing to learn or is not of 32-bit floats."""
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(network, nn.Module):
            raise TypeError(f"The {name} is {_word(network)}, not a network. Pass an nn.Module, as models.mlp_{name}() gives it.")
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise ValueError(f"The {name} has no parameter that may learn. Unfreeze it: network.requires_grad_(True).")
        kinds = {parameter.dtype for parameter in network.parameters()} - {torch.float32}
        if kinds:
            raise ValueError(f"The {name} holds {kinds.pop()}; the game is played in torch.float32. Call network.float().")
    if generator is discriminator:
        raise ValueError("The generator and the discriminator are one and the same network. Make two.")


def check_settings(
    latent_size: Any,
    batch_size: Any,
    generator_lr: float,
    discriminator_lr: float,
    betas: tuple,
    losses: Any,
    penalty: Any,
    average_decay: float,
) -> None:
    """Raises TypeError or ValueError for the first setting with which no game can be played, or nothing be learned."""
    for name, value in (("latent_size", latent_size), ("batch_size", batch_size)):
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise TypeError(f"{name} is {value!r}; it is a whole number, such as {64 if name == 'batch_size' else 100}.")
    if not isinstance(losses, Losses):
        raise TypeError(
            f"losses is {_word(losses)}; pass a pair such as losses.non_saturating, or make one: losses.Losses(…, …)."
        )
    if not isinstance(penalty, Penalty | None):
        raise TypeError(f"penalty is {_word(penalty)}; pass one such as losses.Penalty(losses.r1, weight=1.0), or None.")
    weight, every = penalty[1:] if penalty else (1, 1)
    decay = average_decay
    for wrong, sentence in (
        (latent_size < 1, f"latent_size is {latent_size}; G needs at least 1 number to make an image from."),
        (batch_size < 2, f"batch_size is {batch_size}; batch normalisation needs at least 2 images to compare."),
        (not 0 < generator_lr < math.inf, f"generator_lr is {generator_lr}; G learns with a rate above 0, such as 2e-3."),
        (
            not 0 < discriminator_lr < math.inf,
            f"discriminator_lr is {discriminator_lr}; D learns with a rate above 0, such as 4e-4.",
        ),
        (
            len(betas) != 2 or betas[0] > betas[1],
            f"betas is {betas}; Adam takes (β₁, β₂), the smaller first, such as (0.0, 0.999).",
        ),
        (not 0 < weight < math.inf, f"The penalty's weight is {weight}; it is above 0, such as 1.0. None leaves it out."),
        (
            not (isinstance(every, int) and every >= 1),
            f"The penalty comes every {every!r} turns; that is a whole number from 1 up.",
        ),
        (not 0 <= decay < 1, f"average_decay is {decay}; it lies from 0 to below 1, where the average would never move."),
    ):
        if wrong:
            raise ValueError(sentence)


def drawn(draw: Callable[[int], Tensor], n: int) -> Tensor:
    """n real images from draw. Raises TypeError or ValueError where it is no function or has none left."""
    if not callable(draw):
        raise TypeError(f"draw is {_word(draw)}, not a function of n. Pass a function that gives n images, such as digits.draw.")
    try:
        return draw(n)
    except StopIteration:
        raise ValueError(
            "draw has no images left (StopIteration). It is asked once a turn: begin the data anew when they are through."
        ) from None


def check_real(real: Any, fake: Tensor) -> None:
    """Raises TypeError or ValueError where the real batch is not of the fake one's shape, type and device; reads no pixel."""
    if not isinstance(real, Tensor):
        raise TypeError(
            f"draw gave something {_word(real)}, not a tensor of images. Where it holds images and labels, give the images alone."
        )
    if real.shape != fake.shape or real.dtype != fake.dtype:
        channels_last = real.dim() == fake.dim() == 4 and real.movedim(-1, 1).shape == fake.shape
        raise ValueError(
            f"draw gave real images of shape {tuple(real.shape)} and {real.dtype}, but the generator makes "
            f"{tuple(fake.shape)} and {fake.dtype}: the discriminator must see both alike."
            + " The channels come last; move them: images.movedim(-1, 1)."
            * channels_last
        )
    if real.device != fake.device:
        raise ValueError(
            f"draw gave real images on {real.device}, but the game is played on {fake.device}. "
            "Move them: images.to(runtime.device())."
        )


def check_largest(real: float, fake: float, images: bool) -> None:
    """Takes the largest absolute values of a batch; raises BadImages for reals that are not finite, and images not in [-1, 1]."""
    if not math.isfinite(real):
        raise BadImages("draw gave real images with NaN or infinite values among them. Look for them with images.isfinite().")
    if images and real > LIMIT:
        raise BadImages(
            f"draw gave real images with values up to {real:.4g}; they must lie in [-1, 1]. "
            "Pixels from 0 to 255 become so by pixels / 127.5 - 1, and others by their own minimum and maximum."
        )
    if images and LIMIT < fake < math.inf:
        raise BadImages(f"The generator makes images with values up to {fake:.4g}, not in [-1, 1]. End it with nn.Tanh().")


def check_range(real: Tensor) -> None:
    """Raises BadImages where all pixels of a real batch, N×C×H×W, are light: those of images in [0, 1]."""
    low, high = torch.stack(real.detach().aminmax()).tolist()
    if real.dim() == 4 and real.numel() >= ENOUGH and 0 <= low < high <= LIMIT:
        raise BadImages(
            f"draw gave real images from {low:.4g} to {high:.4g}, none below 0; they must lie in [-1, 1]. "
            "Stretch them: 2 * images - 1."
        )


def try_out(generator: nn.Module, discriminator: nn.Module, z: Tensor, losses: Losses) -> None:
    """Run both networks once, in eval mode, so that nothing in them moves.

    Raises ValueError where G does not take z, N×latent_size, or makes no image darker than mid-grey, and where D does not
    take G's images or does not give N logits.
    """
    try:
        images = _run(generator, z)
        # Far from 0: for an ordinary z a G that has not learned yet may well paint all in one light grey.
        strong = _run(generator, 1e4 * z)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"The generator cannot take z of shape {tuple(z.shape)}: the game's latent_size is {z.shape[1]}, and "
            f"{_first_layer(generator)}. The generator comes first, then the discriminator; both sizes must agree. ({error})"
        ) from None
    if images.dim() == 4 and strong.numel() >= ENOUGH and strong.min() >= 0:
        raise BadImages(
            f"The generator's images are never below 0, but from {strong.min():.4g} to {strong.max():.4g}, whatever z is; they must "
            "reach from -1 to 1. End it with nn.Tanh()."
        )
    noise = torch.randn_like(images)
    try:
        logits = _run(discriminator, images)
        # Far larger than any image, and both ways round: where a squashing last layer shows itself.
        extreme = _run(discriminator, 1e4 * torch.cat([images + noise, -images - noise]))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"The discriminator cannot take the generator's images of shape {tuple(images.shape)}. ({error})"
        ) from None
    if logits.shape[:1] != (len(z),) or logits.numel() != len(z):
        raise ValueError(
            f"The discriminator gives shape {tuple(logits.shape)} for {len(z)} images; it must give {len(z)} logits, one an image."
        )
    ours = (our_losses.minimax, our_losses.non_saturating, our_losses.least_squares)
    squashed = extreme.min() >= 0 and extreme.max() > 0 and ((extreme == 0) | (extreme == 1)).any()
    # Where its own logits are bounded, a sigmoid reaches neither 0 nor 1; but a Sequential tells which layer comes last.
    if losses in ours and (squashed or isinstance(_last_layer(discriminator), (nn.Sigmoid, nn.ReLU))):
        raise ValueError(
            "The discriminator never gives a number below 0: it ends in a sigmoid or a ReLU. The losses take logits; "
            "leave the last layer out."
        )


@torch.no_grad()
def _run(network: nn.Module, inputs: Tensor) -> Tensor:
    return network.eval()(inputs)


def _first_layer(network: nn.Module) -> str:
    for layer in network.modules():
        size = getattr(layer, "in_features", None) or getattr(layer, "in_channels", None)
        if size:
            return f"the first layer takes {size}"
    return "its first layer takes something else"


def _last_layer(network: nn.Module) -> nn.Module:
    """The last layer of a Sequential that does more than reshape; of another network nobody knows which one is called last."""
    while isinstance(network, nn.Sequential):
        layers = [layer for layer in network if not isinstance(layer, (nn.Flatten, nn.Unflatten, nn.Identity))]
        network = layers[-1] if layers else nn.Identity()
    return network


def _word(thing: Any) -> str:
    return "that is None" if thing is None else f"of type {type(thing).__name__}"
