"""The checks of lesson 05, when GANs fail."""

import math

import numpy
import torch

from gan_lessons import bundle
from gan_lessons.exercises import Hint, described, exercise, number, tensor, word
from gan_lessons.history import History, Record

# What the diagnosis may name, and what the curves of each look like.
LOOKS = {
    "healthy": "in a healthy run both beliefs stay close to one half, each on its own side, and D's loss just under log 4",
    "mode collapse": "in a mode collapse the curves are calm at one half and D's loss lies at log 4 or above",
    "oscillation": "in an oscillation D(x) swings as widely as D(G(z)), to the end",
    "strong D": "under a strong D the saturating loss is negative and goes flat at 0",
    "weak D": "with a weak D, D(x) is a calm line while D(G(z)) moves in long, smooth waves",
    "linear G": "with a linear G the gap opens slowly, and D is never quite sure",
    "mixed batch": "with a mixed batch D is sure of everything, while G's loss is too low for that",
    "forgotten detach": "after a forgotten detach D(x) is 1, D(G(z)) is one half, and both losses are log 2",
    "unscaled data": "with unscaled data D is sure of everything, and G's loss climbs as -log D(G(z)) does",
}
NAMES = tuple(LOOKS)


@exercise(
    "Which of the twelve pictures looks least like a healthy run, and which row of the table of symptoms is that?",
    'begin with the run that swings most, for example answers = {1: "…"}, with a name from the list.',
)
def check_diagnosis(answers) -> str:
    """A dictionary from run to name, for some or all of the twelve (or a list of twelve names)."""
    truth = bundle.diagnosis_labels()
    given = _given(answers, truth)
    wrong = [run for run in sorted(given) if given[run] != truth[run]["name"]]
    count = f"{len(given) - len(wrong)} of the {len(given)} you named"
    if wrong:
        run = wrong[0]
        raise Hint(f"{count} are right. Look at run {run} again: {LOOKS[given[run]]}. But here: {truth[run]['evidence']}")
    if len(given) < len(truth):
        raise Hint(
            f"{count} are right, all of them. Still without a name: {', '.join(map(str, sorted(truth.keys() - given.keys())))}."
        )
    causes = " ".join(f"{run}: {label['cause']}" for run, label in truth.items() if label["name"] != "healthy")
    return f"All twelve. What had been changed: {causes}"


def _given(answers, truth: dict) -> dict[int, str]:
    """The named runs; those left at `...` do not count."""
    if isinstance(answers, (list, tuple, numpy.ndarray)):
        if len(answers) != len(truth):
            raise Hint(f"A list needs {len(truth)} names, one a run, not {len(answers)}; a dictionary may have fewer.")
        answers = dict(enumerate(answers, start=1))
    if not isinstance(answers, dict):
        raise Hint('Answer with a dictionary from run to name, such as {1: "healthy"}.')
    if unknown := [key for key in answers if key not in truth]:
        form = "" if isinstance(unknown[0], int) else ", without quotation marks, each before its name"
        raise Hint(f"{unknown[0]!r} is no run: the keys are the whole numbers 1 to {len(truth)}{form}.")
    given = {run: word(name, NAMES) for run, name in answers.items() if name is not ...}
    if not given:
        raise Hint('No run has a name yet. Begin with the one that swings most, such as {1: "…"}.')
    return given


