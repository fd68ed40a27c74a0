"""Every check of lesson 02 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import math
import re

import numpy
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, softplus

from gan_lessons.exercises import lesson_02


def through_torch(real, fake):
    return binary_cross_entropy_with_logits(real, torch.ones_like(real)) + binary_cross_entropy_with_logits(
        fake, torch.zeros_like(fake)
    )


def broken_loss(real, fake):
    """The lesson's."""
    return (1 - real.sigmoid()).log().mean() + fake.sigmoid().log().mean()


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


def d_loss(a, b):
    return softplus(-a).mean() + softplus(b).mean()


def d_loss_in_place(a, b):
    return softplus(a.neg_()).mean() + softplus(b).mean()


def best(r, f, share, label):
    total = share * r + (1 - share) * f
    if total == 0:
        return 0.5
    return label * share * r / total


def by_sorting(real, fake):
    return (real.sort().values - fake.sort().values).abs().mean()


def by_areas(real, fake):
    """The area between the two stairs of shares."""
    places = torch.cat([real, fake]).sort().values
    stairs = [(each[:, None] <= places[:-1]).float().mean(0) for each in (real, fake)]
    return ((stairs[0] - stairs[1]).abs() * places.diff()).sum()


def from_bag(bag):
    return lambda n: bag[torch.randint(len(bag), (n,))]


