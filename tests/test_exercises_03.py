"""Every check of lesson 03 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import re

import numpy
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from gan_lessons import toys
from gan_lessons.exercises import lesson_03


def step(optimizer, loss, sign=1):
    optimizer.zero_grad()
    (sign * loss).backward()
    optimizer.step()


def d_loss(discriminator, real, fake, reduce=torch.mean, real_sign=-1, fake_sign=1):
    return reduce(softplus(real_sign * discriminator(real))) + reduce(softplus(fake_sign * discriminator(fake)))


def d_step(detach=True, sign=1, **choices):
    def update_discriminator(discriminator, optimizer, real, fake):
        step(optimizer, d_loss(discriminator, real, fake.detach() if detach else fake, **choices), sign)

    return update_discriminator


def d_without_zero_grad(discriminator, optimizer, real, fake):
    d_loss(discriminator, real, fake.detach()).backward()
    optimizer.step()


def d_without_step(discriminator, optimizer, real, fake):
    d_loss(discriminator, real, fake.detach()).backward()


def d_halved(discriminator, optimizer, real, fake):
    step(optimizer, d_loss(discriminator, real, fake.detach()) / 2)


def d_joint_mean(discriminator, optimizer, real, fake):
    step(optimizer, torch.cat([softplus(-discriminator(real)), softplus(discriminator(fake.detach()))]).mean())


def d_real_only(discriminator, optimizer, real, fake):
    step(optimizer, softplus(-discriminator(real)).mean())


def g_step(loss=lambda logits: softplus(-logits).mean(), freeze=True, thaw=True, detach=False):
    def update_generator(discriminator, optimizer, fake):
        discriminator.requires_grad_(not freeze)
        value = loss(discriminator(fake.detach() if detach else fake))
        if thaw:
            discriminator.requires_grad_(True)
        step(optimizer, value)

    return update_generator


def g_moves_d(discriminator, optimizer, fake):
    step(torch.optim.SGD(discriminator.parameters(), lr=0.1), softplus(-discriminator(fake)).mean())


def g_without_zero_grad(discriminator, optimizer, fake):
    discriminator.requires_grad_(False)
    softplus(-discriminator(fake)).mean().backward()
    discriminator.requires_grad_(True)
    optimizer.step()


def turn_right(k, draw_real, draw_fake, update_discriminator, update_generator):
    for _ in range(k):
        fake = draw_fake()
        update_discriminator(draw_real(), fake)
    update_generator(fake)
    return fake


def turn_fresh_for_g(k, draw_real, draw_fake, update_discriminator, update_generator):
    for _ in range(k):
        update_discriminator(draw_real(), draw_fake())
    fake = draw_fake()
    update_generator(fake)
    return fake


def turn_g_every_time(k, draw_real, draw_fake, update_discriminator, update_generator):
    for _ in range(k):
        fake = turn_right(1, draw_real, draw_fake, update_discriminator, update_generator)
    return fake


def turn_same_batch(k, draw_real, draw_fake, update_discriminator, update_generator):
    real = draw_real()
    return turn_right(k, lambda: real, draw_fake, update_discriminator, update_generator)


def turn_same_fakes(k, draw_real, draw_fake, update_discriminator, update_generator):
    fake = draw_fake()
    return turn_right(k, draw_real, lambda: fake, update_discriminator, update_generator)


def turn_g_first(k, draw_real, draw_fake, update_discriminator, update_generator):
    fake = draw_fake()
    update_generator(fake)
    for _ in range(k):
        update_discriminator(draw_real(), draw_fake())
    return fake


def turn_one_d_too_few(k, *rest):
    return turn_right(k - 1 or 1, *rest)


def turn_no_result(*arguments):
    turn_right(*arguments)


def turn_swapped(k, draw_real, draw_fake, update_discriminator, update_generator):
    return turn_right(k, draw_real, draw_fake, lambda real, fake: update_discriminator(fake, real), update_generator)


def near(samples, centres, std, within=3.0):
    return torch.cdist(samples, centres) <= within * std


def modes(share):
    """A counter of modes from a function that gives each mode's share of the samples."""
    return lambda samples, centres, std: int((share(samples, centres, std) >= 0.03).sum())


def every_near(samples, centres, std):
    return near(samples, centres, std).float().mean(dim=0)


