"""Every check of lesson 05 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import copy
import itertools
import math
import re

import numpy
import pytest
import torch
from torch.nn.functional import binary_cross_entropy, softplus

from gan_lessons import bundle, failures, toys
from gan_lessons.exercises import lesson_05
from tools import record_diagnosis_runs

RIGHT = {number: label["name"] for number, label in bundle.diagnosis_labels().items()}


def mean(history, name, rows=100):
    last = history.column(name)[-rows:]
    return sum(last) / len(last)


RING = toys.ring()


def right(g, d, g_optimizer, d_optimizer, turns):
    """The healthy game, as the two broken loops were meant."""
    for _ in range(turns):
        real, fake = RING.sample((128,)), g(failures.noise(128))
        d_loss = softplus(-d(real)).mean() + softplus(d(fake.detach())).mean()
        d_optimizer.zero_grad(), d_loss.backward(), d_optimizer.step()
        g_loss = softplus(-d(fake)).mean()
        g_optimizer.zero_grad(), g_loss.backward(), g_optimizer.step()


def zeroed_at_the_end(g, d, g_optimizer, d_optimizer, turns):
    for _ in range(turns):
        real, fake = RING.sample((128,)), g(failures.noise(128))
        (softplus(-d(real)).mean() + softplus(d(fake.detach())).mean()).backward()
        d_optimizer.step()
        g_optimizer.zero_grad(), softplus(-d(fake)).mean().backward(), g_optimizer.step()
        d.zero_grad()


def without_logits(g, d, g_optimizer, d_optimizer, turns):
    """Loop A with its sigmoids, and the loss that wants probabilities; G draws anew."""
    for _ in range(turns):
        real, fake = RING.sample((128,)), g(failures.noise(128)).detach()
        ones, zeros = torch.ones(128, 1), torch.zeros(128, 1)
        d_loss = binary_cross_entropy(d(real).sigmoid(), ones) + binary_cross_entropy(d(fake).sigmoid(), zeros)
        d_optimizer.zero_grad(), d_loss.backward(), d_optimizer.step()
        g_loss = binary_cross_entropy(d(g(failures.noise(128))).sigmoid(), ones)
        g_optimizer.zero_grad(), g_loss.backward(), g_optimizer.step()


def detached_in_both(g, d, g_optimizer, d_optimizer, turns):
    for _ in range(turns):
        real, fake = RING.sample((128,)), g(failures.noise(128)).detach()
        d_loss = softplus(-d(real)).mean() + softplus(d(fake)).mean()
        d_optimizer.zero_grad(), d_loss.backward(), d_optimizer.step()
        g_loss = softplus(-d(fake)).mean()
        g_optimizer.zero_grad(), g_loss.backward(), g_optimizer.step()


def squashed(g, d, g_optimizer, d_optimizer, turns):
    for _ in range(turns):
        real, fake = RING.sample((128,)), g(failures.noise(128))
        d_loss = softplus(-d(real).sigmoid()).mean() + softplus(d(fake.detach()).sigmoid()).mean()
        d_optimizer.zero_grad(), d_loss.backward(), d_optimizer.step()
        g_loss = softplus(-d(fake).sigmoid()).mean()
        g_optimizer.zero_grad(), g_loss.backward(), g_optimizer.step()


def frozen_but_never_zeroed(g, d, g_optimizer, d_optimizer, turns):
    for _ in range(turns):
        real, fake = RING.sample((128,)), g(failures.noise(128))
        (softplus(-d(real)).mean() + softplus(d(fake.detach())).mean()).backward()
        d_optimizer.step()
        g_optimizer.zero_grad(), softplus(-d(fake)).mean().backward(inputs=list(g.parameters())), g_optimizer.step()


def zeroed_too_late(g, d, g_optimizer, d_optimizer, turns):
    for _ in range(turns):
        real, fake = RING.sample((128,)), g(failures.noise(128))
        (softplus(-d(real)).mean() + softplus(d(fake.detach())).mean()).backward()
        d_optimizer.zero_grad(), d_optimizer.step()
        g_optimizer.zero_grad(), softplus(-d(fake)).mean().backward(), g_optimizer.step()


def never_zeroed(g, d, g_optimizer, d_optimizer, turns):
    for _ in range(turns):
        real, fake = RING.sample((128,)), g(failures.noise(128))
        (softplus(-d(real)).mean() + softplus(d(fake.detach())).mean()).backward()
        d_optimizer.step()
        g_optimizer.zero_grad(), softplus(-d(fake)).mean().backward(), g_optimizer.step()


def slopes(d, points):
    points = points.clone().requires_grad_()
    return torch.autograd.grad(d(points).sum(), points, create_graph=True)[0]


def r1(d, real):
    return slopes(d, real).square().sum(dim=1).mean() / 2


def r1_point_by_point(d, real):
    return sum(torch.func.grad(lambda x: d(x).squeeze())(point).square().sum() for point in real) / (2 * len(real))


def r1_by_the_chain_rule(d, real):
    """For this network alone: tanh's slope is 1 - tanh²."""
    bent = 1 - d[1](d[0](real)).square()
    return ((bent * d[2].weight) @ d[0].weight).square().sum(dim=1).mean() / 2


def near(samples, radius):
    return torch.cdist(samples, samples) < radius


def places(samples, radius):
    n = len(samples)
    return n * (n - 1) / (near(samples, radius).sum() - n)


