"""The checks of lesson 07, a DCGAN on digits."""

import copy

import torch
from torch import nn
from torch.nn.functional import conv_transpose1d

from gan_lessons.exercises import Hint, exercise


@exercise("the last of n stamps begins stride·(n - 1) places after the first, and is `kernel` long; then padding cuts both ends.")
def check_size_after(size_after) -> str:
    """size_after(n, kernel, stride, padding): pixels a side after a transposed convolution."""
    cases = ((5, 5, 3, 1), (7, 4, 2, 1), (1, 3, 1, 0), (3, 4, 2, 1), (5, 3, 2, 0), (14, 5, 3, 2), (8, 2, 2, 0))
    for n, kernel, stride, padding in cases:
        wanted = nn.ConvTranspose2d(1, 1, kernel, stride, padding)(torch.zeros(1, 1, n, n)).shape[-1]
        found = size_after(n, kernel, stride, padding)
        where = f"For n = {n}, kernel {kernel}, stride {stride}, padding {padding} you have {found}, torch has {wanted}. "
        if found == wanted:
            continue
        if found == stride * n + kernel - 2 * padding:
            raise Hint(where + "n stamps have n - 1 steps between them.")
        if found == (n + 2 * padding - kernel) // stride + 1:
            raise Hint(where + "That is the size after an ordinary convolution.")
        if padding and found == stride * (n - 1) + kernel + 2 * padding:
            raise Hint(where + "Padding makes a convolution's image larger; here it cuts.")
        if padding and found == stride * (n - 1) + kernel - padding:
            raise Hint(where + "Padding cuts at both ends.")
        if padding and found == stride * (n - 1) + kernel:
            raise Hint(where + "The padding has not been cut off.")
        raise Hint(where + "Draw the stamps for n = 2 on paper.")
    return "With kernel 4, stride 2 and padding 1 it is 2n, the doubling of every layer of G."


@exercise("begin with zeros, stride·(n - 1) + k of them, and add kernel·value into the slice that begins at stride·i.")
def check_stamp_line(stamp_line) -> str:
    """stamp_line(signal, kernel, stride): the transposed convolution of one row of numbers."""
    generator = torch.Generator().manual_seed(7)
    for n, k, stride in ((1, 3, 1), (4, 2, 2), (5, 4, 2), (3, 2, 3), (6, 3, 1)):
        signal, kernel = torch.randn(n, generator=generator), torch.randn(k, generator=generator)
        kept = signal.clone(), kernel.clone()
        found, wanted = (
            stamp_line(signal, kernel, stride),
            conv_transpose1d(signal[None, None], kernel[None, None], stride=stride)[0, 0],
        )
        where = f"For n = {n}, k = {k}, stride {stride}: "
        if not isinstance(found, torch.Tensor) or found.dim() != 1:
            raise Hint("The result should be a tensor with one row of numbers.")
        if not (torch.equal(signal, kept[0]) and torch.equal(kernel, kept[1])):
            raise Hint("Your function changes the signal or the kernel it was given; make a new row of zeros instead.")
        if len(found) != len(wanted):
            raise Hint(where + f"the result has {len(found)} numbers; stride·(n - 1) + k are {len(wanted)}.")
        if torch.allclose(found, wanted, atol=1e-5):
            continue
        if torch.allclose(
            found, conv_transpose1d(signal[None, None], kernel.flip(0)[None, None], stride=stride)[0, 0], atol=1e-5
        ):
            raise Hint(where + "the stamps are mirrored. A stamp prints the kernel as it is.")
        if torch.allclose(found, _overwritten(signal, kernel, stride), atol=1e-5):
            raise Hint(where + "later stamps cover earlier ones. Where they overlap they must add up: += instead of =.")
        raise Hint(where + f"the numbers differ from torch's, by up to {(found - wanted).abs().max():.2g}.")
    return "The same numbers as torch's conv_transpose1d, with strides that overlap and strides that leave gaps."


def _overwritten(signal: torch.Tensor, kernel: torch.Tensor, stride: int) -> torch.Tensor:
    result = torch.zeros(stride * (len(signal) - 1) + len(kernel))
    for i, value in enumerate(signal):
        result[stride * i : stride * i + len(kernel)] = value * kernel
    return result


