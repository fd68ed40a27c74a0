"""Generators and discriminators: functions that take sizes and return a `Sequential`.

Generators take z of shape N×latent_size and give images N×C×H×W in [-1, 1]; discriminators take such
images and give N logits, not probabilities. All raise ValueError for an image_shape that is not (channels, height, width).
"""

import itertools
import operator
from math import prod

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


def mlp_generator(
    latent_size: int = 100, image_shape: tuple[int, int, int] = (1, 28, 28), widths: tuple[int, ...] = (128, 256, 512)
) -> nn.Sequential:
    """A generator of dense layers with batch normalisation, as lesson 04 builds it.

    z of shape N×latent_size to images of shape N×image_shape in [-1, 1].
    """
    image_shape = _checked(image_shape)
    layers: list[nn.Module] = []
    for inputs, outputs in zip((latent_size, *widths), widths):
        # BatchNorm brings a bias of its own.
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], prod(image_shape)), nn.Tanh(), nn.Unflatten(1, image_shape))


def mlp_discriminator(
    image_shape: tuple[int, int, int] = (1, 28, 28), widths: tuple[int, ...] = (512, 256, 128)
) -> nn.Sequential:
    """A discriminator of dense layers: images of shape N×image_shape in [-1, 1] to N logits."""
    image_shape = _checked(image_shape)
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in zip((prod(image_shape), *widths), widths):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 1), nn.Flatten(0))


def conv_generator(latent_size: int = 100, image_shape: tuple[int, int, int] = (1, 28, 28), width: int = 32) -> nn.Sequential:
    """A DCGAN generator: transposed convolutions that double the size, as lesson 07 builds it (after Radford et al., 2016).

    z of shape N×latent_size to images of shape N×image_shape in [-1, 1]; the last hidden layer has `width` channels, and
    each one before it twice as many. Raises ValueError for images that are not square or smaller than 8×8.
    """
    sizes = _sizes(image_shape)
    widths = [width * 2**n for n in reversed(range(len(sizes) - 1))]
    layers: list[nn.Module] = [nn.Unflatten(1, (latent_size, 1, 1))]
    layers += [nn.ConvTranspose2d(latent_size, widths[0], sizes[-1], bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
    for inputs, outputs, size in zip(widths, widths[1:], sizes[-2::-1]):
        # 3 becomes 6 by doubling; output_padding makes it the 7 that halving came from.
        layers += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, output_padding=size % 2, bias=False)]
        layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
    layers += [nn.ConvTranspose2d(widths[-1], image_shape[0], 4, 2, 1, output_padding=sizes[0] % 2), nn.Tanh()]
    return _prepared(nn.Sequential(*layers))


def conv_discriminator(image_shape: tuple[int, int, int] = (1, 28, 28), width: int = 32) -> nn.Sequential:
    """A DCGAN discriminator: strided convolutions that halve the size, as lesson 07 builds it (after Radford et al., 2016).

    Images N×image_shape in [-1, 1] to N logits; the first layer has `width` channels, and each one after it twice as many.
    Raises ValueError for images that are not square or smaller than 8×8.
    """
    sizes = _sizes(image_shape)
    widths = [width * 2**n for n in range(len(sizes) - 1)]
    # No batch normalisation in the first layer: D must see the images' own scale.
    layers: list[nn.Module] = [nn.Conv2d(image_shape[0], width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
    return _prepared(nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, sizes[-1]), nn.Flatten(0)))


def spectral_discriminator(image_shape: tuple[int, int, int] = (3, 64, 64), width: int = 16) -> nn.Sequential:
    """A DCGAN discriminator on a leash: spectral normalisation (Miyato et al., 2018) instead of batch normalisation, as lesson 08 builds it.

    Images N×image_shape in [-1, 1] to N logits. Every convolution is divided by its largest singular value, so that D
    can make only so much of a difference between two images. Raises ValueError for images that are not square or smaller
    than 8×8.
    """
    sizes = _sizes(image_shape)
    widths = [image_shape[0], *(width * 2**n for n in range(len(sizes) - 1))]
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1)), nn.LeakyReLU(0.2)]
    network = nn.Sequential(*layers, spectral_norm(nn.Conv2d(widths[-1], 1, sizes[-1])), nn.Flatten(0))
    return network.to(memory_format=torch.channels_last)