def places_by_loops(samples, radius):
    pairs = [(a - b).norm().item() < radius for a, b in itertools.combinations(samples[:400], 2)]
    return len(pairs) / sum(pairs)


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
    *[(f"check_loop_{each}", right, r"Right\. With three seeds it covers \d, \d, \d of 8 modes") for each in "ab"],
    ("check_loop_a", detached_in_both, "G's weights are where they were"),
    ("check_loop_a", lambda *all: right(*all[:4], 0), "G's weights are where they were"),
    ("check_loop_a", lambda g, d, *rest: right(g, copy.deepcopy(d), *rest), "D's weights are where they were"),
    ("check_loop_a", lambda *all: right(*all[:4], 30), "covers 0 of 8 modes"),
    ("check_loop_a", lambda g, d: None, "Your code stopped with TypeError"),
    ("check_loop_a", without_logits, "Right"),
    ("check_loop_a", squashed, "seed 0, your loop covers . of 8 modes, .* Is there still another one"),
    ("check_loop_a", ..., "^Not attempted yet. What does D say"),
    ("check_loop_b", zeroed_at_the_end, "Right"),
    ("check_loop_b", never_zeroed, "covers 0 of 8 modes, .* Who clears it, and when"),
    ("check_loop_b", frozen_but_never_zeroed, "seed ., your loop covers . of 8 modes"),
    ("check_loop_b", zeroed_too_late, "D's weights are where they were before"),
    ("check_loop_b", ..., "^Not attempted yet. Write down the steps"),
    ("check_r1", r1, "Right"),
    ("check_r1", r1_point_by_point, "Right"),
    ("check_r1", r1_by_the_chain_rule, "Right"),
    ("check_r1", lambda d, x: 2 * r1(d, x), "The half is missing"),
    ("check_r1", lambda d, x: slopes(d, x).norm(dim=1).mean() / 2, "R1 squares the length"),
    ("check_r1", lambda d, x: slopes(d, x).square().mean() / 2, r"\*sum\* over its coordinates"),
    ("check_r1", lambda d, x: slopes(d, x).square().sum() / 2, "the sum over the batch"),
    ("check_r1", lambda d, x: r1(lambda y: d(y) / len(y), x), r"a \*mean\* of logits"),
    ("check_r1", lambda d, x: r1(lambda y: d(y).sigmoid(), x), "the slope of the belief"),
    ("check_r1", lambda d, x: (slopes(d, x).norm(dim=1) - 1).square().mean(), "WGAN-GP"),
    ("check_r1", lambda d, x: slopes(d, x).sum(dim=0).square().sum() / 2, "cancel one another"),
    ("check_r1", lambda d, x: r1(d, x + 1), "not 0"),
    ("check_r1", lambda d, x: r1(d, x).detach(), "nothing leads from it back"),
    ("check_r1", lambda d, x: r1(d, x).item(), "nothing leads from it back"),
    ("check_r1", lambda d, x: (slopes(d, x) * slopes(d, x).detach()).sum(dim=1).mean() / 2, "is a part of it detached"),
    ("check_r1", lambda d, x: slopes(d, x).square().sum(dim=1) / 2, "One number for the whole batch"),
    ("check_r1", lambda d, x: torch.autograd.grad(d(x).sum(), x), "does not require grad|not have been used|Your code stopped"),
    ("check_r1", lambda d, x: ..., "^Not attempted yet. At which points"),
    ("check_places", places, r"Right\. The data: [78]\.\d\. A thin circle: 10\.\d\. One point: 1\.0\."),
    ("check_places", places_by_loops, "Right"),
    ("check_places", lambda x, r: 1 / near(x, r)[torch.triu_indices(len(x), len(x), 1).unbind()].float().mean(), "Right"),
    ("check_places", lambda x, r: 1 / near(x, r).float().mean(), "Each sample is near to itself"),
    ("check_places", lambda x, r: len(x) ** 2 / (near(x, r).sum() - len(x)), "nor below"),
    ("check_places", lambda x, r: 2 * len(x) ** 2 / (near(x, r).sum() - len(x)), "below the line twice, with"),
    ("check_places", lambda x, r: len(x) * (len(x) - 1) / 2 / (near(x, r).sum() - len(x)), "Above the line each pair counts twice"),
    ("check_places", lambda x, r: 2 * places(x, r), "Above the line each pair counts once, below twice"),
    ("check_places", lambda x, r: 1 / places(x, r), "How many places is it for"),
    ("check_places", lambda x, r: len({tuple(row) for row in near(x, r).int().tolist()}), "the places that occur at all"),
    ("check_places", lambda x, r: len(x) * (len(x) - 1) / (~near(x, r)).sum(), "far apart"),
    ("check_places", lambda x, r: places(x, 0.5), "With near = 10 all pairs are near"),
    ("check_places", lambda x, r: 4.0, "so 3.750, not 4.000"),
    ("check_places", lambda x, r: near(x, r), "One number is expected, not a tensor"),
    ("check_places", lambda x, r: print(places(x, r)), "is there a `return`"),
    ("check_places", lambda x, r: ..., "^Not attempted yet. If all samples"),
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
        return "leaked gradients"
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
    runs = record_diagnosis_runs.runs()
    assert [tuple(label[key] for key in ("name", "evidence", "cause")) for label in bundle.diagnosis_labels().values()] == [
        run[:3] for run in runs
    ]
    for *_, changes in runs:
        history = failures.play(**changes | {"head_start": 0}, turns=2).history
        assert history.column("turn") == [1, 2]
