"""What the panels of `widgets` are made of: a picture with words, buttons that are pictures, errors that are shown.

Only what ipywidgets 7.7 and 8.1 share is used.
"""

import base64
import hashlib
import html
import io
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

import ipywidgets
import numpy
import torch
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from traitlets import Unicode

from gan_lessons import plots

STYLE = """<style>
.gan-lessons-crisp {image-rendering: pixelated}
.gan-lessons-caption, .gan-lessons-caption .widget-html-content {font-size: 15px; line-height: 1.4}
.gan-lessons-face {background-size: cover; font-size: 0; padding: 0; border: 3px solid transparent; border-radius: 6px}
.gan-lessons-face.mod-active {border-color: #D55E00; box-shadow: 0 0 0 3px #D55E00}
.gan-lessons-face.mod-active::after {content: "✓"; float: right; font-size: 20px; line-height: 26px; width: 26px;
  color: white; background-color: #D55E00; border-radius: 0 0 0 6px}
.gan-lessons-face:focus-visible {outline: 3px solid #0072B2; outline-offset: 3px}
.gan-lessons-table td, .gan-lessons-table th {padding: 4px 16px 4px 0; text-align: left; vertical-align: top}
.gan-lessons-controls {container-type: inline-size}
@container (max-width: 320px) {  /* the name above its slider, which would be a stub beside it */
  .gan-lessons-controls .widget-slider {flex-flow: row wrap; height: auto}
  .gan-lessons-controls .widget-slider > .widget-label {width: 100% !important; text-align: left}
}
</style>"""

# One line, since nbval's sanitizer replaces it whole: the picture differs from machine to machine.
# A view that finds no model is a line of text without any element; what stands for the panel is painted in its place.
STILL_STYLE = (
    '<style class="gan-lessons-still {name}">'
    ".jp-OutputArea-child:has(style.{name}) {{display: none}} "
    ".jp-OutputArea-child:has(style.{name}) + .jp-OutputArea-child > .jp-OutputArea-output:not(:has(*)) {{font-size: 0}} "
    ".jp-OutputArea-child:has(style.{name}) + .jp-OutputArea-child > .jp-OutputArea-output:not(:has(*))::before {{{stand_in}}} "
    ".gan-lessons-panel.jupyter-widgets-disconnected::after "
    '{{content: "The kernel was restarted: run this cell again, and the panel answers again."; padding: 4px}} '
    ".gan-lessons-panel .gan-lessons-panel::after {{display: none}}"
    "</style>"
)
PICTURE_INSTEAD = (
    'content: ""; content: "" / "{words}"; display: block; width: min(100%, {width}px); aspect-ratio: {width} / {height}; '
    "background: url(data:image/png;base64,{picture}) 0 0 / contain no-repeat"
)
WORDS_INSTEAD = 'content: "{words}"; font-size: 15px; white-space: pre-wrap'

# The handles of ipywidgets' sliders have no name that a screen reader could say, and no trait that would give them one.
# It looks on, since panels come and grow, a slider at times before its label; one observer is enough for a page.
# No line end, as above.
HANDLES_NAMED = (
    "<script>if (!window.ganLessonsNames) {"
    "const name = () => document.querySelectorAll('.gan-lessons-panel .widget-slider').forEach(slider => "
    "slider.querySelectorAll('[role=slider]').forEach(handle => "
    "handle.setAttribute('aria-label', slider.querySelector('.widget-label')?.textContent ?? ''))); "
    "window.ganLessonsNames = new MutationObserver(name); "
    "window.ganLessonsNames.observe(document.body, {childList: true, subtree: true}); name()}</script>"
)