@exercise(
    "The logit a stands inside a sigmoid, and the sigmoid inside a logarithm: what is the slope of each, and what does the chain rule do with the two?",
    "with D = σ(a): the derivative of log(1 - σ(a)) is -σ(a). What is it for -log σ(a)?",
)
def check_slopes(slopes) -> str:
    """slopes(p): the sizes of the slopes of log(1 - D) and -log D with respect to the logit, where D = p."""
    for p in (0.3, 0.001, 0.999):
        first, second = _pair(slopes(p))
        mistakes = {
            "The two are exchanged: where D is sure of the fakes (p near 0), it is log(1 - D) that goes quiet.": (1 - p, p),
            "That is the slope with respect to D itself, 1/(1 - p) and 1/p. The sigmoid between a and D has a slope, too: p(1 - p).":
                (1 / (1 - p), 1 / p),
            "These are the slopes, and both are negative. The question is how large they are: without the sign.": (-p, p - 1),
            "That is the slope of the sigmoid alone, p(1 - p). The logarithm outside has one too; multiply.": (p * (1 - p),) * 2,
        }  # fmt: skip
        for hint, (wrong_first, wrong_second) in mistakes.items():
            if math.isclose(first, wrong_first, rel_tol=1e-3) and math.isclose(second, wrong_second, rel_tol=1e-3):
                raise Hint(hint)
        if not (math.isclose(first, p, rel_tol=1e-3) and math.isclose(second, 1 - p, rel_tol=1e-3)):
            raise Hint(f"For p = {p} it should be {p:.3f} and {1 - p:.3f}, not {first:.3f} and {second:.3f}.")
    return (
        "At p = 0.001, where D is sure of the fakes, the non-saturating loss pushes 999 times as hard; at p = 0.999, where G "
        "has already won, it is the other way round."
    )


def _pair(answer) -> tuple[float, float]:
    """The two numbers of the answer; a Hint where it holds something else."""
    if isinstance(answer, (set, frozenset, dict)):
        raise Hint(f"Return two numbers in order, as a tuple or a list, not {described(answer)}.")
    try:
        values = list(answer)
    except TypeError:  # one number alone
        values = [answer]
    if len(values) != 2:
        raise Hint(f"Return two numbers, first for log(1 - D), then for -log D, not {len(values)}.")
    return number(values[0]), number(values[1])


def _history(*parts: tuple[int, float, float]) -> History:
    """A made-up history: so many rows with D(x) and D(G(z)), part after part."""
    rows = [(real_p, fake_p) for count, real_p, fake_p in parts for _ in range(count)]
    return History(
        Record(turn, real_p, fake_p, generator_loss=1.0, discriminator_loss=1.0)
        for turn, (real_p, fake_p) in enumerate(rows, start=1)
    )


_HUNDRED = "It is the mean of the last hundred rows that counts."
_SHORT = "Of a history with fewer than a hundred rows take all, and divide by how many they are."
_BOTH = "Both must hold: D(x) above 0.95, and D(G(z)) below 0.05."
# A history, whether D has won it, what is in it, and what to think of.
_TRAPS = (
    (_history((300, 0.99, 0.01)), True, "Every row has a D(x) of 0.99 and a D(G(z)) of 0.01", ""),
    (_history((300, 0.55, 0.45)), False, "Every row is healthy, with a D(x) of 0.55 and a D(G(z)) of 0.45", ""),
    (_history((300, 0.99, 0.5)), False, "D(x) is 0.99, and D(G(z)) one half", _BOTH),
    (_history((300, 0.5, 0.01)), False, "D(G(z)) is 0.01, and D(x) one half", _BOTH),
    (_history((300, 0.951, 0.049)), True, "D(x) is 0.951 and D(G(z)) 0.049 in every row", _BOTH),
    (_history((300, 0.949, 0.01)), False, "D(x) is 0.949 and D(G(z)) 0.01 in every row", _BOTH),
    (_history((300, 0.99, 0.051)), False, "D(x) is 0.99 and D(G(z)) 0.051 in every row", _BOTH),
    (_history((900, 0.55, 0.45), (150, 0.99, 0.01)), True, "D has won the last 150 rows, after 900 healthy ones", _HUNDRED),
    (_history((900, 0.55, 0.45), (100, 0.953, 0.047)), True,
     "D has won the last hundred rows, narrowly, after 900 healthy ones", _HUNDRED),
    (_history((250, 0.99, 0.01), (99, 0.55, 0.45), (1, 0.99, 0.01)), False, "Only the very last row looks won", _HUNDRED),
    (_history((250, 0.99, 0.01), (1, 0.5, 0.5)), True, "Only the very last row looks healthy, after 250 that D has won", _HUNDRED),
    (_history((250, 0.99, 0.01), (40, 0.5, 0.5), (60, 0.99, 0.01)), False,
     "Of the last hundred rows 40 look healthy, and the 60 after them won", _HUNDRED + " A median would not see the 40."),
    (_history((200, 0.99, 0.01), (1, 0.0, 1.0), (99, 0.953, 0.047)), False,
     "The first of the last hundred rows is so bad that it spoils the mean of all hundred", _HUNDRED),
    (_history((250, 0.953, 0.047), (1, 0.0, 1.0)), False, "The very last row is so bad that it spoils the mean of all hundred", _HUNDRED),
    (_history((40, 0.99, 0.01)), True, "D has won all rows of a history that has 40", _SHORT),
    (_history((40, 0.55, 0.45)), False, "All rows of a history are healthy, and it has 40", _SHORT),
)  # fmt: skip