def nearest_anywhere(samples, centres, std):
    return torch.bincount(torch.cdist(samples, centres).argmin(dim=1), minlength=len(centres)) / len(samples)


def among_near(samples, centres, std):
    shares = toys.mode_shares(samples, centres, std)
    return shares / shares.sum()


def square(samples, centres, std):
    return ((samples[:, None] - centres).abs() <= 3 * std).all(dim=2).float().mean(dim=0)


def d_by_torch(discriminator, optimizer, real, fake):
    optimizer.zero_grad()
    logits = discriminator(real), discriminator(fake.detach())
    (
        binary_cross_entropy_with_logits(logits[0], torch.ones_like(logits[0]))
        + binary_cross_entropy_with_logits(logits[1], torch.zeros_like(logits[1]))
    ).backward()
    optimizer.step()


def d_two_backwards(discriminator, optimizer, real, fake):
    optimizer.zero_grad()
    softplus(-discriminator(real)).mean().backward()
    softplus(discriminator(fake.detach_())).mean().backward()
    optimizer.step()
    return 0.0


def d_left_frozen(discriminator, optimizer, real, fake):
    d_step()(discriminator, optimizer, real, fake)
    discriminator.requires_grad_(False)


def d_left_in_eval(discriminator, optimizer, real, fake):
    discriminator.eval()
    d_step()(discriminator, optimizer, real, fake)


def g_left_in_eval(discriminator, optimizer, fake):
    discriminator.eval()
    g_step()(discriminator, optimizer, fake)


def g_by_autograd(discriminator, optimizer, fake):
    parameters = optimizer.param_groups[0]["params"]
    for parameter, gradient in zip(parameters, torch.autograd.grad(softplus(-discriminator(fake)).mean(), parameters)):
        parameter.grad = gradient
    optimizer.step()


def g_and_d_cleaned(discriminator, optimizer, fake):
    g_step(freeze=False)(discriminator, optimizer, fake)
    discriminator.zero_grad()


def d_unfinished(*arguments):
    d_step()(*arguments)
    return ...


def d_twice(*arguments):
    d_step()(*arguments)
    d_step()(*arguments)


def d_step_for_each(discriminator, optimizer, real, fake):
    step(optimizer, softplus(-discriminator(real)).mean())
    step(optimizer, softplus(discriminator(fake.detach())).mean())


def d_step_first(discriminator, optimizer, real, fake):
    optimizer.step()
    optimizer.zero_grad()
    d_loss(discriminator, real, fake.detach()).backward()


def d_zero_grad_late(discriminator, optimizer, real, fake):
    d_loss(discriminator, real, fake.detach()).backward()
    optimizer.zero_grad()
    optimizer.step()


def d_own_optimizer(discriminator, optimizer, real, fake):
    step(torch.optim.Adam(discriminator.parameters()), d_loss(discriminator, real, fake.detach()))


def d_doubled(discriminator, optimizer, real, fake):
    step(optimizer, 2 * d_loss(discriminator, real, fake.detach()))


def d_without_logarithm(discriminator, optimizer, real, fake):
    step(optimizer, discriminator(fake.detach()).mean() - discriminator(real).mean())


def d_answer_detached(discriminator, optimizer, real, fake):
    step(optimizer, softplus(-discriminator(real)).mean() + softplus(discriminator(fake).detach()).mean())


def g_without_grad_inside(discriminator, optimizer, fake):
    with torch.no_grad():
        logits = discriminator(fake)
    step(optimizer, softplus(-logits).mean())


def g_answer_detached(discriminator, optimizer, fake):
    step(optimizer, softplus(-discriminator(fake).detach()).mean())


def g_plain_number(discriminator, optimizer, fake):
    step(optimizer, torch.tensor(softplus(-discriminator(fake)).mean().item(), requires_grad=True))


def g_zero_grad_late(discriminator, optimizer, fake):
    discriminator.requires_grad_(False)
    softplus(-discriminator(fake)).mean().backward()
    discriminator.requires_grad_(True)
    optimizer.zero_grad()
    optimizer.step()


def g_steps_twice(discriminator, optimizer, fake):
    g_step()(discriminator, optimizer, fake)
    optimizer.step()


def counts_of(samples, centres, std):
    nearest, distance = distances(samples, centres).argmin(dim=1), distances(samples, centres).min(dim=1).values
    return torch.bincount(nearest[distance <= 3 * std], minlength=len(centres)).tolist()


