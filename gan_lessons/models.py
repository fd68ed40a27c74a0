"""Generators and discriminators: functions that take sizes and return a `Sequential`.

Generators take z of shape N×latent_size and give images N×C×H×W in [-1, 1]; discriminators take such
images and give N logits, not probabilities.
"""

from math import prod

from torch import nn


def mlp_generator(
    latent_size: int = 100, image_shape: tuple[int, int, int] = (1, 28, 28), widths: tuple[int, ...] = (128, 256, 512)
) -> nn.Sequential:
    """A generator of dense layers with batch normalisation, as lesson 04 builds it.

    z of shape N×latent_size to images of shape N×image_shape in [-1, 1].
    """
    layers: list[nn.Module] = []
    for inputs, outputs in zip((latent_size, *widths), widths):
        # BatchNorm brings a bias of its own.
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], prod(image_shape)), nn.Tanh(), nn.Unflatten(1, image_shape))


def mlp_discriminator(
    image_shape: tuple[int, int, int] = (1, 28, 28), widths: tuple[int, ...] = (512, 256, 128)
) -> nn.Sequential:
    """A discriminator of dense layers: images of shape N×image_shape in [-1, 1] to N logits."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in zip((prod(image_shape), *widths), widths):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 1), nn.Flatten(0))
