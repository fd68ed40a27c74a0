"""Pictures as pixels and as files, against torchvision and Pillow."""

import io

import numpy
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torchvision.utils import make_grid

from gan_lessons import plots


@pytest.mark.parametrize("n, columns, channels", [(1, 1, 3), (1, 8, 1), (5, 8, 1), (9, 3, 3), (10, 4, 1), (32, 16, 3)])
def test_tiles_are_torchvisions_grid(n, columns, channels):
    images = torch.rand(n, channels, 7, 5) * 2 - 1
    pixels = ((images + 1) * 127.5).round().to(torch.uint8)
    expected = make_grid(pixels, nrow=columns, padding=1, pad_value=96)
    assert numpy.array_equal(plots.tiles(images, columns), expected.movedim(0, -1).numpy())


@pytest.mark.parametrize("shape", [(4, 28, 28), (28, 28), (2, 4, 8, 8), (0, 1, 8, 8)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="images of shape N×C×H×W"):
        plots.tiles(torch.zeros(shape), 2)


def opened(content):
    with Image.open(io.BytesIO(content)) as image:
        return image.format, image.mode, numpy.asarray(image)


def test_a_png_holds_the_pixels_and_no_alpha():
    pixels = torch.randint(0, 256, (5, 7, 4), dtype=torch.uint8).numpy()
    for given in (pixels, pixels[..., :3]):
        form, mode, found = opened(plots.png(given))
        assert (form, mode) == ("PNG", "RGB") and numpy.array_equal(found, pixels[..., :3])


def test_a_figures_png_is_what_matplotlib_saves():
    figure, content = Figure(figsize=(3, 2), layout="constrained"), io.BytesIO()
    figure.add_subplot().plot([1, 3, 2])
    figure.savefig(content, format="png")
    assert numpy.array_equal(opened(plots.figure_png(figure))[2], opened(content.getvalue())[2][..., :3])
