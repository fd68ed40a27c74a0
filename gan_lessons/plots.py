"""Figures in one style, large enough for a projector; every figure function ends with the figure shown.

Importing this module sets matplotlib's defaults for the lessons. Blue is real, orange is fake, black is the
discriminator's, in all figures (colours of Okabe and Ito, which colour-blind readers tell apart).
"""

import io
import itertools
import math
from collections.abc import Collection, Mapping

import matplotlib.pyplot as plt
import numpy
from IPython import display
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Rectangle
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gan_lessons import data
from gan_lessons.history import History

REAL, FAKE, DISCRIMINATOR, OTHER = "#0072B2", "#D55E00", "#222222", "#009E73"
GRADIENT = "#AA3377"  # what flows backward

CAPTION = 22  # the height in pixels of the line above a film

plt.rcParams.update(
    {
        "figure.dpi": 100,
        "figure.figsize": (10, 4),
        "figure.constrained_layout.use": True,
        "font.size": 13,
        "axes.titlesize": 14,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": plt.cycler(color=[REAL, FAKE, OTHER, DISCRIMINATOR, "#CC79A7", "#E69F00"]),
        "legend.frameon": False,
        "lines.linewidth": 2,
    }
)


def tiles(images: Tensor, columns: int) -> numpy.ndarray:
    """Images N×C×H×W in [-1, 1] side by side as one uint8 picture, rows×columns of them, height×width×3.

    A grey line is between and around them, but none around a single image. Raises ValueError for another shape.
    """
    if images.dim() != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
        raise ValueError(f"Expected images of shape N×C×H×W with N at least 1 and C 1 or 3, got {tuple(images.shape)}.")
    pixels = data.to_pixels(images).movedim(1, -1).expand(-1, -1, -1, 3).cpu().numpy()
    n, height, width, _ = pixels.shape
    if n == 1:
        return pixels[0]
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    framed = numpy.full((rows * columns, height + 1, width + 1, 3), 96, numpy.uint8)
    framed[:n, 1:, 1:] = pixels
    picture = framed.reshape(rows, columns, height + 1, width + 1, 3).swapaxes(1, 2).reshape(rows * (height + 1), -1, 3)
    return numpy.pad(picture, ((0, 1), (0, 1), (0, 0)), constant_values=96)


def png(pixels: numpy.ndarray) -> bytes:
    """uint8 pixels height×width×3 as the bytes of a PNG file; a fourth channel, the alpha of a drawn figure, is left away.

    Packed in the fastest way, since most are looked at once: a panel answers sooner.
    """
    content = io.BytesIO()
    Image.fromarray(pixels[..., :3]).save(content, "PNG", compress_level=1)
    return content.getvalue()


def figure_png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file. Give it a `matplotlib.figure.Figure`: pyplot's would be shown besides."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return png(numpy.asarray(canvas.buffer_rgba()))


def grid(images: Tensor, title: str, columns: int = 8) -> None:
    """Show images N×C×H×W in [-1, 1] in rows of `columns`."""
    _grid_figure(plt.figure, images, title, columns)
    plt.show()


def grid_png(images: Tensor, title: str, columns: int = 8) -> bytes:
    """The picture that `grid` would show, as the bytes of a PNG file."""
    # A Figure of its own, not pyplot's: pyplot would show it a second time at the end of the cell.
    return figure_png(_grid_figure(Figure, images, title, columns))


def _grid_figure(make_figure, images: Tensor, title: str, columns: int) -> Figure:
    height, width = tiles(images, columns).shape[:2]
    inches = min(9.0, 0.9 * columns)
    figure = make_figure(figsize=(inches, inches * height / width + 0.45))
    axes = figure.add_subplot()
    draw_images(axes, images, columns)
    axes.set_title(title)
    return figure


def draw_images(axes: Axes, images: Tensor, columns: int) -> None:
    """Draw images N×C×H×W in [-1, 1] into the axes, in rows of `columns`."""
    axes.imshow(tiles(images, columns), interpolation="nearest")
    axes.set_axis_off()


def side_by_side(sets: Mapping[str, Tensor], title: str, columns: int = 8) -> None:
    """Show several image sets N×C×H×W in [-1, 1] next to each other, each under its name."""
    figure, panels = plt.subplots(1, len(sets), figsize=(11, 11 / len(sets) + 0.9), squeeze=False)
    for axes, (name, images) in zip(panels[0], sets.items()):
        draw_images(axes, images, columns)
        axes.set_title(name)
    figure.suptitle(title)
    plt.show()


