"""The checks of lesson 05, when GANs fail."""

import math

import torch

from gan_lessons import bundle
from gan_lessons.exercises import Hint, exercise
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


@exercise('begin with the run that swings most, for example answers = {1: "…"}, with a name from the list.')
def check_diagnosis(answers) -> str:
    """A dictionary from run to name, for some or all of the twelve (or a list of twelve names)."""
    truth = bundle.diagnosis_labels()
    given = _given(answers, truth)
    wrong = [number for number in sorted(given) if given[number] != truth[number]["name"]]
    count = f"{len(given) - len(wrong)} of the {len(given)} you named"
    if wrong:
        number = wrong[0]
        raise Hint(
            f"{count} are right. Look at run {number} again: {LOOKS[given[number]]}. But here: {truth[number]['evidence']}"
        )
    if len(given) < len(truth):
        raise Hint(f"{count} are right, all of them. Still without a name: {_listed(truth.keys() - given.keys())}.")
    causes = " ".join(f"{number}: {label['cause']}" for number, label in truth.items() if label["name"] != "healthy")
    return f"All twelve. What had been changed: {causes}"


def _given(answers, truth: dict) -> dict[int, str]:
    """The named runs; those left at `...` do not count."""
    if isinstance(answers, (list, tuple)):
        if len(answers) != len(truth):
            raise Hint(f"A list needs {len(truth)} names, one a run, not {len(answers)}; a dictionary may have fewer.")
        answers = dict(enumerate(answers, start=1))
    if not isinstance(answers, dict):
        raise Hint('Answer with a dictionary from run to name, such as {1: "healthy"}.')
    if unknown := answers.keys() - truth.keys():
        raise Hint(f"There is no run {_listed(unknown)}: they are numbered from 1 to {len(truth)}.")
    given = {
        number: name.strip().lower() if isinstance(name, str) else name for number, name in answers.items() if name is not ...
    }
    looks = {look.lower(): look for look in NAMES}
    if strange := [name for name in given.values() if name not in looks]:
        raise Hint(f"{strange[0]!r} is not on the list, which has: {', '.join(NAMES)}.")
    if not given:
        raise Hint('No run has a name yet. Begin with the one that swings most, such as {1: "…"}.')
    return {number: looks[name] for number, name in given.items()}


def _listed(numbers) -> str:
    return ", ".join(str(number) for number in sorted(numbers, key=str if any(isinstance(n, str) for n in numbers) else None))


@exercise("with D = σ(a): the derivative of log(1 - σ(a)) is -σ(a). What is it for -log σ(a)?")
def check_slopes(slopes) -> str:
    """slopes(p): the sizes of the slopes of log(1 - D) and -log D with respect to the logit, where D = p."""
    for p in (0.3, 0.001, 0.999):
        found = tuple(float(value) for value in slopes(p))
        if len(found) != 2:
            raise Hint(f"Return two numbers, first for log(1 - D), then for -log D, not {len(found)}.")
        mistakes = {
            "The two are exchanged: where D is sure of the fakes (p near 0), it is log(1 - D) that goes quiet.": (1 - p, p),
            "That is the slope with respect to D itself, 1/(1 - p) and 1/p. The sigmoid between a and D has a slope, too: p(1 - p).":
                (1 / (1 - p), 1 / p),
            "These are the slopes, and both are negative. The question is how large they are: without the sign.": (-p, p - 1),
            "That is the slope of the sigmoid alone, p(1 - p). The logarithm outside has one too; multiply.": (p * (1 - p),) * 2,
        }  # fmt: skip
        for hint, wrong in mistakes.items():
            if all(math.isclose(*pair, rel_tol=1e-3) for pair in zip(found, wrong)):
                raise Hint(hint)
        if not all(math.isclose(*pair, rel_tol=1e-3) for pair in zip(found, (p, 1 - p))):
            raise Hint(f"For p = {p} it should be {p:.3f} and {1 - p:.3f}, not {found[0]:.3f} and {found[1]:.3f}.")
    return (
        "At p = 0.001, where D is sure of the fakes, the non-saturating loss pushes 999 times as hard; at p = 0.999, where G "
        "has already won, it is the other way round."
    )


