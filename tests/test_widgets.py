"""The slider over pictures, moved without a browser."""

import io

import numpy
import pytest
from matplotlib.figure import Figure
from PIL import Image

from gan_lessons import widgets


def picture(shade):
    content = io.BytesIO()
    Image.new("L", (4, 3), shade).save(content, "PNG")
    return content.getvalue()


PICTURES = {"0.0": picture(0), "0.5": picture(100), "1.0": picture(200)}
CAPTIONS = {"0.0": "black", "0.5": "a < b & grey", "1.0": "light"}


def test_the_picture_and_its_caption_follow_the_slider():
    slider, image, caption = widgets.frame_slider(PICTURES, "shade", CAPTIONS).children
    assert (slider.value, image.value, caption.value) == ("0.0", PICTURES["0.0"], "black")
    for label in ("1.0", "0.5", "0.0"):
        slider.value = label
        assert image.value == PICTURES[label]
    slider.index = 1
    assert image.value == PICTURES["0.5"]
    assert caption.value == "a &lt; b &amp; grey"


def test_without_captions_the_place_is_said():
    slider, _, caption = widgets.frame_slider(PICTURES, "shade").children
    slider.value = "1.0"
    assert caption.value == "shade 1.0"


def test_words_stand_in_where_widgets_are_not_drawn():
    words = "[A slider over 3 pictures, shade: run the notebook to move it.]"
    assert repr(widgets.frame_slider(PICTURES, "shade")) == words
    assert len(words) < 110, "ipywidgets cuts it off there"


@pytest.mark.parametrize(
    ("pictures", "captions", "error", "says"),
    [
        ({}, None, ValueError, "at least two pictures to go between; there are 0"),
        ({"a": picture(1)}, None, ValueError, "there are 1"),
        ({"a": picture(1), "b": b"GIF89a.."}, None, ValueError, "'b' is no PNG file: it begins with b'GIF89a..'"),
        ({"a": picture(1), "b": b""}, None, ValueError, "'b' is no PNG file"),
        ({"a": picture(1), "b": Figure()}, None, TypeError, "'b' is of type Figure; .* widgets.film"),
        ({1: picture(1), 2: picture(2)}, None, TypeError, "must be text, not int"),
        (PICTURES, {"0.0": "black"}, ValueError, "no caption for '0.5', '1.0'"),
    ],
)
def test_bad_input_is_refused_at_the_door(pictures, captions, error, says):
    with pytest.raises(error, match=says):
        widgets.frame_slider(pictures, "shade", captions)


def pixels(content):
    return numpy.asarray(Image.open(io.BytesIO(content)))


def test_a_film_draws_what_moves_and_takes_it_away_again():
    figure = Figure(figsize=(2, 1), dpi=50)
    axes = figure.add_subplot()
    axes.set(xlim=(0, 4), ylim=(0, 2))

    def draw(place):
        return axes.plot([place], [1], "o", color="red")

    first, second, again = map(pixels, widgets.film(figure, draw, [1, 3, 1]))
    assert first.shape == (50, 100, 3)
    assert not axes.lines
    moved = (first != second).any(axis=(0, 2)).nonzero()[0]
    assert moved.min() < 50 < moved.max(), "red has gone from the left half to the right half"
    assert (first == again).all(), "nothing is left behind"


def test_a_film_shows_what_a_whole_drawing_shows():
    # Without a layout engine, which would make room for the text in the whole drawing alone.
    figure = Figure(figsize=(2, 1), dpi=50, layout="none")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1])
    (frame,) = widgets.film(figure, lambda place: [axes.text(0.2, 0.8, place)], ["here"])
    axes.text(0.2, 0.8, "here")
    whole = io.BytesIO()
    figure.savefig(whole, format="png")
    assert (pixels(frame) == pixels(whole.getvalue())[..., :3]).all()