def turn_detached(k, draw_real, draw_fake, update_discriminator, update_generator):
    for _ in range(k):
        fake = draw_fake()
        update_discriminator(draw_real(), fake.detach())
    update_generator(fake)
    return fake


def turn_not_called(k, draw_real, draw_fake, update_discriminator, update_generator):
    update_discriminator(draw_real, draw_fake)


def turn_old_result(k, draw_real, draw_fake, update_discriminator, update_generator):
    turn_right(k, draw_real, draw_fake, update_discriminator, update_generator)
    return draw_fake()


def distances(samples, centres):
    return (samples[:, None] - centres).square().sum(-1).sqrt()


def modes_in_a_loop(samples, centres, std):
    counts = [0] * len(centres)
    for row in distances(samples.double(), centres.double()).tolist():
        if min(row) <= 3 * std:
            counts[row.index(min(row))] += 1
    return sum(count >= 0.03 * len(samples) for count in counts)


def modes_within(limit, distance=torch.cdist):
    """A counter of modes for which near is closer than limit(std)."""

    def count(samples, centres, std):
        distance_, nearest = distance(samples, centres).min(dim=1)
        near_ones = nearest[distance_ <= limit(std)]
        return (torch.bincount(near_ones, minlength=len(centres)) / len(samples) >= 0.03).sum()

    return count


def samples_in_place(samples, centres, std):
    samples.sub_(centres[0])
    centres.sub_(centres[0].clone())
    return modes_in_a_loop(samples, centres, std)


