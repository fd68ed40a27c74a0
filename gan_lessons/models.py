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


# ---------------------------------------------------------------------------------------- networks of today


class StyleGenerator(nn.Module):
    """A generator of today: z becomes a style w, which sets scales and shifts in every layer (after Karras et al., 2019).

    z of shape N×latent_size to images N×3×size×size in [-1, 1]; size is a power of 2, 16 or more. Each level doubles what
    it gets, by resizing and convolving, and votes at twice its size for one of `colours` colours at each pixel; the votes
    of all levels are added up (after Karras et al., 2020), and each image has a palette of its own, from w: flat areas
    are flat then, and hair has one colour. `take_over` makes it
    of one of half its size. Raises ValueError for another size.
    """

    def __init__(self, latent_size: int = 100, size: int = 64, width: int = 24, colours: int = 12, style_size: int = 128):
        super().__init__()
        sizes = _powers(size)
        channels = [min(192, width * 32 // level) for level in sizes[:-1]]
        self.mapping = nn.Sequential(
            nn.Linear(latent_size, style_size), nn.LeakyReLU(0.2), nn.Linear(style_size, style_size), nn.LeakyReLU(0.2)
        )
        self.start = nn.Linear(style_size, channels[0] * sizes[0] ** 2)
        self.levels = nn.ModuleList(_StyledLevel(*pair, style_size) for pair in itertools.pairwise(channels))
        self.votes = nn.ModuleList(ResizeConvolution(outputs, colours) for outputs in channels[1:])
        self.palette = nn.Linear(style_size, 3 * colours)
        _he_initialise(self)
        # At first w changes little: all images have nearly the same palette, of random colours, and nearly the same scales.
        for name, layer in self.named_modules():
            if isinstance(layer, nn.Linear) and ("styles" in name or layer is self.palette):
                nn.init.normal_(layer.weight, 0, 0.2 / style_size**0.5)
        nn.init.normal_(self.palette.bias)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.draw(self.styles(z))

    def styles(self, z: torch.Tensor) -> torch.Tensor:
        """w for each level and for the palette, N×(levels + 1)×style_size: all the same, before they are mixed."""
        return self.mapping(z)[:, None].expand(-1, len(self.levels) + 1, -1)

    def draw(self, styles: torch.Tensor) -> torch.Tensor:
        """Images from styles of shape N×(levels + 1)×style_size, coarse levels first."""
        features = self.start(styles[:, 0]).unflatten(1, (-1, 4, 4)).contiguous(memory_format=torch.channels_last)
        votes: torch.Tensor | None = None
        for level, vote, w in zip(self.levels, self.votes, styles.unbind(1)):
            features = level(features, w)
            votes = vote(features) if votes is None else vote(features) + _doubled(votes)
        assert votes is not None
        palette = self.palette(styles[:, -1]).tanh().unflatten(1, (-1, 3))
        pixels = votes.softmax(dim=1).movedim(1, -1).flatten(1, 2) @ palette
        return pixels.unflatten(1, votes.shape[2:]).movedim(-1, 1)


class _StyledLevel(nn.Module):
    """Features doubled, and convolved twice; after each convolution w sets the scale and the shift of each channel."""

    def __init__(self, inputs: int, outputs: int, style_size: int):
        super().__init__()
        self.convolutions = nn.ModuleList([ResizeConvolution(inputs, outputs), nn.Conv2d(outputs, outputs, 3, 1, 1)])
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs, affine=False) for _ in self.convolutions)
        self.styles = nn.ModuleList(nn.Linear(style_size, 2 * outputs) for _ in self.convolutions)

    def forward(self, features: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        for convolution, norm, style in zip(self.convolutions, self.norms, self.styles):
            scale, shift = style(w)[..., None, None].chunk(2, dim=1)
            features = nn.functional.leaky_relu(torch.addcmul(shift, norm(convolution(features)), 1 + scale), 0.2)
        return features


class ResizeConvolution(nn.Conv2d):
    """Images doubled by repeating each pixel, then a 3×3 convolution: N×inputs×H×W to N×outputs×2H×2W.

    No checkerboard comes of it, as it does of a transposed convolution (Odena et al., 2016).
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        # Both in one, at 4 products a pixel instead of 9 (Karras et al., 2018): a transposed convolution with the kernel at
        # the four places where a repeated pixel meets it.
        kernel = self.weight.flip(2, 3).transpose(0, 1)
        places = [(left, 1 - left, up, 1 - up) for left in (0, 1) for up in (0, 1)]
        kernel = torch.stack([nn.functional.pad(kernel, place) for place in places]).sum(dim=0)
        return nn.functional.conv_transpose2d(images, kernel, self.bias, stride=2, padding=1)


class ResidualDiscriminator(nn.Module):
    """A discriminator of today: no normalisation, shortcuts past each level, and the image enters at every size.

    Images N×3×size×size in [-1, 1] to N logits; size is a power of 2, 16 or more. The mirror of `StyleGenerator`, and it
    grows as that does. Raises ValueError for another size.
    """

    def __init__(self, size: int = 64, width: int = 24):
        super().__init__()
        sizes = _powers(size)[::-1]  # of the features, from large to small
        channels = [min(192, width * 32 // level) for level in sizes[1:]]
        self.entries = nn.ModuleList(nn.Conv2d(3, outputs, 4, 2, 1) for outputs in channels[:-1])
        self.levels = nn.ModuleList(_ResidualLevel(*pair) for pair in itertools.pairwise(channels))
        self.end = nn.Conv2d(channels[-1], 1, sizes[-1])
        _he_initialise(self)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor | None = None
        for entry, level in zip(self.entries, self.levels):
            entering = nn.functional.leaky_relu(entry(images), 0.2)
            features = level(entering if features is None else entering + features)
            images = nn.functional.avg_pool2d(images, 2)
        return self.end(features).flatten()


class _ResidualLevel(nn.Module):
    """Features halved in size by a convolution, and, past it, by means and a product; the sum keeps their variance."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 4, 2, 1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        passed = self.shortcut(nn.functional.avg_pool2d(features, 2))
        return (nn.functional.leaky_relu(self.convolution(features), 0.2) + passed) * 0.5**0.5


@torch.no_grad()
def take_over(larger: StyleGenerator | ResidualDiscriminator, smaller: StyleGenerator | ResidualDiscriminator) -> None:
    """Give a network the weights of one of half its size (after Karras et al., 2018).

    The larger one then does what the smaller one did: its one new level is without effect until it learns. Raises
    ValueError for networks of other sizes.
    """
    ours, theirs = len(larger.levels), len(smaller.levels)
    if ours != theirs + 1:
        raise ValueError(f"A network of {ours} levels takes over one of {ours - 1}, not of {theirs}.")
    front = isinstance(larger, ResidualDiscriminator)  # where it grows; a generator grows at its end
    for name, part in smaller.named_children():
        its = larger.get_submodule(name)
        if isinstance(its, nn.ModuleList):
            its = its[1:] if front else its[:-1]
        its.load_state_dict(part.state_dict())
    new = larger.levels[0] if isinstance(larger, ResidualDiscriminator) else larger.votes[-1]
    for parameter in new.parameters():
        parameter.zero_()


def _powers(size: int) -> list[int]:
    """4, 8, … up to the size. Raises ValueError where it is no power of 2 or less than 16."""
    if size < 16 or size & (size - 1):
        raise ValueError(f"The networks of today make images of 16×16, 32×32, 64×64, …, not {size}×{size}.")
    return [2**n for n in range(2, size.bit_length())]


def _doubled(images: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(images, scale_factor=2, mode="bilinear")


def _he_initialise(network: nn.Module) -> None:
    """Weights so large that each layer keeps the variance of what it gets (He et al., 2015); biases begin at 0."""
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.kaiming_normal_(layer.weight, 0.2)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