class Panel(ipywidgets.VBox):
    """Widgets on top of each other, with words and a picture that stand in for them where widgets are not drawn.

    `message` is a line for what went wrong or was done. `still()`, where a panel has it, gives the bytes of a PNG file.
    """

    def __init__(self, children: list[ipywidgets.Widget], words: str, still: Callable[[], bytes] | None = None) -> None:
        super().__init__(children)
        self.add_class("gan-lessons-panel")
        self.message = text()
        self._words = words
        self._still = still

    def __repr__(self) -> str:
        return self._words

    def _ipython_display_(self, **ignored: Any) -> None:
        # ipywidgets 7 shows itself by this without the picture, and ipywidgets 8 has one output, where two are needed.
        bundle = self._repr_mimebundle_()
        still = base64.b64decode(bundle.get("image/png", ""))
        display({"text/html": _still_style(still, self._words) + HANDLES_NAMED}, raw=True)
        display(bundle, raw=True)

    def _repr_mimebundle_(self, **ignored: Any) -> dict[str, Any]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        bundle = {"text/plain": self._words, "application/vnd.jupyter.widget-view+json": view}
        if self._still is not None:
            bundle["image/png"] = base64.b64encode(self._still()).decode()
        return bundle

    def say(self, words: str) -> None:
        """Show a sentence at the foot of the panel, in the place of the last one; screen readers read it out."""
        self.message.value = f'<div role="status">{html.escape(words)}</div>' if words else ""

    def guarded(self, callback: Callable[[], None]) -> Callable[[Any], None]:
        """The callback for `observe` and `on_click`: where it fails, the panel says why; nothing vanishes in a log."""

        def answer(event: Any) -> None:
            self.say("")
            try:
                callback()
            except Exception as error:
                self.say(f"That did not work: {error or type(error).__name__}")

        return answer

    def button(self, description: str, callback: Callable[[], None], icon: str = "") -> ipywidgets.Button:
        """A button as wide as its words."""
        button = ipywidgets.Button(description=description, icon=icon, layout=ipywidgets.Layout(width="auto"))
        button.on_click(self.guarded(callback))
        return button


def _still_style(still: bytes, words: str) -> str:
    """A style sheet by which JupyterLab and Notebook 7 show this PNG file, or without one the words, instead of a view without its kernel."""
    name = f"gan-lessons-{hashlib.sha256(still + words.encode()).hexdigest()[:12]}"
    spoken = words.replace("\\", " ").replace('"', "'").replace("<", " ").replace("\n", "\\a ")
    if not still:
        return STILL_STYLE.format(name=name, stand_in=WORDS_INSTEAD.format(words=spoken))
    width, height = Image.open(io.BytesIO(still)).size
    picture = base64.b64encode(still).decode()
    return STILL_STYLE.format(
        name=name, stand_in=PICTURE_INSTEAD.format(words=spoken, width=width, height=height, picture=picture)
    )


class TitledImage(ipywidgets.Image):
    """A picture, a PNG file, with words for who cannot see it."""

    # Without a description the front end of ipywidgets 8.1 fails on an image with a tooltip.
    description = Unicode("").tag(sync=True)

    def show(self, png: bytes, words: str) -> None:
        """Put a picture and its words in the place of the last."""
        with self.hold_sync():  # one message, not two
            self.value = png
            if self.has_trait("tooltip"):  # from ipywidgets 8 on: what screen readers read for the picture
                self.tooltip = words


