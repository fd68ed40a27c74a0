"""Things to move by hand: each answers at once, from pictures drawn before or from a generator that is quick.

Only what ipywidgets 7.7 and 8.1 share is used. Where widgets are not drawn (GitHub, paper), each says in
words what it is, and shows a picture in its place.
"""

import html
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import ipywidgets
import numpy
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gan_lessons import plots
from gan_lessons.widgets.latent import latent_sliders, morph, teach_direction, time_travel
from gan_lessons.widgets.panel import Panel, TitledImage
from gan_lessons.widgets.predictions import compare, predict

__all__ = ["compare", "film", "frame_slider", "latent_sliders", "morph", "predict", "teach_direction", "time_travel"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def film(figure: Figure, draw: Callable[[Any], Iterable[Artist]], places: Iterable[Any]) -> list[bytes]:
    """Pictures of a figure in which only a few things move: for each place the bytes of a PNG file.

    `draw(place)` draws what moves into the figure's axes and returns it; here it is taken away again. What stays
    is drawn only once, which makes a picture ten times cheaper. Give it a `matplotlib.figure.Figure`; one of
    pyplot's would be shown besides, at the end of the cell.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    return [_frame(canvas, still, draw(place)) for place in places]


def _frame(canvas: FigureCanvasAgg, still: Any, moving: Iterable[Artist]) -> bytes:
    canvas.restore_region(still)
    for artist in moving:
        artist.draw(canvas.get_renderer())
        artist.remove()
    return plots.png(numpy.asarray(canvas.buffer_rgba()))


def frame_slider(pictures: Mapping[str, bytes], description: str, captions: Mapping[str, str] | None = None) -> Panel:
    """A slider that leafs through pictures: the bytes of PNG files, by the label of their place, in order.

    The caption below follows the slider: for each label a sentence that says what the picture shows, for those
    who do not see it. `children` of the result are the slider, the picture and the caption.
    Raises ValueError for fewer than two pictures, for bytes that are no PNG file and for a missing caption;
    TypeError for anything that is not a mapping from text to bytes.
    """
    captions = {label: f"{description} {label}" for label in pictures} if captions is None else captions
    _check_pictures(pictures)
    _check_captions(pictures, captions)
    first = next(iter(pictures))
    slider = ipywidgets.SelectionSlider(
        options=list(pictures),
        description=description,
        layout=ipywidgets.Layout(width="95%"),
        style={"description_width": "initial"},
    )
    picture = TitledImage(format="png", layout=ipywidgets.Layout(max_width="100%"))
    caption = ipywidgets.HTML()

    def show(label: str) -> None:
        picture.show(pictures[label], captions[label])
        caption.value = html.escape(captions[label])

    show(first)
    slider.observe(lambda change: show(change["new"]), names="value")
    words = f"[A slider over {len(pictures)} pictures, {description}: run the notebook to move it.]"
    middle = list(pictures.values())[len(pictures) // 2]
    return Panel([slider, picture, caption], words, still=lambda: middle)


def _check_pictures(pictures: Mapping[str, bytes]) -> None:
    if len(pictures) < 2:
        raise ValueError(f"A slider needs at least two pictures to go between; there are {len(pictures)}.")
    for label, content in pictures.items():
        if not isinstance(label, str):
            raise TypeError(f"The labels are shown beside the slider and must be text, not {type(label).__name__}.")
        if not isinstance(content, bytes):
            raise TypeError(
                f"The picture at {label!r} is of type {type(content).__name__}; expected the bytes of a PNG file, "
                "such as widgets.film makes of a matplotlib figure."
            )
        if not content.startswith(PNG_SIGNATURE):
            raise ValueError(f"The picture at {label!r} is no PNG file: it begins with {content[:8]!r}.")


def _check_captions(pictures: Mapping[str, bytes], captions: Mapping[str, str]) -> None:
    missing = [label for label in pictures if label not in captions]
    if missing:
        raise ValueError(f"There is no caption for {', '.join(map(repr, missing))}; each picture needs one.")
