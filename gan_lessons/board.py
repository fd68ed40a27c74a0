"""The live board: a game drawn while it is played, slowed down by no more than a twentieth."""

import html
import math
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy
import torch
from IPython import display, get_ipython
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor
from tqdm import tqdm

from gan_lessons import losses, metrics, plots, runtime
from gan_lessons.diagnosis import Finding, diagnose
from gan_lessons.interrupts import InterruptsHeldBack
from gan_lessons.training import Game

# Where lesson 04's game lies on average over its last thousand turns, with room: panel, range and colour. D's loss is log 4
# where D cannot tell. Means over fifty turns wander further, in data/diagnosis/tested.npz from turn 200 on D(x) from 0.47 to
# 0.59 and D(G(z)) from 0.43 to 0.56, both together; and other recipes lie elsewhere and are well: 07's from 0.41 to 0.66 and
# from 0.31 to 0.60, D's loss from 0.89 (08's pretrained networks) to 1.40 (07). So the bands raise no alarm; `diagnose` does.
HEALTHY = (
    (0, (1.1, math.log(4)), plots.DISCRIMINATOR),
    (1, (0.5, 0.65), plots.REAL),
    (1, (0.35, 0.5), plots.FAKE),
)
SHARE = 0.05  # of the game's time, for drawing
IMAGES, COLUMNS = 32, 16
SMOOTH = 50  # turns


class Classified(Protocol):
    """What a classifier sees in N images: `probabilities` N×K of the K classes."""

    @property
    def probabilities(self) -> Tensor: ...


class Stopped(KeyboardInterrupt):
    """The reader has pressed stop. A notebook shows the message alone, and leaves out the cells that were to follow."""

    def _render_traceback_(self) -> list[str]:  # what IPython asks an exception for
        return [str(self)]


def watch(
    game: Game,
    draw: Callable[[int], Tensor],
    until: int,
    z: Tensor | None = None,
    classifier: Callable[[Tensor], Classified] | None = None,
) -> Iterator[int]:
    """Play the game as `game.play(draw, until)` does, turn by turn, under a board that is redrawn now and then.

    The board shows the losses, D(x) and D(G(z)), shaded where healthy ones lie (where D has lesson 04's loss), and what
    the weight average makes of the first 32 of z, N×latent_size, by default 200 from the standard normal distribution.
    A classifier, such as `classifiers.read_digits`, counts the classes among the images of all of z.
    What `diagnosis.diagnose` finds in the curves and the classes stands below the picture, in words.
    Outside a notebook the board is a progress bar, with the words below it at the end. The game's numbers are the same with a
    board and without.

    Raises Stopped, a KeyboardInterrupt, after an interrupt: the game keeps everything so far, and plays on when it is
    watched again. Raises what `game.play` raises, besides.
    """
    try:
        board = _Board(game, until, z, classifier) if hasattr(get_ipython(), "kernel") else _Bar(game, until)
        try:
            for turn in game.play(draw, until):
                yield turn  # first: whatever happens to a picture, the caller has had this turn
                board.follow()
        finally:  # after a `break`, too
            with InterruptsHeldBack():  # from a reader who presses stop once more
                board.close()
    except KeyboardInterrupt:
        raise Stopped(
            f"Stopped after turn {game.turns} of {until}. The game keeps everything so far:\n"
            "look at it in the cells below, or run this loop again to play on."
        ) from None


class _Bar:
    """The board of a terminal."""

    def __init__(self, game: Game, until: int):
        self.game = game
        self.bar = tqdm(total=until, initial=game.turns, unit=" turns")

    def follow(self) -> None:
        last = self.game.history[-1]
        self.bar.set_postfix_str(f"D(x) {last.real_p:.2f}, D(G(z)) {last.fake_p:.2f}", refresh=False)
        self.bar.update(self.game.turns - self.bar.n)

    def close(self) -> None:
        self.bar.update(self.game.turns - self.bar.n)
        self.bar.close()
        for finding in diagnose(self.game.history):
            print(finding)


class Pace:
    """When to draw, so that all pictures together, the one at the end included, take at most `SHARE` of the rest of the time.

    `cost` is the seconds that one picture takes, so far as is known.
    """

    def __init__(self, cost: float):
        self.started, self.spent, self.cost = time.perf_counter(), 0.0, cost

    def seconds(self) -> float:
        """How long the game has been watched."""
        return time.perf_counter() - self.started

    def due(self) -> bool:
        # Room for two: the next one, and the one at the end.
        return self.spent + 2 * self.cost <= SHARE * (self.seconds() - self.spent)

    def draw(self, picture: Callable[[], None]) -> None:
        """Draw a picture, and remember what it cost."""
        started = time.perf_counter()
        picture()
        self.cost = time.perf_counter() - started
        self.spent += self.cost


class _Words:
    """A place below the picture for what is found; nothing is there before something has been found."""

    def __init__(self) -> None:
        self._handle: display.DisplayHandle | None = None

    def put(self, findings: list[Finding]) -> None:
        """Show the findings in the place of those before."""
        lines = list(map(str, findings)) or ["What stood here is no longer seen."]
        paragraphs = "".join(f"<p>{html.escape(line, quote=False)}</p>" for line in lines)
        # Text of the page, not of the picture: it keeps its size on a telephone, and its contrast on a dark page.
        words = {
            "text/html": f'<div role="status" aria-label="What the board sees">{paragraphs}</div>',
            "text/plain": "\n".join(lines),
        }
        if self._handle is not None:
            self._handle.update(words, raw=True)
        elif findings:
            self._handle = display.display(words, raw=True, display_id=True)