@exercise(
    "for layer in network.modules(): if it is an nn.Conv2d or an nn.ConvTranspose2d, nn.init.normal_(layer.weight, 0, 0.02)."
)
def check_dcgan_weights(dcgan_weights) -> str:
    """dcgan_weights(network): draw DCGAN's initial weights, in place."""
    torch.manual_seed(7)
    inner = nn.Sequential(nn.ConvTranspose2d(100, 8, 4), nn.BatchNorm2d(8), nn.ReLU())
    network = nn.Sequential(nn.Conv2d(3, 100, 4), nn.BatchNorm2d(100), nn.LeakyReLU(0.2), inner, nn.Linear(5, 5))
    with torch.no_grad():
        network[1].bias.fill_(3.0), inner[1].bias.fill_(3.0)
    dense = copy.deepcopy(network[4])
    dcgan_weights(network)
    for name, layer in (("convolution", network[0]), ("transposed convolution, which lies inside another network,", inner[0])):
        mean, std = layer.weight.mean().item(), layer.weight.std().item()
        if abs(std - 0.02**2) < 2e-4:
            raise Hint("0.02² is the variance; nn.init.normal_ wants the standard deviation, 0.02.")
        if abs(mean) > 0.004 or abs(std - 0.02) > 0.002:
            raise Hint(f"The weights of the {name} have mean {mean:.3f} and standard deviation {std:.3f}; wanted are 0 and 0.02.")
    for layer in (network[1], inner[1]):
        mean, std = layer.weight.mean().item(), layer.weight.std().item()
        if abs(mean) < 0.1:
            raise Hint(
                "The scales of batch normalisation lie around 0: they would multiply every signal by next to nothing. Around 1."
            )
        if abs(mean - 1) > 0.02 or abs(std - 0.02) > 0.01:
            raise Hint(
                f"The scales of a batch normalisation have mean {mean:.2f} and standard deviation {std:.3f}; wanted are 1 and 0.02."
            )
        if layer.bias.abs().max() > 0:
            raise Hint("The shifts (bias) of batch normalisation should be 0.")
    if not torch.equal(network[4].weight, dense.weight):
        raise Hint("A dense layer has changed, too; DCGAN's rule is about convolutions and batch normalisation.")
    return "Weights around 0, scales around 1, shifts at 0, in networks within networks as well."


@exercise("from 1×1 to 4×4, then doubled three times: 8, 16, 32. Copy digit_generator, and see which lines must change.")
def check_colour_generator(colour_generator) -> str:
    """colour_generator(): a generator of 3×32×32 images by DCGAN's guidelines."""
    generator = colour_generator()
    if not isinstance(generator, nn.Module):
        raise Hint("colour_generator should return a network, for example an nn.Sequential.")
    layers = [layer for layer in generator.modules() if not list(layer.children())]
    stamps = [layer for layer in layers if isinstance(layer, nn.ConvTranspose2d)]
    if any(isinstance(layer, nn.Linear) for layer in layers):
        raise Hint("There is a dense layer in it. Begin with nn.Unflatten(1, (100, 1, 1)) and stamp z itself.")
    if not stamps:
        raise Hint("There is no transposed convolution in it.")
    with torch.no_grad():
        images = generator(10 * torch.randn(8, 100))
    if tuple(images.shape) != (8, 3, 32, 32):
        raise Hint(f"For 8 latent vectors it gives {tuple(images.shape)}, not (8, 3, 32, 32): sizes 1, 4, 8, 16, 32.")
    for layer in stamps:
        if layer.kernel_size[0] % layer.stride[0]:
            raise Hint(
                f"Kernel {layer.kernel_size[0]} with stride {layer.stride[0]} makes a checkerboard: the stride must divide the kernel."
            )
    if not isinstance(layers[-1], nn.Tanh):
        raise Hint("The last layer should be a tanh, so that images lie in [-1, 1].")
    norms = [layer for layer in layers if isinstance(layer, nn.BatchNorm2d)]
    if isinstance(layers[-2], nn.BatchNorm2d):
        raise Hint(
            "G's last layer is normalised: an image's brightness would hang on the rest of its batch. "
            "Leave batch normalisation out there."
        )
    if len(norms) < len(stamps) - 1:
        raise Hint(
            f"{len(stamps)} transposed convolutions, {len(norms)} batch normalisations: each but the last should have one."
        )
    if sum(isinstance(layer, nn.ReLU) for layer in layers) < len(stamps) - 1:
        raise Hint("In G each normalisation is followed by a ReLU (LeakyReLU is for D).")
    return f"A DCGAN generator with {sum(parameter.numel() for parameter in generator.parameters())} parameters."