class Picture(ipywidgets.VBox):
    """Images in rows of `columns`, enlarged by a whole number to about `side` pixels, and a caption that says what they show.

    `image` and `caption` are the two widgets.
    """

    def __init__(self, columns: int, side: int) -> None:
        self.image = TitledImage(format="png", layout=ipywidgets.Layout(width="100%"))
        # The browser enlarges: a small file travels faster, and stays sharp when the page is zoomed.
        self.image.add_class("gan-lessons-crisp")
        self.caption = text()
        # It grows up to its full size, and shrinks to 256 pixels before it leaves its place beside the sliders.
        super().__init__([self.image, self.caption], layout=ipywidgets.Layout(flex="1 1 256px", overflow="visible"))
        self._columns, self._side = columns, side
        self._pixels = numpy.zeros((1, 1, 3), numpy.uint8)

    def show(self, images: Tensor, words: str) -> None:
        """Put images N×C×H×W in [-1, 1] and their caption in the place of the last."""
        self._pixels = plots.tiles(images, self._columns)
        self.layout.max_width = f"{self._pixels.shape[1] * self._factor()}px"
        self.image.show(plots.png(self._pixels), words)
        self.caption.value = html.escape(words)

    def enlarged(self) -> bytes:
        """The picture in the size in which it is shown, as a PNG file."""
        return plots.png(self._pixels.repeat(self._factor(), 0).repeat(self._factor(), 1))

    def _factor(self) -> int:
        return max(1, self._side // self._pixels.shape[1])


class FaceButtons(ipywidgets.VBox):
    """Rows of up to eight buttons that are pictures; each is reached by the keyboard and has words for who cannot see it.

    `buttons` are Buttons or ToggleButtons.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        self._style = ipywidgets.HTML(layout=ipywidgets.Layout(display="none"))
        self._row = wrapped()
        self._row.layout.max_width = f"{8 * (side + 8) + 8}px"
        super().__init__([self._style, self._row])
        self._pictures: dict[ipywidgets.Widget, str] = {}

    @staticmethod
    def picture(image: Tensor) -> bytes:
        """One image C×H×W in [-1, 1] as a PNG file."""
        return plots.png(plots.tiles(image[None], 1))

    @property
    def buttons(self) -> list[ipywidgets.Widget]:
        return list(self._row.children)

    def show(self, faces: Mapping[ipywidgets.Widget, bytes]) -> None:
        """Show these buttons, each with its PNG file; a button's description is the text that stands for the picture."""
        rules = []
        for button, content in faces.items():
            if button not in self._pictures:
                self._dress(button)
            url = base64.b64encode(content).decode()
            rules.append(f".{self._pictures[button]} {{background-image: url(data:image/png;base64,{url})}}")
        # Core buttons show no pictures, but a style sheet gives them one.
        self._style.value = f"<style>{' '.join(rules)}</style>"
        self._row.children = list(faces)
        for button in [button for button in self._pictures if button not in faces]:
            del self._pictures[button]
            for widget in (button, button.layout, button.style):  # each is a model, in the kernel and in the browser
                widget.close()

    def _dress(self, button: ipywidgets.Widget) -> None:
        self._pictures[button] = f"gan-lessons-{uuid4().hex}"
        button.add_class("gan-lessons-face").add_class(self._pictures[button])
        button.layout = ipywidgets.Layout(width=f"{self._side}px", height=f"{self._side}px", margin="4px")


def beside(column: list[ipywidgets.Widget], picture: Picture) -> ipywidgets.HBox:
    """Controls to the left of a picture; on a very narrow page the picture goes below."""
    left = ipywidgets.VBox(column, layout=ipywidgets.Layout(flex="1 1 200px", max_width="480px", margin="0 16px 0 0"))
    left.add_class("gan-lessons-controls")
    return ipywidgets.HBox([left, picture], layout=ipywidgets.Layout(flex_flow="row wrap"))


def wrapped(*widgets: ipywidgets.Widget) -> ipywidgets.HBox:
    """A row that goes on below where the page is too narrow."""
    return ipywidgets.HBox(widgets, layout=ipywidgets.Layout(flex_flow="row wrap"))


def text(markup: str = "") -> ipywidgets.HTML:
    """Words in the size of captions."""
    widget = ipywidgets.HTML(markup)
    widget.add_class("gan-lessons-caption")
    return widget


def hidden_style() -> ipywidgets.HTML:
    """The style sheet of the panels, which each brings along: in Colab every output is a page of its own."""
    return ipywidgets.HTML(STYLE, layout=ipywidgets.Layout(display="none"))


def filmstrip(rows: Mapping[str, Tensor], columns: list[str], title: str) -> bytes:
    """A PNG file with a row for each name, up to N images N×C×H×W in [-1, 1] below the N words of `columns`."""
    figure = Figure(figsize=(1.3 * len(columns) + 2.2, 1.36 * len(rows) + 0.9), dpi=80, layout="constrained")
    panels = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axes, (name, images) in zip(panels, rows.items()):
        missing = images.new_ones(len(columns) - len(images), *images.shape[1:])  # as white as the page
        picture = plots.tiles(torch.cat([images, missing]), len(columns))
        axes.imshow(picture, interpolation="nearest")
        axes.spines[:].set_visible(False)
        axes.set(xticks=[], yticks=[])
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    step = picture.shape[1] / len(columns)
    panels[0].set_xticks([step * (n + 0.5) for n in range(len(columns))], columns)
    panels[0].tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    figure.suptitle(title, fontsize=13)
    return plots.figure_png(figure)
