"""Every check of lesson 03 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import re

import pytest
import torch
from torch.nn.functional import softplus

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


CASES = [
    ("check_gradients", ["both", "D", "G", "error"], "Right. "),
    ("check_gradients", ("both", "D", "G", "error"), "Right. "),
    ("check_gradients", ["G", "D", "G", "error"], "Program 1: nothing stops"),
    ("check_gradients", ["both", "both", "G", "error"], "Program 2: the fakes are detached"),
    ("check_gradients", ["both", "D", "both", "error"], "Program 3: a frozen D lets"),
    ("check_gradients", ["both", "D", "error", "error"], "freezing is not detaching"),
    ("check_gradients", ["both", "D", "G", "G"], "Program 4: D is frozen and G is cut off"),
    ("check_gradients", "both", "list of four"),
    ("check_gradients", ..., "Not attempted yet"),
    ("check_update_discriminator", d_step(), "Right. "),
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
    ("check_update_generator", g_step(), "Right. "),
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
    ("check_turn", turn_right, "Right. "),
    ("check_turn", turn_fresh_for_g, "Right. "),
    ("check_turn", turn_g_every_time, "G moved after every step of D"),
    ("check_turn", turn_same_batch, "same real batch several times"),
    ("check_turn", turn_same_fakes, "same fakes several times"),
    ("check_turn", turn_g_first, "G moved before D"),
    ("check_turn", turn_one_d_too_few, "should be 'DDDG'"),
    ("check_turn", turn_no_result, "Return the batch of fakes"),
    ("check_turn", turn_swapped, "real batch first"),
    ("check_turn", lambda *a: ..., "Not attempted yet"),
    ("check_count_modes", toys.modes_covered, "Right. "),
    ("check_count_modes", modes(nearest_anywhere), "far away from every centre"),
    ("check_count_modes", modes(every_near), "counted for two modes"),
    ("check_count_modes", modes(among_near), "divided by those that are near"),
    ("check_count_modes", modes(square), "a circle, not a square"),
    ("check_count_modes", lambda s, c, std: toys.modes_covered(s, c, std, within=1.0), "3 standard deviations, not one"),
    ("check_count_modes", lambda s, c, std: toys.modes_covered(s, c, std, least=1e-6), "at least 3 % are asked"),
    ("check_count_modes", lambda s, c, std: int((near(s, c, std).sum(dim=0) >= 30).sum()), "a share, not a number"),
    ("check_count_modes", toys.mode_shares, "one number is asked for"),
    ("check_count_modes", lambda *a: ..., "Not attempted yet"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_03, check)(answer)
    assert re.search(says, verdict())
