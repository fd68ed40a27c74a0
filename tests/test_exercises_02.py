"""Every check of lesson 02 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import math
import re

import numpy
import pytest
import torch
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, softplus

from gan_lessons.exercises import lesson_02


def through_torch(real, fake):
    return binary_cross_entropy_with_logits(real, torch.ones_like(real)) + binary_cross_entropy_with_logits(
        fake, torch.zeros_like(fake)
    )


def one_batch(real, fake):
    labels = torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
    return binary_cross_entropy_with_logits(torch.cat([real, fake]), labels)


def naive(real, fake):
    return -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()


def clamped_log(real, fake):
    return -real.sigmoid().clamp(min=1e-7).log().mean() - (1 - fake.sigmoid()).clamp(min=1e-7).log().mean()


def cut_by_torch(real, fake):
    labels = torch.ones_like(real), torch.zeros_like(fake)
    return binary_cross_entropy(real.sigmoid(), labels[0]) + binary_cross_entropy(fake.sigmoid(), labels[1])


def kl(p, q):
    return torch.special.xlogy(p, p / q).sum()


def js(p, q):
    m = (p + q) / 2
    return (kl(p, m) + kl(q, m)) / 2


def js_nan(p, q):
    m = (p + q) / 2
    return ((p * (p / m).log()).sum() + (q * (q / m).log()).sum()) / 2


def js_unhalved(p, q):
    return (kl(p, p + q) + kl(q, p + q)) / 2


def optimistic(x, y, x_before, y_before, eta):
    return x - eta * (2 * y - y_before), y + eta * (2 * x - x_before)


def js_where(p, q):
    m = (p + q) / 2
    zero = torch.zeros(())
    return (torch.where(p > 0, p * (p / m).log(), zero) + torch.where(q > 0, q * (q / m).log(), zero)).sum() / 2


def js_by_entropies(p, q):
    m = (p + q) / 2
    return torch.special.entr(m).sum() - (torch.special.entr(p).sum() + torch.special.entr(q).sum()) / 2


def js_in_a_loop(p, q):
    total = 0.0
    for a, b in zip(p.tolist(), q.tolist()):
        m = (a + b) / 2
        total += (a * math.log(a / m) if a > 0 else 0) + (b * math.log(b / m) if b > 0 else 0)
    return total / 2


def js_by_xlogy(p, q):
    m = (p + q) / 2
    return (
        torch.special.xlogy(p, p) - torch.special.xlogy(p, m) + torch.special.xlogy(q, q) - torch.special.xlogy(q, m)
    ).sum() / 2


def guarded(r, f, s):
    total = s * r + (1 - s) * f
    if total == 0:
        return 0.5
    return s * r / total


def d_loss(a, b):
    return softplus(-a).mean() + softplus(b).mean()


def d_loss_in_place(a, b):
    return softplus(a.neg_()).mean() + softplus(b).mean()


def in_sequence(x, y, u, v, eta):
    new_x = x - eta * (2 * y - v)
    return new_x, y + eta * (2 * new_x - x)


CASES = [
    ("check_discriminator_loss", lambda a, b: softplus(-a).mean() + softplus(b).mean(), "^Right. It is the binary"),
    ("check_discriminator_loss", through_torch, "^Right."),
    ("check_discriminator_loss", d_loss_in_place, "^Right."),
    ("check_discriminator_loss", lambda a, b: d_loss(a.double(), b.double()), "^Right."),
    ("check_discriminator_loss", lambda a, b: d_loss(a, b)[None], "^Right."),
    ("check_discriminator_loss", lambda a, b: sum(softplus(-x) for x in a) / len(a) + softplus(b).mean(), "^Right."),
    ("check_discriminator_loss", lambda a, b: d_loss(a, b).item(), "is right, but it is the float"),
    ("check_discriminator_loss", lambda a, b: d_loss(a, b).detach(), "without a history"),
    ("check_discriminator_loss", lambda a, b: numpy.float64(d_loss(a, b).item()), "without a history"),
    ("check_discriminator_loss", lambda a, b: softplus(-a.detach()).mean() + softplus(b).mean(), "reaches the real logits"),
    ("check_discriminator_loss", lambda a, b: (d_loss(a, b),), "tuple of one"),
    ("check_discriminator_loss", lambda a, b: None, "is there a `return`"),
    ("check_discriminator_loss", lambda a, b: -softplus(-a).mean() - softplus(b).mean(), "sign is flipped"),
    ("check_discriminator_loss", lambda a, b: softplus(a).mean() + softplus(-b).mean(), "labels are swapped"),
    ("check_discriminator_loss", lambda a, b: softplus(-a).sum() + softplus(b).sum(), "added up the batch"),
    ("check_discriminator_loss", one_batch, "half of it, as the mean over one mixed batch"),
    ("check_discriminator_loss", lambda a, b: softplus(-a) + softplus(b), "one number"),
    ("check_discriminator_loss", lambda a, b: softplus(-a).mean(), "Only the real half"),
    ("check_discriminator_loss", lambda a, b: softplus(b).mean(), "Only the fake half"),
    ("check_discriminator_loss", lambda a, b: softplus(-a).mean() + softplus(-b).mean(), "Both batches are treated as real"),
    ("check_discriminator_loss", lambda a, b: a.mean() - b.mean(), "it should be 1.3674"),
    ("check_discriminator_loss", naive, "not finite, .* before the logarithm is taken"),
    ("check_discriminator_loss", clamped_log, "is 32.2362, not 400: something keeps it from growing, as a clamp does"),
    ("check_discriminator_loss", lambda a, b: d_loss(a, b).clamp(max=10), "is 10, not 400: something keeps it from growing"),
    ("check_discriminator_loss", lambda a, b: d_loss(a.clamp(-9, 9), b.clamp(-9, 9)), "something keeps it from growing"),
    ("check_discriminator_loss", cut_by_torch, "is 200, not 400: .* torch's BCELoss, which cuts logarithms off at -100"),
    ("check_discriminator_loss", lambda a, b: naive(a, b).nan_to_num(), r"is 3.40282e\+38, not 400. softplus holds"),
    ("check_discriminator_loss", lambda a, b: torch.stack([softplus(-a).mean(), softplus(b).mean()]), "and the sum of the two"),
    ("check_discriminator_loss", lambda a, b: torch.tensor(d_loss(a, b).item(), requires_grad=True), "made anew from a plain"),
    ("check_discriminator_loss", lambda a, b: ..., "^Not attempted yet"),
    ("check_generator_loss", lambda a: softplus(-a).mean(), "^Right. The label is flipped"),
    ("check_generator_loss", lambda a: binary_cross_entropy_with_logits(a, torch.ones_like(a)), "^Right."),
    ("check_generator_loss", lambda a: softplus(a.neg_()).mean(), "^Right."),
    ("check_generator_loss", lambda a: softplus(-a.detach()).mean(), "without a history"),
    ("check_generator_loss", lambda a: softplus(-a).mean().item(), "without a history"),
    ("check_generator_loss", lambda a: (softplus(-a).mean(),), "tuple of one"),
    ("check_generator_loss", lambda a: -softplus(a).mean(), "minimax loss"),
    ("check_generator_loss", lambda a: softplus(a).mean(), "help D"),
    ("check_generator_loss", lambda a: -softplus(-a).mean(), "sign is flipped"),
    ("check_generator_loss", lambda a: softplus(-a).sum(), "added up"),
    ("check_generator_loss", lambda a: -a.mean(), "raw score"),
    ("check_generator_loss", lambda a: -a.sigmoid().log().mean(), "not finite, .* before the logarithm is taken"),
    ("check_generator_loss", lambda a: -a.sigmoid().clamp(min=1e-7).log().mean(), "something keeps it from growing, as a clamp"),
    ("check_generator_loss", lambda a: -(a.sigmoid() + 1e-8).log().mean(), "a small number added inside the logarithm"),
    ("check_generator_loss", lambda a: a.square().mean(), "it should be"),
    ("check_generator_loss", lambda a: ..., "^Not attempted yet"),
    ("check_js", js, "q = \\(1, 0\\) it is not finite"),
    ("check_js", js_by_xlogy, "^Right. Zero for equal ones"),
    ("check_js", js_where, "^Right. Zero for equal ones"),
    ("check_js", js_by_entropies, "^Right. Zero for equal ones"),
    ("check_js", js_in_a_loop, "^Right. Zero for equal ones"),
    ("check_js", lambda p, q: js_by_xlogy(p.float(), q.float()), "^Right. Zero for equal ones"),
    ("check_js", lambda p, q: js_by_xlogy(p, q) / 4, "a mean over the list"),
    ("check_js", lambda p, q: (js_by_xlogy(p, q),), "tuple of one"),
    ("check_js", lambda p, q: torch.special.xlogy(p, 2 * p / (p + q)), "one number: take the sum"),
    ("check_js", lambda p, q: (kl((p + q) / 2, p) + kl((p + q) / 2, q)) / 2, "below the line"),
    ("check_js", lambda p, q: kl(q, (p + q) / 2), "p has its half too"),
    ("check_js", kl, r"That is KL\(p‖q\)"),
    ("check_js", lambda p, q: kl(q, p), r"That is KL\(q‖p\)"),
    ("check_js", lambda p, q: (kl(p, q) + kl(q, p)) / 2, "unbounded"),
    ("check_js", lambda p, q: 2 * js(p, q), "twice JS"),
    ("check_js", lambda p, q: kl(p, (p + q) / 2), "q has its half too"),
    ("check_js", js_unhalved, "which sums to 2"),
    ("check_js", lambda p, q: js(p, q) / torch.tensor(2.0).log(), "in bits"),
    ("check_js", lambda p, q: -js(p, q), "sign is flipped"),
    ("check_js", js_nan, "not finite: 0·log 0 is to count as 0"),
    ("check_js", lambda p, q: torch.tensor(1.0), "it should be"),
    ("check_js", lambda p, q: ..., "^Not attempted yet"),
    ("check_best_discriminator", lambda r, f, s: s * r / (s * r + (1 - s) * f), "^Right. And where p_g"),
    ("check_best_discriminator", lambda r, f, s: r / (r + f), "share makes no difference"),
    ("check_best_discriminator", lambda r, f, s: (1 - s) * r / ((1 - s) * r + s * f), "shares are swapped"),
    ("check_best_discriminator", lambda r, f, s: (1 - s) * f / (s * r + (1 - s) * f), "probability of a fake"),
    ("check_best_discriminator", lambda r, f, s: s * r / (s * r + f), "lost their weight"),
    ("check_best_discriminator", lambda r, f, s: s * r / (r + f), "below the line too"),
    ("check_best_discriminator", lambda r, f, s: s, "it should be"),
    ("check_best_discriminator", guarded, "^Right. And where p_g"),
    ("check_best_discriminator", lambda r, f, s: guarded(float(r), float(f), s), "^Right. And where p_g"),
    ("check_best_discriminator", lambda r, f, s: 1 / (1 + (1 - s) * f.double() / (s * r)), "^Right. And where p_g"),
    ("check_best_discriminator", lambda r, f, s: 4 * r / (4 * r + f), "share 0.3 it should be"),
    ("check_best_discriminator", lambda r, f, s: (guarded(r, f, s),), "tuple of one"),
    ("check_best_discriminator", lambda r, f, s: r, "it should be"),
    ("check_best_discriminator", lambda r, f, s: ..., "^Not attempted yet"),
    ("check_optimistic", optimistic, "^Right. From .* distance 0.00"),
    ("check_optimistic", lambda x, y, u, v, eta: (x - eta * y, y + eta * x), "simultaneous step"),
    ("check_optimistic", lambda x, y, u, v, eta: (x - eta * (y + v) / 2, y + eta * (x + u) / 2), "looks ahead"),
    ("check_optimistic", lambda x, y, u, v, eta: (x - eta * (2 * y - v), y - eta * (2 * x - u)), "Both players descend"),
    ("check_optimistic", lambda x, y, u, v, eta: (x + eta * (2 * y - v), y + eta * (2 * x - u)), "Both players ascend"),
    ("check_optimistic", lambda x, y, u, v, eta: (x + eta * (2 * y - v), y - eta * (2 * x - u)), "swapped roles"),
    ("check_optimistic", lambda x, y, u, v, eta: (x - eta * (2 * x - u), y + eta * (2 * y - v)), "other's position"),
    (
        "check_optimistic",
        lambda x, y, u, v, eta: (2 * x - u - eta * (2 * y - v), 2 * y - v + eta * (2 * x - u)),
        "start from where",
    ),
    ("check_optimistic", lambda *all: list(optimistic(*all)), "^Right."),
    ("check_optimistic", lambda *all: torch.tensor(optimistic(*all), dtype=torch.float64), "^Right."),
    ("check_optimistic", lambda *all: numpy.array(optimistic(*all)), "^Right."),
    ("check_optimistic", lambda x, y, u, v, eta: (x - eta * y, y + eta * (x - eta * y)), "the players take turns"),
    ("check_optimistic", lambda x, y, u, v, eta: (x - eta * (y + eta * x), y + eta * (x - eta * y)), "That is extragradient"),
    ("check_optimistic", lambda x, y, u, v, eta: (x - eta * (2 * y - v), ...), "One number is expected, not `...`"),
    ("check_optimistic", in_sequence, "y must use the old x"),
    ("check_optimistic", lambda *all: optimistic(*all)[::-1], "new y comes first"),
    ("check_optimistic", lambda *all: optimistic(*all[:4], 0.1), "With eta = 0.25"),
    ("check_optimistic", lambda *all: optimistic(*all)[0], "not the float"),
    ("check_optimistic", lambda *all: (*optimistic(*all), 0.1), "not a tuple of 3"),
    ("check_optimistic", lambda x, y, u, v, eta: (x, y), "it should go to"),
    ("check_optimistic", lambda x, y, u, v, eta: ..., "^Not attempted yet"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_02, check)(answer)
    assert re.search(says, verdict())


def test_an_answer_that_overwrites_the_logits_spoils_no_later_one(verdict):
    lesson_02.check_discriminator_loss(lambda a, b: a.zero_().sum() + b.zero_().sum())
    lesson_02.check_generator_loss(lambda a: a.zero_().sum())
    lesson_02.check_discriminator_loss(d_loss)
    lesson_02.check_generator_loss(lambda a: softplus(-a).mean())
    assert verdict().count("Right.") == 2


CHECKS = ["check_discriminator_loss", "check_generator_loss", "check_js", "check_best_discriminator", "check_optimistic"]


@pytest.mark.parametrize("check", CHECKS)
def test_the_untouched_exercise_asks(check, verdict):
    getattr(lesson_02, check)(...)
    assert re.fullmatch(r"Not attempted yet\. [A-Z].*\?", verdict())
