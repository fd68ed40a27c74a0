"""Every check of lesson 05 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import math
import re
import statistics

import numpy
import pytest
import torch

from gan_lessons import bundle
from gan_lessons.exercises import lesson_05
from tools import record_diagnosis_runs

RIGHT = {number: label["name"] for number, label in bundle.diagnosis_labels().items()}


def mean(history, name, rows=100):
    last = history.column(name)[-rows:]
    return sum(last) / len(last)


def alarm(history):
    return mean(history, "real_p") > 0.95 and mean(history, "fake_p") < 0.05


def alarm_by(mean_of, real_above=0.95, fake_below=0.05):
    return lambda history: mean_of(history.column("real_p")) > real_above and mean_of(history.column("fake_p")) < fake_below


def mean_of_part(start, stop=None):
    return lambda column: statistics.fmean(column[start:stop])


def by_loops(history):
    rows = history if len(history) < 100 else history[len(history) - 100 :]
    sums = [0.0, 0.0]
    for row in rows:
        sums[0] += row.real_p
        sums[1] += row.fake_p
    return not (sums[0] / len(rows) <= 0.95 or sums[1] / len(rows) >= 0.05)


def by_numpy(history):
    return numpy.mean(history.column("real_p")[-100:]) > 0.95 and numpy.mean(history.column("fake_p")[-100:]) < 0.05


def by_torch(history):
    real, fake = (torch.tensor(history.column(name)[-100:], dtype=torch.float64).mean() for name in ("real_p", "fake_p"))
    return (real > 0.95) & (fake < 0.05)


def in_place(history):
    del history[:-100]
    return alarm(history)


def pack(samples, k):
    rows = len(samples) // k
    return samples[: rows * k].reshape(rows, -1)


def pack_from_the_end(samples, k):
    return samples[len(samples) % k :].reshape(len(samples) // k, -1)


def pack_strided(samples, k):
    rows = len(samples) // k
    return torch.cat([samples[i * rows : (i + 1) * rows] for i in range(k)], dim=1)


CASES = [
    ("check_diagnosis", RIGHT, r"Right\. All twelve\. .*β₁ = 0\.95"),
    ("check_diagnosis", list(RIGHT.values()), r"Right\. All twelve"),
    ("check_diagnosis", {run: f" {name.upper()} " for run, name in RIGHT.items()}, r"Right\. All twelve"),
    ("check_diagnosis", {1: " Oscillation "}, "1 of the 1 you named are right.* Still without a name: 2, 3, 4"),
    ("check_diagnosis", RIGHT | {8: "healthy"}, "11 of the 12 .* run 8 again: in a healthy run .* But here: .*log 4 or above"),
    ("check_diagnosis", RIGHT | {3: "unscaled data"}, "run 3 again: with unscaled data .* But here: .*above 3, but G's loss"),
    ("check_diagnosis", RIGHT | {4: "oscillation", 10: "healthy"}, "10 of the 12 .* run 4 again"),
    ("check_diagnosis", {5: "mode colapse"}, "'mode colapse' is none of the words: healthy"),
    ("check_diagnosis", {5: 3}, "A word in quotation marks is expected, not the int 3"),
    ("check_diagnosis", {13: "healthy"}, r"13 is no run: the keys are the whole numbers 1 to 12\.$"),
    ("check_diagnosis", {13: ...}, r"13 is no run: the keys are the whole numbers 1 to 12\.$"),
    ("check_diagnosis", numpy.array(list(RIGHT.values())), r"Right\. All twelve"),
    ("check_diagnosis", [...] * 12, "^Not attempted yet"),
    ("check_diagnosis", {"healthy": 1}, "'healthy' is no run: .* each before its name"),
    ("check_diagnosis", {str(run): name for run, name in RIGHT.items()}, "'1' is no run: .* without quotation marks"),
    ("check_diagnosis", ["healthy"] * 11, "A list needs 12 names"),
    ("check_diagnosis", "healthy", "Answer with a dictionary"),
    ("check_diagnosis", {1: ...}, "No run has a name yet"),
    ("check_diagnosis", ..., "Not attempted yet. Which of the twelve"),
    ("check_slopes", lambda p: (p, 1 - p), "Right. At p = 0.001"),
    ("check_slopes", lambda p: torch.tensor([p, 1 - p]), "Right. At p = 0.001"),
    ("check_slopes", lambda p: numpy.array([p, 1 - p]), "Right. At p = 0.001"),
    ("check_slopes", lambda p: [torch.tensor(p), numpy.float32(1 - p)], "Right. At p = 0.001"),
    ("check_slopes", lambda p: (1 - p, p), "exchanged"),
    ("check_slopes", lambda p: (1 / (1 - p), 1 / p), "with respect to D itself"),
    ("check_slopes", lambda p: (-p, p - 1), "without the sign"),
    ("check_slopes", lambda p: (p * (1 - p), p * (1 - p)), "The logarithm outside"),
    ("check_slopes", lambda p: (p, p), "0.300 and 0.700"),
    ("check_slopes", lambda p: {p, 1 - p}, "two numbers in order, .* not a set of 2"),
    ("check_slopes", lambda p: (..., 1 - p), "One number is expected, not `...`"),
    ("check_slopes", lambda p: [..., ...], "^Not attempted yet"),
    ("check_alarm", lambda history: False, r"and your alarm is silent\.$"),
    ("check_pack", lambda samples, k: samples.reshape(-1, k * samples.shape[1]), "is something left over"),
    ("check_slopes", lambda p: p, "Return two numbers, .* not 1"),
    ("check_slopes", lambda p: torch.tensor(p), "Return two numbers, .* not 1"),
    ("check_slopes", lambda p: (p, 1 - p, p), "Return two numbers, .* not 3"),
    ("check_slopes", lambda p: "p1", "One number is expected, not the str 'p'"),
    ("check_slopes", lambda p: None, "is there a `return`"),
    ("check_slopes", lambda p: ..., "Not attempted yet. The logit"),
    *[("check_alarm", answer, "Right. Among the recorded runs it rings for 3, 7, 12:") for answer in (alarm, by_loops, by_numpy, by_torch, in_place)],
    ("check_alarm", lambda history: history[-1].real_p > 0.95 and history[-1].fake_p < 0.05, "Only the very last row looks won, and your alarm rings"),
    ("check_alarm", alarm_by(statistics.fmean), "won the last 150 rows, after 900 healthy ones, and your alarm is silent. .*last hundred"),
    ("check_alarm", alarm_by(lambda column: sum(column[-100:]) / 100), "a history that has 40, and your alarm is silent. .*divide by how many"),
    *[("check_alarm", alarm_by(mean_of_part(start)), "mean of the last hundred rows") for start in (-3, -10, -50, -99, -101, -150)],
    ("check_alarm", alarm_by(mean_of_part(-100, -1)), "very last row is so bad .* your alarm rings"),
    ("check_alarm", alarm_by(lambda column: statistics.median(column[-100:])), "A median would not see"),
    ("check_alarm", alarm_by(lambda column: max(column[-100:])), "your alarm"),
    ("check_alarm", alarm_by(mean_of_part(-100), 0.9), "D.x. is 0.949 .* your alarm rings"),
    ("check_alarm", alarm_by(mean_of_part(-100), fake_below=0.1), "D.G.z.. 0.051 .* your alarm rings"),
    ("check_alarm", alarm_by(mean_of_part(-100), 0.96), "D.x. is 0.951 .* your alarm is silent"),
    ("check_alarm", alarm_by(mean_of_part(-100), fake_below=0.04), "D.G.z.. 0.049 .* your alarm is silent"),
    ("check_alarm", lambda history: mean(history, "real_p") - mean(history, "fake_p") > 0.9, "D.x. is 0.949 .* Both must hold"),
    ("check_alarm", lambda history: len(history) < 100 or alarm(history), "healthy, and it has 40, and your alarm rings. .*take all"),
    ("check_alarm", lambda history: len(history) >= 100 and alarm(history), "has 40, and your alarm is silent. .*take all"),
    ("check_alarm", lambda history: mean(history, "real_p") > 0.95, "D.G.z.. one half, and your alarm rings. Both must hold"),
    ("check_alarm", lambda history: mean(history, "fake_p") < 0.05, "D.x. one half, and your alarm rings. Both must hold"),
    ("check_alarm", lambda history: (mean(history, "real_p") > 0.95, mean(history, "fake_p") < 0.05), "True or False, not a tuple of 2"),
    ("check_alarm", lambda history: "False", "True or False, not the str 'False'"),
    ("check_alarm", lambda history: print(alarm(history)), "is there a `return`"),
    ("check_alarm", lambda history: ..., "Not attempted yet. What must be true"),
    ("check_pack", pack, "Right. With k = 1"),
    ("check_pack", lambda samples, k: pack(samples, k).double().numpy(), "Right. With k = 1"),
    ("check_pack", lambda samples, k: torch.stack([samples[i * k : i * k + k].flatten() for i in range(len(samples) // k)]), "Right. With k = 1"),
    ("check_pack", lambda samples, k: torch.cat([samples[i : len(samples) // k * k : k] for i in range(k)], dim=1), "Right. With k = 1"),
    ("check_pack", pack_strided, "consecutive samples, .* your first is 0 and 3"),
    ("check_pack", lambda samples, k: torch.cat(samples.chunk(k), dim=1), "consecutive samples, .* your first is 0 and 3"),
    ("check_pack", lambda samples, k: pack(samples, k).flip(0), "consecutive samples, .* your first is 4 and 5"),
    ("check_pack", lambda samples, k: pack(samples, k).reshape(-1, k, 3).flip(1).flatten(1), "consecutive samples, .* your first is 1 and 0"),
    ("check_pack", lambda samples, k: torch.cat([samples] * k, dim=1), "as many rows as before"),
    ("check_pack", lambda samples, k: torch.cat([samples[: len(samples) // k]] * k, dim=1), "A sample comes up more than once"),
    ("check_pack", lambda samples, k: samples.T.reshape(len(samples) // k, -1), "torn apart"),
    ("check_pack", lambda samples, k: samples.reshape(-1, k, samples.shape[1]), "are 3 rows of 6 numbers"),
    ("check_pack", lambda samples, k: samples.reshape(len(samples) // k, -1), "Your code stopped with RuntimeError"),
    ("check_pack", lambda samples, k: pack(samples, 2), "7 samples packed by 3 are 2 rows"),
    ("check_pack", pack_from_the_end, "not at the beginning"),
    ("check_pack", lambda samples, k: pack(samples, k).tolist(), "A tensor is expected, not a list of 3"),
    ("check_pack", lambda samples, k: ..., "Not attempted yet. Which numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_05, check)(answer)
    assert re.search(says, verdict())


def test_the_runs_can_be_told_apart_by_what_the_lesson_says_of_their_curves():
    assert {number: named(bundle.diagnosis_runs()[number]) for number in RIGHT} == RIGHT


def named(history):
    """The name by the lesson's table of symptoms, from the curves alone (a row is four turns)."""
    real_p, fake_p, g_loss, d_loss = (mean(history, name, 50) for name in history[0]._fields[1:5])
    real_curve, fake_curve = (numpy.convolve(history.column(name), numpy.ones(6) / 6, "valid") for name in ("real_p", "fake_p"))
    if g_loss <= 0:
        return "strong D"
    if real_p > 0.95 and fake_p < 0.05:
        return "mixed batch" if g_loss < 0.8 * -math.log(fake_p) else "unscaled data"
    if real_p > 0.95:
        return "forgotten detach"
    if real_p - fake_p > 0.35:
        return "linear G"
    if real_curve[len(real_curve) // 4 :].std() > 0.035:
        return "oscillation"
    if numpy.ptp(fake_curve[12:]) > 0.25:
        return "weak D"
    return "mode collapse" if d_loss > 1.375 else "healthy"


def test_the_runs_are_a_thousand_turns_of_which_every_fourth_is_kept():
    for number in RIGHT:
        assert bundle.diagnosis_runs()[number].column("turn") == list(range(1, 1001, 4))


def test_healthy_runs_are_among_them_and_every_name_comes_up():
    assert set(RIGHT.values()) == set(lesson_05.NAMES)
    assert list(RIGHT.values()).count("healthy") == 3


def test_the_labels_are_those_of_the_tool_and_the_lesson_has_the_game_that_it_plays():
    scope = record_diagnosis_runs.lesson()
    runs = record_diagnosis_runs.runs(**scope)
    assert [tuple(label[key] for key in ("name", "evidence", "cause")) for label in bundle.diagnosis_labels().values()] == [
        run[:3] for run in runs
    ]
    for *_, changes in runs:
        history = scope["play"](**changes | {"head_start": 0}, turns=2).history
        assert history.column("turn") == [1, 2]