def _checked(image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    try:
        channels, height, width = map(operator.index, image_shape)
    except (TypeError, ValueError):
        channels = height = width = 0
    if min(channels, height, width) < 1:
        raise ValueError(
            f"image_shape is {image_shape!r}; it is (channels, height, width), three whole numbers from 1 on, such as (1, 28, 28)."
        )
    return channels, height, width


def _sizes(image_shape: tuple[int, int, int]) -> list[int]:
    """The size of the image and of its halves, rounded down, until 4 or less is left: 28, 14, 7, 3 or 64, 32, 16, 8, 4."""
    _, height, size = _checked(image_shape)
    if height != size or size < 8:
        raise ValueError(f"The convolutional networks make square images of at least 8×8, not {height}×{size}: crop or pad them.")
    sizes = [size]
    while sizes[-1] > 4:
        sizes.append(sizes[-1] // 2)
    return sizes


def _prepared(network: nn.Sequential) -> nn.Sequential:
    """The network with the initial weights of DCGAN, in the memory layout that CPUs convolve fastest; GPUs were not measured."""
    return initialise(network).to(memory_format=torch.channels_last)


def initialise(network: nn.Sequential) -> nn.Sequential:
    """Draw DCGAN's initial weights, in place: N(0, 0.02²) for convolutions, N(1, 0.02²) for the scales of batch
    normalisation, of networks within the network as well (Radford et al., 2016). Returns the network."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, 0, 0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1, 0.02)
    return network


@torch.no_grad()
def run(network: nn.Module, inputs: torch.Tensor, chunk: int = 100) -> torch.Tensor:
    """The network's outputs for the inputs N×…, in eval mode for the while, without gradients.

    A chunk at a time: one that fits into a CPU's cache is several times faster than one that does not. Raises TypeError for
    inputs that are no tensor, or of another type of numbers than the network's.
    """
    _check_inputs(network, inputs)
    training = network.training
    network.eval()
    try:
        return torch.cat([network(part) for part in inputs.split(chunk)])
    finally:
        network.train(training)


def _check_inputs(network: nn.Module, inputs: torch.Tensor) -> None:
    if not isinstance(inputs, torch.Tensor):
        raise TypeError(f"The network takes a tensor, N×…, not something of type {type(inputs).__name__}.")
    kind = next((parameter.dtype for parameter in network.parameters()), inputs.dtype)
    if inputs.dtype != kind:
        raise TypeError(f"The network takes numbers of {kind}, not of {inputs.dtype}. Convert them: inputs.to({kind}).")


class Bfloat16(nn.Module):
    """A network whose products are computed with 16 bits, which newer GPUs do several times faster; weights keep 32.

    Takes and gives float32, as the network itself does; outputs agree with its own to about two decimals.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        with torch.autocast(inputs.device.type, torch.bfloat16):
            return self.network(inputs).float()


class RandomShift(nn.Module):
    """Moves each image of a batch N×C×H×W by up to so many pixels in each direction; what comes in repeats the edge.

    In front of a discriminator it moves reals and fakes alike (Zhao et al., 2020), and gradients flow back through it
    to G. In eval mode it leaves images as they are.
    """

    def __init__(self, pixels: int):
        super().__init__()
        self.pixels = pixels

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return images
        n, channels, height, width = images.shape
        starts = torch.randint(0, 2 * self.pixels + 1, (2, n, 1), device=images.device)
        rows = starts[0] + torch.arange(height, device=images.device)
        columns = starts[1] + torch.arange(width, device=images.device)
        padded = nn.functional.pad(images, [self.pixels] * 4, mode="replicate")
        wide = padded.gather(2, rows[:, None, :, None].expand(n, channels, height, padded.shape[3]))
        return wide.gather(3, columns[:, None, None, :].expand(n, channels, height, width))