CASES = [
    ("check_gradients", ["both", "D", "G", "error"], "Right. "),
    ("check_gradients", ("both", "D", "G", "error"), "Right. "),
    ("check_gradients", ["Both", " d", "G ", "ERROR"], "Right. "),
    ("check_gradients", numpy.array(["both", "D", "G", "error"]), "Right. "),
    ("check_gradients", ["bth", "D", "G", "error"], "'bth' is none of the words"),
    ("check_gradients", [1, "D", "G", "error"], "not the int 1"),
    ("check_gradients", {"both", "D", "G", "error"}, "not with a set of 4"),
    ("check_gradients", ["G", "D", "G", "error"], "Program 1: nothing stops"),
    ("check_gradients", ["both", "both", "G", "error"], "Program 2: the fakes are detached"),
    ("check_gradients", ["both", "D", "both", "error"], "Program 3: a frozen D lets"),
    ("check_gradients", ["both", "D", "error", "error"], "freezing is not detaching"),
    ("check_gradients", ["both", "D", "G", "G"], "Program 4: D is frozen and G is cut off"),
    ("check_gradients", "both", "list of four"),
    ("check_gradients", ["both", ..., "G", ...], "named so far is right. Still without an answer: 2, 4."),
    ("check_gradients", ["both", ..., "both", ...], "Program 3: a frozen D lets"),
    (
        "check_gradients",
        ["both", "D", "D", "error"],
        "Program 3: a frozen D lets the walk pass through, but keeps no gradients itself",
    ),
    ("check_gradients", [...] * 4, "^Not attempted yet"),
    ("check_gradients", ..., "Not attempted yet"),
    ("check_update_discriminator", d_step(), "Right. "),
    ("check_update_discriminator", d_by_torch, "Right. "),
    ("check_update_discriminator", d_two_backwards, "Right. "),
    ("check_update_discriminator", d_left_frozen, "still frozen"),
    ("check_update_discriminator", d_left_in_eval, "eval mode"),
    ("check_update_discriminator", lambda *a: None, "optimizer that is handed in"),
    ("check_update_discriminator", d_step(detach=False), "leaked into G: detach was forgotten"),
    ("check_update_discriminator", d_step(sign=-1), "sign is flipped"),
    ("check_update_discriminator", d_step(real_sign=1, fake_sign=-1), "labels are exchanged"),
    ("check_update_discriminator", d_step(fake_sign=-1), "fakes carry the label 1"),
    ("check_update_discriminator", d_step(reduce=torch.sum), "summed over the batch"),
    ("check_update_discriminator", d_halved, "do not halve"),
    ("check_update_discriminator", d_joint_mean, "one mean over reals and fakes together"),
    ("check_update_discriminator", d_real_only, "loss of the fakes is missing"),
    ("check_update_discriminator", d_without_zero_grad, "Old gradients"),
    ("check_update_discriminator", d_without_step, "D has not moved"),
    ("check_update_discriminator", lambda *a: ..., "Not attempted yet"),
    ("check_update_discriminator", d_unfinished, "still ends with `return ...`: take that line out"),
    ("check_update_discriminator", d_twice, "One step is asked for, and the optimizer took 2"),
    ("check_update_discriminator", d_step_for_each, "One step is asked for, and the optimizer took 2"),
    ("check_update_discriminator", d_step_first, "The step followed the old gradients alone"),
    ("check_update_discriminator", d_zero_grad_late, "no gradient when the step was taken. The order is"),
    ("check_update_discriminator", d_own_optimizer, "not by the optimizer that is handed in"),
    ("check_update_discriminator", d_doubled, "twice as long as it should be"),
    ("check_update_discriminator", d_without_logarithm, "Without a logarithm"),
    ("check_update_discriminator", d_answer_detached, "D's answer to them was detached"),
    ("check_update_discriminator", torch.no_grad()(d_step()), "detached, frozen, or computed under torch.no_grad"),
    ("check_update_generator", g_step(), "Right. "),
    ("check_update_generator", g_by_autograd, "Right. "),
    ("check_update_generator", g_and_d_cleaned, "Right. "),
    ("check_update_generator", g_left_in_eval, "eval mode"),
    ("check_update_generator", lambda *a: None, "optimizer that is handed in"),
    ("check_update_generator", g_step(loss=lambda a: -softplus(a).mean()), "minimax loss"),
    ("check_update_generator", g_step(loss=lambda a: softplus(a).mean()), "G's label is 1"),
    ("check_update_generator", g_step(loss=lambda a: -softplus(-a).mean()), "sign is flipped"),
    ("check_update_generator", g_step(loss=lambda a: softplus(-a).sum()), "summed over the batch"),
    ("check_update_generator", g_step(loss=lambda a: -a.mean()), "Without a logarithm"),
    ("check_update_generator", g_step(freeze=False), "leaked into D"),
    ("check_update_generator", g_step(thaw=False), "still frozen"),
    ("check_update_generator", g_step(detach=True), "detached, so the gradient cannot reach G"),
    ("check_update_generator", g_step(detach=True, freeze=False), "detached, so the gradient cannot reach G"),
    ("check_update_generator", g_moves_d, "D's weights have changed"),
    ("check_update_generator", g_without_zero_grad, "Old gradients"),
    ("check_update_generator", lambda *a: ..., "Not attempted yet"),
    ("check_update_generator", torch.no_grad()(g_step()), "D was asked under torch.no_grad"),
    ("check_update_generator", g_without_grad_inside, "D was asked under torch.no_grad"),
    ("check_update_generator", g_answer_detached, "no longer hangs on D's answer"),
    ("check_update_generator", g_plain_number, "no gradient when the step was taken. The order is .* without .item"),
    ("check_update_generator", g_zero_grad_late, "no gradient when the step was taken. The order is"),
    ("check_update_generator", g_steps_twice, "One step is asked for, and the optimizer took 2"),
    ("check_update_generator", g_step(loss=lambda a: 2 * softplus(-a).mean()), "twice as long as it should be"),
    ("check_turn", turn_right, "Right. "),
    ("check_turn", turn_fresh_for_g, "Right. "),
    ("check_turn", turn_g_every_time, "G moved after every step of D"),
    ("check_turn", turn_same_batch, "same real batch several times"),
    ("check_turn", turn_same_fakes, "same fakes several times"),
    ("check_turn", turn_g_first, "G moved before D"),
    ("check_turn", turn_one_d_too_few, "should be 'DDDG'"),
    ("check_turn", turn_detached, "Right. "),
    ("check_turn", turn_no_result, "is there a `return`"),
    ("check_turn", turn_old_result, "You return another batch than the one that G answered with"),
    ("check_turn", lambda k, draw_real, draw_fake, d, g: d(draw_real()), "update_discriminator.. missing 1 required .* 'fake'"),
    ("check_turn", turn_not_called, "given a function in place of a batch"),
    ("check_turn", turn_swapped, "real batch first"),
    ("check_turn", lambda *a: ..., "Not attempted yet"),
    ("check_count_modes", toys.modes_covered, "Right. "),
    ("check_count_modes", modes_in_a_loop, "Right. "),
    ("check_count_modes", modes_within(lambda std: 3 * std), "Right. "),
    ("check_count_modes", modes_within(lambda std: 3 * std, distances), "Right. "),
    ("check_count_modes", samples_in_place, "Right. "),
    ("check_count_modes", modes_within(lambda std: 3 * std, lambda s, c: torch.cdist(s, c).square()), "4 standard deviations"),
    ("check_count_modes", modes_within(lambda std: 0.45), "4 standard deviations"),
    ("check_count_modes", modes_within(lambda std: 0.3), "whatever std is"),
    ("check_count_modes", modes_within(lambda std: 3 * std, lambda s, c: torch.cdist(s, c, p=1)), "not the sum"),
    ("check_count_modes", lambda s, c, std: len(c), "without a sample"),
    ("check_count_modes", lambda s, c, std: near(s, c, std).any(dim=1).sum(), "samples that are near"),
    ("check_count_modes", lambda s, c, std: 0, "Centres lie at .* 50 at .* you found 0"),
    ("check_count_modes", lambda s, c, std: (modes_in_a_loop(s, c, std),), "tuple of one"),
    ("check_count_modes", modes(nearest_anywhere), "far away from every centre"),
    ("check_count_modes", modes(every_near), "counted for two modes"),
    ("check_count_modes", modes(among_near), "divided by those that are near"),
    ("check_count_modes", modes(square), "a circle, not a square"),
    (
        "check_count_modes",
        lambda s, c, std: toys.modes_covered(s, c, std, within=1.0),
        "2.9 standard deviations away .* the limit is a distance of 3 · std",
    ),
    ("check_count_modes", lambda s, c, std: toys.modes_covered(s, c, std, within=2.0), "the limit is a distance of 3 · std"),
    ("check_count_modes", lambda s, c, std: toys.modes_covered(s, c, std, within=2.5), "the limit is a distance of 3 · std"),
    (
        "check_count_modes",
        lambda s, c, std: toys.modes_covered(s, c, std, least=0.1),
        "5 %, was refused: at least 3 % .* share of 0.03",
    ),
    (
        "check_count_modes",
        lambda s, c, std: toys.modes_covered(s, c, std, least=0.3),
        "5 %, was refused: at least 3 % .* share of 0.03",
    ),
    ("check_count_modes", lambda s, c, std: toys.modes_covered(s, c, std, least=0.05), "3 samples of 100 was refused"),
    ("check_count_modes", lambda s, c, std: (toys.mode_shares(s, c, std) > 0.03).sum(), "3 samples of 100 was refused"),
    (
        "check_count_modes",
        lambda s, c, std: sum(each > 0.03 * len(s) for each in counts_of(s, c, std)),
        "3 samples of 100 was refused",
    ),
    ("check_count_modes", lambda s, c, std: (toys.mode_shares(s, c, std) >= 0.03).sum(), "Right. "),
    ("check_count_modes", lambda s, c, std: sum(each >= 0.03 for each in toys.mode_shares(s, c, std).tolist()), "Right. "),
    ("check_count_modes", lambda s, c, std: (toys.mode_shares(s, c, std).numpy() >= 0.03).sum(), "Right. "),
    ("check_count_modes", lambda s, c, std: sum(each / len(s) >= 0.03 for each in counts_of(s, c, std)), "Right. "),
    ("check_count_modes", lambda s, c, std: toys.modes_covered(s, c, std, least=1e-6), "at least 3 % are asked"),
    (
        "check_count_modes",
        lambda s, c, std: int((near(s, c, std).sum(dim=0) >= 30).sum()),
        "a share of 0.03, not a number of samples",
    ),
    ("check_count_modes", toys.mode_shares, "How many modes are covered"),
    ("check_count_modes", lambda *a: ..., "Not attempted yet"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_03, check)(answer)
    assert re.search(says, verdict())


CHECKS = ["check_gradients", "check_update_discriminator", "check_update_generator", "check_turn", "check_count_modes"]


@pytest.mark.parametrize("check", CHECKS)
def test_the_untouched_exercise_asks(check, verdict):
    getattr(lesson_03, check)(...)
    assert re.fullmatch(r"Not attempted yet\. [A-Z].*\?", verdict())
