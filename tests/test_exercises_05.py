"""Every check of lesson 05 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import importlib.machinery
import importlib.util
import math
import re
from pathlib import Path

import numpy
import pytest
import torch

from gan_lessons import bundle
from gan_lessons.exercises import lesson_05

RIGHT = {number: label["name"] for number, label in bundle.diagnosis_labels().items()}


def mean(history, name, rows=100):
    last = history.column(name)[-rows:]
    return sum(last) / len(last)


def alarm(history):
    return mean(history, "real_p") > 0.95 and mean(history, "fake_p") < 0.05


def alarm_of_last_row(history):
    return history[-1].real_p > 0.95 and history[-1].fake_p < 0.05


def alarm_of_all_rows(history):
    return mean(history, "real_p", 10**6) > 0.95 and mean(history, "fake_p", 10**6) < 0.05


def alarm_over_a_hundred(history):
    return sum(history.column("real_p")[-100:]) / 100 > 0.95 and sum(history.column("fake_p")[-100:]) / 100 < 0.05


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
    ("check_diagnosis", {1: " Oscillation "}, "1 of the 1 you named are right.* Still without a name: 2, 3, 4"),
    ("check_diagnosis", RIGHT | {8: "healthy"}, "11 of the 12 .* run 8 again: in a healthy run .* But here: .*log 4 or above"),
    ("check_diagnosis", RIGHT | {3: "unscaled data"}, "run 3 again: with unscaled data .* But here: .*above 3, but G's loss"),
    ("check_diagnosis", RIGHT | {4: "oscillation", 10: "healthy"}, "10 of the 12 .* run 4 again"),
    ("check_diagnosis", {5: "mode colapse"}, "'mode colapse' is not on the list, which has: healthy"),
    ("check_diagnosis", {13: "healthy"}, "no run 13"),
    ("check_diagnosis", {"1": "healthy"}, "no run 1: they are numbered"),
    ("check_diagnosis", ["healthy"] * 11, "A list needs 12 names"),
    ("check_diagnosis", "healthy", "Answer with a dictionary"),
    ("check_diagnosis", {1: ...}, "No run has a name yet"),
    ("check_diagnosis", ..., "Not attempted yet"),
    ("check_slopes", lambda p: (p, 1 - p), "Right. At p = 0.001"),
    ("check_slopes", lambda p: (1 - p, p), "exchanged"),
    ("check_slopes", lambda p: (1 / (1 - p), 1 / p), "with respect to D itself"),
    ("check_slopes", lambda p: (-p, p - 1), "without the sign"),
    ("check_slopes", lambda p: (p * (1 - p), p * (1 - p)), "The logarithm outside"),
    ("check_slopes", lambda p: (p, p), "0.300 and 0.700"),
    ("check_slopes", lambda p: ..., "Not attempted yet"),
    ("check_alarm", alarm, "Right. Among the recorded runs it rings for 3, 7, 12:"),
    ("check_alarm", alarm_of_last_row, "Only the very last row"),
    ("check_alarm", alarm_of_all_rows, "only the last hundred count"),
    ("check_alarm", alarm_over_a_hundred, "A history of 40 rows"),
    ("check_alarm", lambda history: mean(history, "real_p") > 0.95, "but D.G.z.. is one half"),
    ("check_alarm", lambda history: mean(history, "fake_p") < 0.05, "but D.x. is one half"),
    ("check_alarm", lambda history: None, "returns nothing"),
    ("check_alarm", lambda history: ..., "Not attempted yet"),
    ("check_pack", pack, "Right. With k = 1"),
    ("check_pack", pack_strided, "Right. With k = 1"),
    ("check_pack", lambda samples, k: torch.cat([samples] * k, dim=1), "as many rows as before"),
    ("check_pack", lambda samples, k: torch.cat([samples[: len(samples) // k]] * k, dim=1), "the same sample twice"),
    ("check_pack", lambda samples, k: samples.T.reshape(len(samples) // k, -1), "torn apart"),
    ("check_pack", lambda samples, k: samples.reshape(-1, k, samples.shape[1]), "are 3 rows of 6 numbers"),
    ("check_pack", lambda samples, k: samples.reshape(len(samples) // k, -1), "RuntimeError"),
    ("check_pack", pack_from_the_end, "not at the beginning"),
    ("check_pack", lambda samples, k: ..., "Not attempted yet"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_05, check)(answer)
    assert re.search(says, verdict())


def test_the_runs_can_be_told_apart_by_what_the_lesson_says_of_their_curves():
    assert {number: named(bundle.diagnosis_runs()[number]) for number in RIGHT} == RIGHT


def named(history):
    """The name by the lesson's table of symptoms, from the curves alone (a row is four turns)."""
    real_p, fake_p, g_loss, d_loss = (mean(history, name, 50) for name in history[0]._fields[1:])
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
    path = Path(__file__).resolve().parent.parent / "tools/record_diagnosis_runs.py"
    loader = importlib.machinery.SourceFileLoader("record_diagnosis_runs", str(path))
    tool = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(tool)
    scope = tool.lesson()
    runs = tool.runs(**scope)
    assert [tuple(label[key] for key in ("name", "evidence", "cause")) for label in bundle.diagnosis_labels().values()] == [
        run[:3] for run in runs
    ]
    for *_, changes in runs:
        history = scope["play"](**changes | {"head_start": 0}, turns=2).history
        assert history.column("turn") == [1, 2]
