"""The image sets: the bundled digits and cartoon faces and those that torchvision downloads, ready on the device.

Pixels stay uint8 on the device, a quarter of the memory; each batch becomes floats in [-1, 1] when it is drawn.
"""

import csv
from dataclasses import dataclass, field
from urllib.error import URLError

import numpy
import torch
from torch import Tensor

from gan_lessons import bundle, runtime

TEST_FACES = 1000
MNIST_PARTS = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


@dataclass(frozen=True, eq=False)  # == of tensors gives tensors, so sets are equal only where they are the same
class _Pixels:
    pixels: Tensor

    def __post_init__(self) -> None:
        _check_pixels(self.pixels)

    def __len__(self) -> int:
        return len(self.pixels)

    def draw(self, n: int) -> Tensor:
        """n images chosen at random, with replacement: float n×C×H×W in [-1, 1], a sample of p_data."""
        if n < 1:
            raise ValueError(f"A batch needs at least one image, not {n}.")
        return to_floats(self.pixels[torch.randint(len(self.pixels), (n,), device=self.pixels.device)])


@dataclass(frozen=True, eq=False)
class Images(_Pixels):
    """An image set: `pixels`, uint8 N×C×H×W in 0…255, `labels`, int64 N, and the names of the `classes`."""

    labels: Tensor
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.labels.shape != self.pixels.shape[:1]:
            raise ValueError(
                f"There are {len(self.pixels)} images but labels of shape {tuple(self.labels.shape)}; each image needs one label."
            )