def bars(heights: Tensor, title: str, xlabel: str, ylabel: str, level: float) -> None:
    """Show a bar for each of the heights (N), numbered from 0, with a dotted line at the level to compare with."""
    _figure, axes = plt.subplots(figsize=(10, 3.2))
    draw_bars(axes, heights, level)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    plt.show()


def draw_bars(axes: Axes, heights: Tensor, level: float) -> None:
    """Draw a bar for each of the heights (N) into the axes, and a dotted line at the level."""
    axes.bar(range(len(heights)), heights.tolist(), color=FAKE)
    axes.axhline(level, color="grey", linestyle=":")
    axes.set(xticks=range(len(heights)))


def evolution(snapshots: Mapping[int, Tensor], title: str, columns: int = 12) -> None:
    """Show how the same latent vectors' images changed: a row a snapshot, labelled with its turn."""
    figure, rows = plt.subplots(len(snapshots), 1, figsize=(10, 0.86 * len(snapshots) + 0.6), squeeze=False)
    for axes, (turn, images) in zip(rows[:, 0], snapshots.items()):
        axes.imshow(tiles(images[:columns], columns), interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.set_ylabel(f"turn {spaced(turn)}", rotation=0, ha="right", va="center")
    figure.suptitle(title)
    plt.show()


def spaced(number: int) -> str:
    """A whole number for readers: from five digits on with a space, as in 50 000."""
    return f"{number:,}".replace(",", " ") if abs(number) >= 10_000 else str(number)


def curves(history: History, title: str, smooth: int = 50) -> None:
    """Show both losses, and D(x) beside D(G(z)), over the turns; thin lines are raw, thick ones a running mean."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.3))
    draw_losses(left, history, smooth)
    left.set(title="Losses")
    draw_beliefs(right, history, smooth)
    right.set(title="What D believes")
    for axes in (left, right):
        # Below the axes, where no curve can run through it.
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    figure.suptitle(title)
    plt.show()


def draw_losses(axes: Axes, history: History, smooth: int = 50) -> None:
    """Draw both losses into the axes, labelled; thin lines are raw, thick ones a running mean."""
    _smoothed(axes, history, "discriminator_loss", DISCRIMINATOR, "D's loss", smooth)
    _smoothed(axes, history, "generator_loss", FAKE, "G's loss", smooth)
    axes.set(xlabel="turn", ylabel="loss")


def draw_beliefs(axes: Axes, history: History, smooth: int = 50) -> None:
    """Draw D(x) and D(G(z)) into the axes, labelled; thin lines are raw, thick ones a running mean."""
    _smoothed(axes, history, "real_p", REAL, "D(x), real", smooth)
    _smoothed(axes, history, "fake_p", FAKE, "D(G(z)), fake", smooth)
    axes.axhline(0.5, color="grey", linewidth=1, linestyle=":")
    axes.set(xlabel="turn", ylabel="mean probability", ylim=(0, 1))


def _smoothed(axes: Axes, history: History, name: str, colour: str, label: str, smooth: int) -> None:
    turns, values = numpy.array(history.column("turn")), numpy.array(history.column(name))
    window, sums = max(1, min(smooth, len(values))), numpy.cumsum([0, *values])
    axes.plot(turns, values, color=colour, alpha=0.2, linewidth=0.8)
    axes.plot(turns[window - 1 :], (sums[window:] - sums[:-window]) / window, color=colour, label=label)


def machine(title: str, **how) -> None:
    """Show the drawing of a GAN in a figure of its own; what can be given is what `draw_machine` takes."""
    _figure, axes = plt.subplots(figsize=(10, 4.2))
    draw_machine(axes, **how)
    axes.set_title(title)
    plt.show()


PARTS = ("z", "G", "fake", "real", "D", "score")


def draw_machine(
    axes: Axes,
    lit: Collection[str] = PARTS,
    backward: str = "",
    cut: bool = False,
    locked: Collection[str] = (),
    condition: str = "",
    names: Mapping[str, str] | None = None,
    pictures: Mapping[str, Tensor] | None = None,
) -> None:
    """Draw a GAN into the axes: noise → G → fake, real and fake → D → score.

    lit: of "z", "G", "fake", "real", "D", "score" those that take part; the others are pale.
    backward: "D" or "G", the network into which the gradient flows from the score; "" for none.
    cut: whether scissors cut the gradient's way behind D, as `detach` does.
    locked: of "G", "D" those whose weights are frozen, each drawn with a padlock.
    condition: a name for what G and D both see besides; "" for nothing.
    names: other words for any of the parts. pictures: images C×H×W in [-1, 1] for "real" and "fake".
    Raises ValueError for a part that there is not.
    """
    if unknown := {*lit, *locked, *(names or {}), *(pictures or {}), *filter(None, [backward])} - set(PARTS):
        raise ValueError(f"A GAN has no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}.")
    drawing = _Machine(axes, set(lit), {**_WORDS, **(names or {})}, pictures or {})
    drawing.forward()
    if condition:
        drawing.condition(condition)
    if backward:
        drawing.backward(backward, cut)
    for network in locked:
        drawing.padlock(network)


_WORDS = {"z": "noise\nz", "G": "G", "fake": "fake\nG(z)", "real": "real\nx", "D": "D", "score": "score"}
_PLACES = {"z": (0.7, 1.35), "G": (2.7, 1.35), "fake": (4.7, 1.35), "real": (4.7, 3.35), "D": (7.1, 2.35), "score": (9.3, 2.35)}
_FRAME = {"xlim": (-0.1, 10.1), "ylim": (-0.1, 4.5), "aspect": "equal"}
_HALF = 0.62  # of a part's width, in the drawing's units, 10×4.4 of them


class _Machine:
    """The pen that draws a GAN: it knows where the parts are and which of them are pale."""

    def __init__(self, axes: Axes, lit: set[str], words: Mapping[str, str], pictures: Mapping[str, Tensor]) -> None:
        self.axes, self.lit, self.words, self.pictures = axes, lit, words, pictures
        self.size = 16 * min(1.0, axes.get_window_extent().width / axes.figure.dpi / 6)
        axes.set(**_FRAME)
        axes.set_axis_off()

    def forward(self) -> None:
        """All parts, and the arrows from what is made to what is made of it."""
        for part in PARTS:
            self._part(part)
        for start, end in (("z", "G"), ("G", "fake"), ("fake", "D"), ("real", "D"), ("D", "score")):
            self._arrow(self._edge(start, end), self._edge(end, start), self._strength(start, end))

    def condition(self, text: str) -> None:
        """What G and D both see, below them."""
        self._text((4.9, 0.12), text, OTHER)
        for network, start in (("G", 4.1), ("D", 5.7)):
            x, y = _PLACES[network]
            self._arrow(
                (start, 0.12), (x, y - _HALF - 0.05), self._strength(network), colour=OTHER, bend="angle3,angleA=0,angleB=90"
            )

    def backward(self, network: str, cut: bool) -> None:
        """The gradient's way from the score to the network, beside the forward arrows."""
        way = ["score", "D"] if network == "D" else ["score", "D", "fake", "G"]
        for start, end in itertools.pairwise(way):
            self._gradient(start, end)
        if cut:
            self._gradient("D", "fake", scissors=True)

    def padlock(self, network: str) -> None:
        """A padlock at the network's upper right corner."""
        x, y = _PLACES[network][0] + _HALF, _PLACES[network][1] + _HALF
        self.axes.add_patch(Arc((x, y + 0.14), 0.28, 0.5, theta1=0, theta2=180, color=DISCRIMINATOR, linewidth=2.5, zorder=4))
        self.axes.add_patch(
            Rectangle((x - 0.24, y - 0.26), 0.48, 0.4, facecolor=DISCRIMINATOR, edgecolor="white", linewidth=1.5, zorder=5)
        )

    def _part(self, part: str) -> None:
        (x, y), strength = _PLACES[part], self._strength(part)
        colour = {"real": REAL, "D": DISCRIMINATOR, "score": DISCRIMINATOR}.get(part, FAKE)
        if part in self.pictures:
            extent = (x - _HALF, x + _HALF, y - _HALF, y + _HALF)
            self.axes.imshow(
                tiles(self.pictures[part][None], 1), extent=extent, alpha=strength, interpolation="nearest", zorder=2
            )
            self.axes.set(**_FRAME)
        if part in ("real", "fake"):
            self._box(part, strength, fill=False, edgecolor=colour, linewidth=2.5)
        if part in ("G", "D"):
            self._box(part, strength, color=colour, linewidth=0)
            self._text((x, y), self.words[part], "white", scale=1.5)
        elif part in self.pictures:
            self._text((x, y + _HALF + 0.24), self.words[part].replace("\n", " "), colour, strength, scale=0.85)
        else:
            self._text((x, y), self.words[part], colour, strength)

    def _box(self, part: str, strength: float, **style) -> None:
        x, y = _PLACES[part]
        self.axes.add_patch(Rectangle((x - _HALF, y - _HALF), 2 * _HALF, 2 * _HALF, alpha=strength, zorder=3, **style))

    def _gradient(self, start: str, end: str, scissors: bool = False) -> None:
        """A dashed arrow below the forward one, which runs from end to start; with scissors it breaks off half-way."""
        (x1, y1), (x2, y2) = ((x, y - 0.34) for x, y in (self._edge(start, end), self._edge(end, start)))
        if scissors:
            x2, y2 = (x1 + x2) / 2, (y1 + y2) / 2
            self._text((x2 - 0.1, y2 - 0.05), "\N{BLACK SCISSORS}", GRADIENT, scale=2.2)
        self._arrow((x1, y1), (x2, y2), 1, colour=GRADIENT, dashed=True, head=not scissors)

    def _arrow(self, start, end, strength, colour=DISCRIMINATOR, dashed=False, head=True, bend="arc3") -> None:
        how = {
            "arrowstyle": "-|>" if head else "-",
            "mutation_scale": 18,
            "linewidth": 2.5,
            "linestyle": (0, (3, 1.5)) if dashed else "-",
        }
        style = {**how, "color": colour, "alpha": strength, "shrinkA": 0, "shrinkB": 0, "connectionstyle": bend}
        self.axes.annotate("", end, start, arrowprops=style, zorder=3)

    def _text(self, place, words: str, colour: str, strength: float = 1, scale: float = 1) -> None:
        style = {"color": colour, "alpha": strength, "size": self.size * scale, "weight": "bold"}
        self.axes.text(place[0], place[1], words, style, ha="center", va="center", zorder=4)

    def _strength(self, *parts: str) -> float:
        return 1 if self.lit.issuperset(parts) else 0.2

    def _edge(self, part: str, towards: str) -> tuple[float, float]:
        """Where an arrow between two parts touches the first one: the middle of its nearer side."""
        x, y = _PLACES[part]
        if part == "D" and towards in ("fake", "real"):
            y += 0.3 if towards == "real" else -0.3
        return (x + math.copysign(_HALF + 0.06, _PLACES[towards][0] - x), y)


class Screen:
    """A place on the page for one picture that changes while a cell runs; the last one stays in the file."""

    def __init__(self) -> None:
        self._handle: display.DisplayHandle | None = None

    def show(self, images: Tensor, title: str, columns: int = 8) -> None:
        """Put images N×C×H×W in [-1, 1] onto the screen, in the place of what was there."""
        self.put(grid_png(images, title, columns))

    def put(self, content: bytes) -> None:
        """Put a picture, the bytes of a PNG file, onto the screen, in the place of what was there."""
        picture = display.Image(content)
        if self._handle is None:
            self._handle = display.display(picture, display_id=True)
        else:
            self._handle.update(picture)


def animation(
    snapshots: Mapping[int, Tensor], columns: int = 8, scale: int = 2, seconds: float = 0.25, colours: int = 32
) -> None:
    """Show the snapshots, images N×C×H×W in [-1, 1] by turn, as an endless GIF with the turn above; the last stands for two seconds."""
    frames = [_captioned(enlarged(images, columns, scale), f"turn {spaced(turn)}") for turn, images in snapshots.items()]
    show_gif(frames, [seconds] * (len(frames) - 1) + [2.0], colours)


def _captioned(picture: Image.Image, words: str) -> Image.Image:
    """The picture under a white line with the words."""
    frame = Image.new("RGB", (picture.width, picture.height + CAPTION), "white")
    ImageDraw.Draw(frame).text((4, 2), words, fill="black", font=ImageFont.load_default(CAPTION - 6))
    frame.paste(picture, (0, CAPTION))
    return frame


def show_gif(frames: list[Image.Image], seconds: list[float], colours: int = 32) -> None:
    """Show PIL images as an endless GIF in so many colours, each for its number of seconds."""
    display.display(display.Image(gif(frames, seconds, colours), format="gif"))


def gif(frames: list[Image.Image], seconds: list[float], colours: int = 32) -> bytes:
    """The endless GIF that `show_gif` shows, as the bytes of a file."""
    content = io.BytesIO()
    paletted = [frame.convert("RGB").quantize(colours, dither=Image.Dither.NONE) for frame in frames]
    paletted[0].save(
        content, "GIF", save_all=True, append_images=paletted[1:], duration=[int(1000 * each) for each in seconds], loop=0
    )
    return content.getvalue()


def enlarged(images: Tensor, columns: int, scale: int) -> Image.Image:
    """Images N×C×H×W in [-1, 1] in rows of `columns`, each pixel `scale` pixels wide and high."""
    picture = Image.fromarray(tiles(images, columns))
    return picture.resize((scale * picture.width, scale * picture.height), Image.Resampling.NEAREST)
