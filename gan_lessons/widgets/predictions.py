"""A line on which a *Predict* is answered, and a table that sets what was said beside what was measured."""

import html
from collections.abc import Mapping, Sequence

import ipywidgets
from traitlets import Unicode

from gan_lessons.widgets.panel import Panel, hidden_style, text, wrapped

UNSAID, UNSHOWN = "nothing yet", "answer it, or press Show all"


class Prediction(Panel):
    """A question and a place for the answer; made by `predict`. `answer` is what was said, in words, empty so far."""

    answer = Unicode("")

    def __init__(self, question: str, place: ipywidgets.Widget, unit: str) -> None:
        self.question, self._place, self._unit = question, place, unit
        super().__init__([], f"[A place for your prediction: {question} Run the notebook to answer.]")
        asked = text(f"<b>Predict:</b> {html.escape(question)}")
        self.children = [hidden_style(), asked, wrapped(place, text(html.escape(unit)), self.message)]
        place.observe(self.guarded(self._keep), names="value")

    def _keep(self) -> None:
        said = self._place.value or ""
        if isinstance(self._place, ipywidgets.Text) and said:
            said = f"{_number(said):.6g} {self._unit}".strip()
        self.answer = said
        self.say(f"Kept: {said}" if said else "")


def _number(said: str) -> float:
    try:
        return float(said.strip().removesuffix("%").replace(",", ".").replace("−", "-"))
    except ValueError:
        raise ValueError(f"please type a number, such as 60, not {said!r}") from None


def predict(question: str, choices: Sequence[str] = (), unit: str = "") -> Prediction:
    """A line that keeps the answer to a question: one of the choices, or, without any, a number in this unit.

    Nothing is asked for when a notebook runs from the top; an answer may be given at any time, and changed.
    Raises ValueError for a single choice.
    """
    if len(choices) == 1:
        raise ValueError(f"One choice, {choices[0]!r}, is none: give two or more, or none for a number.")
    place: ipywidgets.Widget
    if choices:
        place = ipywidgets.ToggleButtons(options=list(choices), value=None, style={"button_width": "auto"})
    else:
        place = ipywidgets.Text(placeholder="a number, then Enter", continuous_update=False, layout={"width": "180px"})
    return Prediction(question, place, unit)


class Comparison(Panel):
    """The table that `compare` makes; it follows the predictions. `rows` are its lines: question, what was said, what came out."""

    def __init__(self, measured: Mapping[Prediction, str]) -> None:
        self._measured, self._all_shown, self._table = dict(measured), False, text()
        words = (f"{each.question} It came out as: {came}." for each, came in measured.items())
        super().__init__([], "\n".join(words))
        self.children = [hidden_style(), self._table, self.button("Show all", self._show_all)]
        for prediction in self._measured:
            prediction.observe(lambda change: self._draw(), names="answer")
        self._draw()

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        return [
            (each.question, each.answer or UNSAID, came if each.answer or self._all_shown else UNSHOWN)
            for each, came in self._measured.items()
        ]

    def _show_all(self) -> None:
        self._all_shown = True
        self._draw()

    def _draw(self) -> None:
        head = "".join(f'<th scope="col">{name}</th>' for name in ("the question", "you said", "it came out as"))
        cells = ["".join(f"<td>{html.escape(words)}</td>" for words in row) for row in self.rows]
        body = "".join(f"<tr>{row}</tr>" for row in cells)
        self._table.value = f'<table class="gan-lessons-table"><tr>{head}</tr>{body}</table>'


def compare(measured: Mapping[Prediction, str]) -> Comparison:
    """A table of predictions, each with the words for what came out, which are shown once it has been answered.

    An answer may still be changed, and the table follows. A button shows what came out of all. Raises ValueError where there
    is no prediction.
    """
    if not measured:
        raise ValueError("There is nothing to compare: give a mapping from predictions to what came out, in words.")
    return Comparison(measured)