@dataclass(frozen=True, eq=False)
class Faces(_Pixels):
    """A set of faces: `pixels`, uint8 N×3×H×W in 0…255, and `attributes`, for each name a list of N values in words."""

    attributes: dict[str, list[str]] = field(repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, values in self.attributes.items():
            if len(values) != len(self.pixels):
                raise ValueError(
                    f"There are {len(self.pixels)} faces but {len(values)} values of the attribute {name!r}; each face needs one."
                )


def to_floats(pixels: Tensor) -> Tensor:
    """uint8 pixels in 0…255 to floats in [-1, 1], the range of a generator's tanh."""
    _check_pixels(pixels)
    return pixels.float() / 127.5 - 1


def to_pixels(images: Tensor) -> Tensor:
    """Floats in [-1, 1] to uint8 pixels in 0…255, rounded; values outside are cut off."""
    if not images.is_floating_point():
        raise TypeError(f"Expected float images in [-1, 1], got {images.dtype}; uint8 pixels need no conversion.")
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def _check_pixels(pixels: Tensor) -> None:
    if not isinstance(pixels, Tensor):
        kind = f"{type(pixels).__module__}.{type(pixels).__name__}"
        raise TypeError(f"Expected a tensor of uint8 pixels in 0…255, got a {kind}; torch.as_tensor(pixels) makes one.")
    if pixels.dtype != torch.uint8:
        raise TypeError(
            f"Expected uint8 pixels in 0…255, got {pixels.dtype}; floats in [-1, 1] become pixels with data.to_pixels."
        )
    if pixels.dim() != 4 or pixels.shape[1] not in (1, 3) or 0 in pixels.shape:
        raise ValueError(f"Expected pixels of shape N×C×H×W with N, H and W at least 1 and C 1 or 3, got {tuple(pixels.shape)}.")


def mnist(split: str = "train") -> Images:
    """The handwritten digits of MNIST (LeCun, Cortes, Burges), bundled: 1×28×28, 60 000 'train' or 10 000 'test'.

    Unpacked once, into the checkout or, where that is read-only, into a cache folder; checked at every use.
    Raises FileNotFoundError or ValueError, with the way to restore it, for a missing or damaged file.
    """
    import torchvision  # here, since it takes a second that panels of sliders can do without

    _check_split(split)
    # torchvision wants all four files in place, whichever split it is asked for.
    root = bundle.unpacked([f"MNIST/raw/{part}-ubyte" for part in MNIST_PARTS])
    return _images(torchvision.datasets.MNIST(root, train=split == "train"))


def faces(split: str = "train", size: int = 64) -> Faces:
    """The cartoon faces, drawn from the avatar style lorelei (Lisa Wischofsky, CC0), bundled: 3×size×size.

    9000 'train' or 1000 'test'; size is 64, or 32, at which each pixel is the mean of four, or 128, at which faces are
    drawn; data/README.md tells the attributes and their values. All face the same way, so a face mirrored is none of this
    set. Checked at every use.
    Raises ValueError for another split or size; FileNotFoundError or ValueError, with the way to restore it, for a
    missing or damaged file.
    """
    _check_split(split)
    if size not in (32, 64, 128):
        raise ValueError(
            f"There are no faces of size {size!r}: choose 128, 64 or 32; for another, put "
            "torch.nn.functional.interpolate(images, size, mode='area') after draw."
        )
    with numpy.load(bundle.path("faces/faces_128.npz" if size == 128 else "faces/faces.npz")) as packed:
        palettes, indices = packed["palettes"], packed["indices"]
    chosen = slice(-TEST_FACES) if split == "train" else slice(-TEST_FACES, None)
    with open(bundle.path("faces/attributes.csv"), newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    return Faces(
        torch.from_numpy(_from_palettes(palettes[chosen], indices[chosen], size)).to(runtime.device()),
        {name: list(values) for name, values in zip(names, zip(*rows[chosen]))},
    )


def _from_palettes(palettes: numpy.ndarray, indices: numpy.ndarray, size: int) -> numpy.ndarray:
    """Palettes N×colours×3 and indices N×H×W, which name colours, as pixels N×3×size×size: means of whole blocks."""
    pixels = numpy.empty((len(indices), 3, size, size), numpy.uint8)
    drawn = numpy.empty((3, *indices.shape[1:]), numpy.uint8)
    for face, palette, index in zip(pixels, palettes, indices):  # one at a time: all at full size would take half a gigabyte
        numpy.take(palette.T, index, axis=1, out=drawn)
        face[:] = _means(drawn, indices.shape[1] // size)
    return pixels


def _means(pixels: numpy.ndarray, block: int) -> numpy.ndarray:
    """Pixels …×H×W at a block-th of the height and width: the means of block×block, rounded, a half upwards."""
    places = numpy.stack([pixels[..., i::block, j::block] for i in range(block) for j in range(block)])
    return ((places.sum(axis=0, dtype=numpy.uint16) + block**2 // 2) // block**2).astype(numpy.uint8)


def torchvision_images(dataset: type, split: str = "train") -> Images:
    """A set from torchvision that has `data` and `targets`: FashionMNIST, KMNIST, QMNIST, CIFAR10, ….

    Downloaded by torchvision at the first use, into the cache folder.
    Raises ConnectionError, with the way out, where there is no network.
    """
    _check_split(split)
    try:
        downloaded = dataset(runtime.cache_folder(), train=split == "train", download=True)
    except (URLError, RuntimeError, ConnectionError) as error:
        reason = " ".join(str(error).split())
        raise ConnectionError(
            f"{dataset.__name__} is not on this machine and could not be downloaded ({reason}). "
            f"Run this once with a network, or put torchvision's files into {runtime.cache_folder() / dataset.__name__}; "
            "the digits of data.mnist() need no network."
        ) from error
    return _images(downloaded)


def _check_split(split: str) -> None:
    if split not in ("train", "test"):
        raise ValueError(f"There is no split {split!r}: choose 'train' or 'test'.")


def _images(dataset) -> Images:
    pixels, labels = torch.as_tensor(dataset.data), torch.as_tensor(dataset.targets)
    # N×H×W becomes N×1×H×W, and CIFAR's N×H×W×3 becomes N×3×H×W.
    pixels = pixels.unsqueeze(1) if pixels.dim() == 3 else pixels.movedim(-1, 1).contiguous()
    return Images(pixels.to(runtime.device()), labels.to(runtime.device()), tuple(dataset.classes))