@exercise(
    "What must be true of D's two beliefs once it has won, over which rows, and what if there are not so many rows?",
    "history.column('real_p') are all D(x), as a list; which slice of it are the last hundred, or all there are?",
)
def check_alarm(has_won) -> str:
    """has_won(history): whether D(x) is above 0.95 and D(G(z)) below 0.05 on average over the last 100 rows."""
    for history, wanted, story, hint in _TRAPS:
        if _rings(has_won(History(history))) != wanted:
            raise Hint(f"{story}, and your alarm {'is silent' if wanted else 'rings'}. {hint}")
    won = [run for run in bundle.diagnosis_labels() if has_won(History(bundle.diagnosis_runs()[run]))]
    return f"Among the recorded runs it rings for {', '.join(map(str, won))}: three failures with one symptom, told apart by G's loss."


def _rings(answer) -> bool:
    """True or False, as Python, NumPy or torch say it; a Hint for anything else."""
    if isinstance(answer, (bool, numpy.bool_)) or (
        isinstance(answer, torch.Tensor) and answer.dtype == torch.bool and answer.numel() == 1
    ):
        return bool(answer)
    raise Hint(f"Return True or False, not {described(answer)}.")


@exercise(
    "Which numbers stand next to each other in row 0, and which samples are left over at the end?",
    "how many whole packs are there, and how many samples are in them? What does reshape make of just those?",
)
def check_pack(pack) -> str:
    """pack(samples, k): N×d to (N // k)×(k·d), each row k consecutive samples next to each other."""
    samples = torch.arange(21.0).reshape(7, 3)
    _judge_pairs(tensor(pack(samples[:6], 2)), samples[:6])
    rest = tensor(pack(samples, 3))
    if tuple(rest.shape) != (2, 9):
        raise Hint(f"7 samples packed by 3 are 2 rows, and the seventh is left out; yours has shape {tuple(rest.shape)}.")
    if samples[6].tolist() in rest.reshape(6, 3).tolist():
        raise Hint("Leave out what is left over at the end, not at the beginning.")
    if not torch.equal(rest, samples[:6].reshape(2, 9).double()):
        raise Hint("7 samples packed by 3: row 0 should be samples 0, 1 and 2, and row 1 samples 3, 4 and 5.")
    return "With k = 1 it is the D you know; the larger k is, the clearer a pack shows whether samples crowd."


def _judge_pairs(found: torch.Tensor, samples: torch.Tensor) -> None:
    """A Hint where six samples of three numbers are not packed by 2."""
    if tuple(found.shape) == (6, 6):
        raise Hint("There are as many rows as before: every sample belongs to one pack only, so 6 samples make 3 pairs.")
    if tuple(found.shape) != (3, 6):
        raise Hint(f"6 samples of 3 numbers, packed by 2, are 3 rows of 6 numbers, not {tuple(found.shape)}.")
    members = [tuple(part) for part in found.reshape(6, 3).tolist()]
    rows = {tuple(sample): place for place, sample in enumerate(samples.tolist())}
    if not rows.keys() >= set(members):
        raise Hint("The numbers of a sample have been torn apart: each row is one whole sample after another.")
    places = [rows[member] for member in members]
    if len(set(places)) < 6:
        raise Hint("A sample comes up more than once: every sample belongs to one pack only.")
    if places != sorted(places):
        raise Hint(
            f"The pairs should be consecutive samples, 0 and 1, 2 and 3, 4 and 5; your first is {places[0]} and {places[1]}."
        )