class _Board:
    """The board of a notebook: one picture, what is found in it, and at the end its numbers in a sentence."""

    def __init__(self, game: Game, until: int, z: Tensor | None, classifier: Callable[[Tensor], Classified] | None):
        self.game, self.until, self.classifier = game, until, classifier
        if z is None:  # from a stream of its own, so that the game's noise stays what it is
            z = torch.randn(200, game.latent_size, generator=torch.Generator().manual_seed(1))
        self.z = z.to(runtime.device()) if classifier else z[:IMAGES].to(runtime.device())
        self.first_turn, self.screen, self.words = game.turns, plots.Screen(), _Words()
        self.classes: tuple[float, int] | None = None  # the effective number, and of how many
        # Laid out by hand: matplotlib's own layout, which `plots` asks for, takes longer than the drawing.
        figure = Figure(figsize=(11, 5.2))
        figure.set_layout_engine("none")
        self.canvas, self.heading = FigureCanvasAgg(figure), figure.suptitle("", y=0.985)
        columns = 3 if classifier else 2
        self.panels = figure.subplots(
            1, columns, gridspec_kw={"left": 0.065, "right": 0.965, "top": 0.83, "bottom": 0.43, "wspace": 0.32}
        )
        self.images = figure.add_axes((0.01, 0.01, 0.98, 0.28))
        self._show(f"Turn {game.turns} of {until}")  # loads the fonts and the classifier; the second tells what one costs
        started = time.perf_counter()
        self._show(f"Turn {game.turns} of {until}")
        self.pace = Pace(time.perf_counter() - started)

    def follow(self) -> None:
        if self.pace.due():
            left = (self.until - self.game.turns) / self._rate()
            self.pace.draw(lambda: self._show(f"{self._progress()} · {_duration(left)} left"))

    def close(self) -> None:
        if self.game.turns > self.first_turn:
            self.pace.draw(lambda: self._show(f"{self._progress()} · {_duration(self.pace.seconds())}"))
        print(self._sentence())

    def _rate(self) -> float:
        return (self.game.turns - self.first_turn) / self.pace.seconds()

    def _progress(self) -> str:
        rate = self._rate()
        return f"Turn {self.game.turns} of {self.until} · {rate:.{0 if rate >= 10 else 1}f} turns a second"

    def _show(self, heading: str) -> None:
        samples = self.game.samples(self.z)
        for axes in (*self.panels, self.images):
            axes.clear()
        self.heading.set_text(heading)
        self._draw_curves()
        if self.classifier:
            self._draw_classes(self.panels[2], self.classifier(samples).probabilities)
        plots.draw_images(self.images, samples[:IMAGES], COLUMNS)
        self.canvas.draw()
        self.screen.put(plots.png(numpy.asarray(self.canvas.buffer_rgba())))
        self.words.put(diagnose(self.game.history, *(self.classes or ())))

    def _draw_curves(self) -> None:
        history, (left, right) = self.game.history, self.panels[:2]
        plots.draw_losses(left, history, SMOOTH)
        plots.draw_beliefs(right, history, SMOOTH)
        if self.game.losses.discriminator is losses.cross_entropy_discriminator:
            for panel, (low, high), colour in HEALTHY:
                self.panels[panel].axhspan(low, high, color=colour, alpha=0.2, linewidth=0)
        # A few wild turns must not press the rest of the curves flat.
        both = [0, 2, *history.column("discriminator_loss"), *history.column("generator_loss")]
        low, high = 1.1 * numpy.quantile(both, (0.01, 0.99))
        left.set(ylim=(min(0, low), max(2, high)))
        for axes in (left, right):
            axes.set(xlim=(0, self.until))
            axes.locator_params(axis="x", nbins=4)
            # Above the axes, where no curve can run through it.
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, handlelength=1, columnspacing=1)

    def _draw_classes(self, axes: Axes, probabilities: Tensor) -> None:
        n, classes = probabilities.shape
        shares = metrics.class_shares(probabilities.argmax(dim=1), classes)
        self.classes = metrics.effective_classes(shares), classes
        plots.draw_bars(axes, shares, 1 / classes)
        axes.set(xlabel=f"class, of {n} samples", ylabel="share", title=self._coverage())
        axes.set(ylim=(0, max(2.5 / classes, 1.05 * shares.max().item())))

    def _coverage(self) -> str:
        return "{:.1f} of {} classes".format(*self.classes) if self.classes else ""

    def _sentence(self) -> str:
        if not self.game.history:
            return "No turn has been played."
        last = self.game.history[-SMOOTH:]
        _, *means = (sum(column) / len(last) for column in zip(*last))
        words = "D(x) {:.2f}, D(G(z)) {:.2f}, G's loss {:.2f}, D's loss {:.2f}".format(*means)
        among = f"\nAmong {len(self.z)} samples: {self._coverage()}." if self.classes else ""
        return f"Turn {self.game.turns} of {self.until}. Means of the last {len(last)} turns: {words}.{among}"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