def _history(*parts: tuple[int, float, float]) -> History:
    """A made-up history: so many rows with D(x) and D(G(z)), part after part."""
    rows = [beliefs for count, *beliefs in parts for _ in range(count)]
    return History(Record(turn, *beliefs, 1.0, 1.0) for turn, beliefs in enumerate(rows, start=1))


@exercise("history.column('real_p')[-100:] are the last hundred D(x); take their mean, and do the same for 'fake_p'.")
def check_alarm(has_won) -> str:
    """has_won(history): whether D(x) is above 0.95 and D(G(z)) below 0.05 on average over the last 100 rows."""
    traps = (
        (_history((300, 0.99, 0.01)), True, "D wins from the first row to the last, and your alarm is silent."),
        (_history((300, 0.55, 0.45)), False, "D is healthy, and your alarm rings."),
        (_history((900, 0.55, 0.45), (150, 0.99, 0.01)), True,
         "D wins the last 150 rows after 900 healthy ones, and your alarm is silent: only the last hundred count."),
        (_history((250, 0.99, 0.01), (99, 0.55, 0.45), (1, 0.99, 0.01)), False,
         "Only the very last row looks won, and your alarm rings: take the mean of a hundred."),
        (_history((250, 0.99, 0.01), (1, 0.5, 0.5)), True,
         "One single row at the end looks healthy, after 250 that D won, and your alarm is silent: take the mean of a hundred."),
        (_history((300, 0.99, 0.5)), False, "D(x) is 0.99 but D(G(z)) is one half: that D has not won. Both must hold."),
        (_history((300, 0.5, 0.01)), False, "D(G(z)) is 0.01 but D(x) is one half: that D has not won. Both must hold."),
        (_history((40, 0.99, 0.01)), True, "A history of 40 rows, all won: divide by the rows that are there, not by 100."),
    )  # fmt: skip
    for history, wanted, hint in traps:
        answer = has_won(history)
        if answer is None:
            raise Hint("The alarm returns nothing: return True or False.")
        if bool(answer) != wanted:
            raise Hint(hint)
    won = [number for number in bundle.diagnosis_labels() if has_won(bundle.diagnosis_runs()[number])]
    return f"Among the recorded runs it rings for {', '.join(map(str, won))}: three failures with one symptom, told apart by G's loss."


@exercise("how many rows are there, len(samples) // k? Cut off what is left over, then reshape.")
def check_pack(pack) -> str:
    """pack(samples, k): N×d to (N // k)×(k·d), each row k different samples next to each other."""
    samples = torch.arange(21.0).reshape(7, 3)
    found = pack(samples[:6], 2)
    if tuple(found.shape) == (6, 6):
        raise Hint("There are as many rows as before: every sample belongs to one pack only, so 6 samples make 3 pairs.")
    if tuple(found.shape) != (3, 6):
        raise Hint(f"6 samples of 3 numbers, packed by 2, are 3 rows of 6 numbers, not {tuple(found.shape)}.")
    members = [tuple(part) for row in found.tolist() for part in (row[:3], row[3:])]
    if len(set(members)) < 6:
        raise Hint("A row holds the same sample twice: then no pack can show whether samples crowd.")
    if set(members) != {tuple(sample) for sample in samples[:6].tolist()}:
        raise Hint("The numbers of a sample have been torn apart: each row is one whole sample after another.")
    rest = pack(samples, 3)
    if tuple(rest.shape) != (2, 9):
        raise Hint(f"7 samples packed by 3 are 2 rows, and the seventh is left out; yours has shape {tuple(rest.shape)}.")
    if samples[6].tolist() in [row[i : i + 3] for row in rest.tolist() for i in (0, 3, 6)]:
        raise Hint("Leave out what is left over at the end, not at the beginning.")
    return "With k = 1 it is the D you know; the larger k is, the clearer a pack shows whether samples crowd."