def trained(real, fake, steps=400, batch=256):
    """The lesson's train_critic."""
    critic = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(critic.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=steps)
    for _ in range(steps):
        loss = d_loss(critic(from_bag(real)(batch)), critic(from_bag(fake)(batch)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return critic


@torch.no_grad()
def judged(critic, real, fake):
    return (math.log(4) - d_loss(critic(real), critic(fake))) / 2


def held_out(real, fake):
    half = len(real) // 2
    return judged(trained(real[:half], fake[:half]), real[half:], fake[half:])


def held_out_by_parity(real, fake):
    return judged(trained(real[::2], fake[::2]), real[1::2], fake[1::2])


def safe_but_by_heart(real, fake):
    return judged(trained(real, fake), real, fake)


def log_truths(critic, real, fake):
    return torch.cat([-softplus(-critic(real)), -softplus(critic(fake))])


def broken(real, fake):
    """The lesson's broken_js."""
    return (log_truths(trained(real, fake), real, fake).mean() + math.log(4)) / 2


def held_out_but_mixed(real, fake):
    half = len(real) // 2
    return (log_truths(trained(real[:half], fake[:half]), real[half:], fake[half:]).mean() + math.log(4)) / 2


def logits(real, fake):
    return trained(real, fake)(fake).detach()


def ratio(real, fake):
    return logits(real, fake).exp()


def from_d(real, fake):
    d = logits(real, fake).double().sigmoid()
    return d / (1 - d)


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
    ("check_discriminator_loss", broken_loss, "hardest where D is right already"),
    ("check_discriminator_loss", lambda a, b: -softplus(a).mean() - softplus(-b).mean(), "That is the broken loss"),
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
    ("check_best_discriminator", best, "^Right. Where no fake falls"),
    ("check_best_discriminator", lambda r, f, s, t: best(float(r), float(f), s, t), "^Right."),
    ("check_best_discriminator", lambda r, f, s, t: t / (1 + (1 - s) * f.double() / (s * r)), "^Right."),
    ("check_best_discriminator", lambda r, f, s, t: r / (r + f), "Neither change"),
    ("check_best_discriminator", lambda r, f, s, t: t * r / (r + f), "share makes no difference"),
    ("check_best_discriminator", lambda r, f, s, t: s * r / (s * r + (1 - s) * f), "label makes no difference"),
    ("check_best_discriminator", lambda r, f, s, t: best(r, f, 1 - s, t), "shares are swapped"),
    ("check_best_discriminator", lambda r, f, s, t: 1 - best(r, f, s, t), "probability of a fake"),
    ("check_best_discriminator", lambda r, f, s, t: t * s * r / (s * r + f), "lost their weight"),
    ("check_best_discriminator", lambda r, f, s, t: t * s * r / (r + f), "below the line too"),
    ("check_best_discriminator", lambda r, f, s, t: t * s * r / (t * s * r + (1 - s) * f), "may not get lost below the line"),
    (
        "check_best_discriminator",
        lambda r, f, s, t: (t * s * r + (1 - t) * (1 - s) * f) / (s * r + (1 - s) * f),
        "They keep label 0",
    ),
    ("check_best_discriminator", lambda r, f, s, t: 0.9 * s * r / (s * r + (1 - s) * f), "share 0.3 and label 0.7 it should be"),
    ("check_best_discriminator", lambda r, f, s, t: (best(r, f, s, t),), "tuple of one"),
    ("check_best_discriminator", lambda r, f, s, t: t, "it should be"),
    ("check_best_discriminator", lambda r, f, s, t: ..., "^Not attempted yet"),
    ("check_wasserstein", by_sorting, "^Right. Now look at its slope"),
    ("check_wasserstein", by_areas, "^Right."),
    ("check_wasserstein", lambda a, b: (torch.sort(b)[0] - torch.sort(a)[0]).abs().sum() / len(a), "^Right."),
    ("check_wasserstein", lambda a, b: (a - b).abs().mean(), "sort first"),
    ("check_wasserstein", lambda a, b: (a.sort().values - b).abs().mean(), "Only one of the two bags"),
    ("check_wasserstein", lambda a, b: (a - b.sort().values).abs().mean(), "Only one of the two bags"),
    ("check_wasserstein", lambda a, b: (a[:, None] - b).abs().mean(), "mean over all pairs"),
    ("check_wasserstein", lambda a, b: (a.mean() - b.mean()).abs(), "distance of the two means"),
    ("check_wasserstein", lambda a, b: (b.sort().values - a.sort().values).mean(), "a way has no sign"),
    ("check_wasserstein", lambda a, b: (a - b).mean(), "A way has no sign"),
    ("check_wasserstein", lambda a, b: len(a) * by_sorting(a, b), "You added up the ways"),
    ("check_wasserstein", lambda a, b: (a.sort().values - b.sort().values).square().mean(), "You squared the ways"),
    ("check_wasserstein", lambda a, b: (a.sort().values - b.sort().values).square().mean().sqrt(), "root of the mean square"),
    ("check_wasserstein", lambda a, b: (a[:, None] - b).abs().min(dim=0).values.mean(), "nearest real"),
    ("check_wasserstein", lambda a, b: (a[:, None] - b).abs().min(dim=1).values.mean(), "nearest fake"),
    ("check_wasserstein", lambda a, b: by_sorting(a, b).item(), "without a history"),
    ("check_wasserstein", lambda a, b: by_sorting(a, b.detach()) + 0 * b.sum(), "nothing may be detached"),
    ("check_wasserstein", lambda a, b: (a.sort().values - b.sort().values).abs(), "One number is expected"),
    ("check_wasserstein", lambda a, b: by_sorting(a, b).clamp(max=20), "it should be 50, not 20"),
    ("check_wasserstein", lambda a, b: torch.tensor(1.0), "it should be"),
    ("check_wasserstein", lambda a, b: ..., "^Not attempted yet"),
    ("check_measured_js", held_out, "^Right. It says 0.3"),
    ("check_measured_js", lambda a, b: max(0.0, held_out(a, b).item()), "^Right."),
    ("check_measured_js", held_out_by_parity, "^Right."),
    ("check_measured_js", broken, "one mean over reals and fakes together is half of V"),
    ("check_measured_js", held_out_but_mixed, "one mean over reals and fakes together is half of V"),
    ("check_measured_js", safe_but_by_heart, "learned by heart"),
    ("check_measured_js", lambda a, b: 2 * held_out(a, b) - math.log(4), "that is V"),
    ("check_measured_js", lambda a, b: 2 * held_out(a, b), "that is 2·JS"),
    ("check_measured_js", lambda a, b: 0.0, "log 2, it says 0.000"),
    ("check_measured_js", lambda a, b: math.log(2) if (a.mean() - b.mean()).abs() > 1 else 0.0, "about 0.337"),
    ("check_measured_js", lambda a, b: ..., "^Not attempted yet"),
    ("check_weights", ratio, "^Right. At most"),
    ("check_weights", lambda a, b: ratio(a, b)[:, 0].numpy(), "^Right."),
    ("check_weights", from_d, "^Right."),
    ("check_weights", lambda a, b: logits(a, b).sigmoid(), "D itself is a share"),
    ("check_weights", lambda a, b: ratio(a, b) ** 2, "a ratio is taken once"),
    ("check_weights", lambda a, b: 1 / ratio(a, b), "upside down"),
    ("check_weights", lambda a, b: torch.ones(len(b)), "about as many as with equal weights"),
    ("check_weights", lambda a, b: logits(a, b), "A logit is no weight"),
    ("check_weights", lambda a, b: ratio(a, b)[:10], "A weight for each of the 4000 fakes"),
    ("check_weights", lambda a, b: ..., "^Not attempted yet"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_02, check)(answer)
    assert re.search(says, verdict())


def test_an_answer_that_overwrites_the_logits_spoils_no_later_one(verdict):
    lesson_02.check_discriminator_loss(lambda a, b: a.zero_().sum() + b.zero_().sum())
    lesson_02.check_discriminator_loss(d_loss)
    assert verdict().count("Right.") == 1


CHECKS = ["check_discriminator_loss", "check_best_discriminator", "check_wasserstein", "check_measured_js", "check_weights"]


@pytest.mark.parametrize("check", CHECKS)
def test_the_untouched_exercise_asks(check, verdict):
    getattr(lesson_02, check)(...)
    assert re.fullmatch(r"Not attempted yet\. [A-Z].*\?", verdict())
