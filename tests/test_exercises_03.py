"""Every check of lesson 03 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import math
import re

import numpy
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, softplus
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

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


def turn(d=None, g=None):
    """One turn out of D's step and G's."""

    def one_turn(generator, discriminator, generator_optimizer, discriminator_optimizer, real, z):
        fake = generator(z)
        (d or d_step())(discriminator, discriminator_optimizer, real, fake)
        (g or g_step())(discriminator, generator_optimizer, fake)

    return one_turn


def turn_as_in_the_lesson(generator, discriminator, generator_optimizer, discriminator_optimizer, real, z):
    fake = generator(z)
    loss = softplus(-discriminator(real)).mean() + softplus(discriminator(fake.detach())).mean()
    discriminator_optimizer.zero_grad()
    loss.backward()
    discriminator_optimizer.step()
    discriminator.requires_grad_(False)
    loss = softplus(-discriminator(fake)).mean()
    discriminator.requires_grad_(True)
    generator_optimizer.zero_grad()
    loss.backward()
    generator_optimizer.step()


def turn_with_inputs(generator, discriminator, generator_optimizer, discriminator_optimizer, real, z):
    for optimizer in (generator_optimizer, discriminator_optimizer):
        optimizer.zero_grad()
    with torch.no_grad():
        fake = generator(z)
    d_loss(discriminator, real, fake).backward()
    discriminator_optimizer.step()
    softplus(-discriminator(generator(z))).mean().backward(inputs=list(generator.parameters()))
    generator_optimizer.step()


def turn_g_first(generator, discriminator, generator_optimizer, discriminator_optimizer, real, z):
    g_step()(discriminator, generator_optimizer, generator(z))
    d_step()(discriminator, discriminator_optimizer, real, generator(z))


def turn_old_d(generator, discriminator, generator_optimizer, discriminator_optimizer, real, z):
    fake = generator(z)
    parameters = list(generator.parameters())
    gradients = torch.autograd.grad(softplus(-discriminator(fake)).mean(), parameters)
    d_step()(discriminator, discriminator_optimizer, real, fake)
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = gradient
    generator_optimizer.step()


def turn_leaking_into_g(generator, discriminator, generator_optimizer, discriminator_optimizer, real, z):
    d_step(detach=False)(discriminator, discriminator_optimizer, real, generator(z))
    g_step()(discriminator, generator_optimizer, generator(z))


def turn_swapped(generator, discriminator, generator_optimizer, discriminator_optimizer, real, z):
    turn()(generator, discriminator, discriminator_optimizer, generator_optimizer, real, z)


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
    softplus(discriminator(fake.detach())).mean().backward()
    optimizer.step()
    return 0.0


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


def turn_unfinished(*arguments):
    turn_as_in_the_lesson(*arguments)
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


def optimistic(theta, psi, theta_before, psi_before, eta):
    return theta + eta * (2 * psi - psi_before), psi - eta * (2 * theta - theta_before)


def in_sequence(theta, psi, theta_before, psi_before, eta):
    new_theta = theta + eta * (2 * psi - psi_before)
    return new_theta, psi - eta * (2 * new_theta - theta)


def d_first(theta, psi, theta_before, psi_before, eta):
    new_psi = psi - eta * (2 * theta - theta_before)
    return theta + eta * (2 * new_psi - psi), new_psi


def adams(g, d):
    return [torch.optim.Adam(player.parameters(), lr, (0.0, 0.99)) for player, lr in ((g, 1e-3), (d, 5e-3))]


def loop(freeze=False, zero_first=True, turns=None):
    """A right loop; without freezing it leaks unless each zero_grad comes first."""

    def play(g, d, draw_real, draw_z, asked):
        optimizers = adams(g, d)
        for _ in range(turns or asked):
            fake = g(draw_z())
            for player, optimizer in zip("DG", reversed(optimizers)):
                d.requires_grad_(player == "D" or not freeze)
                loss = d_loss(d, draw_real(), fake.detach()) if player == "D" else softplus(-d(fake)).mean()
                d.requires_grad_(True)
                if zero_first:
                    optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if not zero_first:
                    optimizer.zero_grad()

    return play


def loop_a(g, d, draw_real, draw_z, turns):
    g_optimizer, d_optimizer = adams(g, d)
    for _ in range(turns):
        fake = g(draw_z()).detach()
        step(d_optimizer, d_loss(d, draw_real(), fake))
        step(g_optimizer, softplus(-d(fake)).mean())


def one_optimizer(mended):
    """Loop B: one optimizer over both players, in which only freezing keeps D still in G's step."""

    def play(g, d, draw_real, draw_z, turns):
        optimizer = torch.optim.Adam([*g.parameters(), *d.parameters()], 2e-3, (0.0, 0.99))
        for _ in range(turns):
            fake = g(draw_z())
            step(optimizer, d_loss(d, draw_real(), fake.detach()))
            d.requires_grad_(not mended)
            loss = softplus(-d(fake)).mean()
            d.requires_grad_(True)
            step(optimizer, loss)

    return play


def loop_c(g, d, draw_real, draw_z, turns):
    g_optimizer, d_optimizer = adams(g, d)
    for _ in range(turns):
        fake = g(draw_z())
        step(d_optimizer, d_loss(d, draw_real(), fake.detach()))
        d_optimizer.zero_grad()
        softplus(-d(fake)).mean().backward()
        g_optimizer.step()


def small_network(inputs, outputs):
    hidden = torch.nn.Linear(inputs, 64), torch.nn.LeakyReLU(0.2), torch.nn.Linear(64, 64), torch.nn.LeakyReLU(0.2)
    return torch.nn.Sequential(*hidden, torch.nn.Linear(64, outputs)).to(toys.runtime.device())


def play_ring(draw_real, turns, averaged=False):
    """The lesson's game on the ring, with both rates at 0.3 of what they were in the last fifth; the last G, or the averaged one."""
    g, d = small_network(2, 2), small_network(2, 1)
    g_optimizer, d_optimizer = (torch.optim.Adam(player.parameters(), 2e-3, (0.5, 0.99)) for player in (g, d))
    average = AveragedModel(g, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    for turn in range(turns):
        for optimizer in (g_optimizer, d_optimizer):
            optimizer.param_groups[0]["lr"] = 2e-3 if turn < 0.8 * turns else 6e-4
        real = draw_real()
        fake = g(torch.randn_like(real))
        step(d_optimizer, d_loss(d, real, fake.detach()))
        step(g_optimizer, softplus(-d(fake)).mean())
        average.update_parameters(g)
    return average.module if averaged else g


class NearestCentre(torch.nn.Module):
    """Eight single points, one on each centre: 8 of 8 modes and 100 %."""

    def forward(self, z):
        sector = (torch.atan2(z[:, 1], z[:, 0]) / (2 * torch.pi)).mul(8).round().long() % 8
        return toys.ring_centres()[sector]


def eight_points(draw_real):
    draw_real()
    return NearestCentre()


def untrained(draw_real):
    draw_real()
    return small_network(2, 2)


def greedy(draw_real):
    return [draw_real() for _ in range(3000)]


def memorised(draw_real):
    points = torch.cat([draw_real() for _ in range(32)])

    class Memory(torch.nn.Module):
        def forward(self, z):
            return points[: len(z)]

    return Memory()


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
    ("check_gradients", ["both", "D", "both", "error"], "Program 3: D was called before it was frozen"),
    ("check_gradients", ["both", "D", "error", "error"], "freezing is not detaching"),
    ("check_gradients", ["both", "D", "G", "G"], "Program 4: D is frozen and G is cut off"),
    ("check_gradients", "both", "list of four"),
    ("check_gradients", ["both", ..., "G", ...], "named so far is right. Still without an answer: 2, 4."),
    ("check_gradients", ["both", ..., "both", ...], "Program 3: D was called before it was frozen"),
    ("check_gradients", ["both", "D", "D", "error"], "Program 3: .* torch asks once more when the walk arrives"),
    ("check_gradients", [...] * 4, "^Not attempted yet"),
    ("check_gradients", ..., "Not attempted yet"),
    ("check_one_turn", turn(d=d_step()), "Right. "),
    ("check_one_turn", turn(d=d_by_torch), "Right. "),
    ("check_one_turn", turn(d=d_two_backwards), "Right. "),
    ("check_one_turn", turn(d=d_left_in_eval), "eval mode"),
    ("check_one_turn", turn(d=lambda *a: None), "optimizer that is handed in"),
    ("check_one_turn", turn(d=d_step(detach=False)), "leaked into G: detach was forgotten"),
    ("check_one_turn", turn(d=d_step(sign=-1)), "sign is flipped"),
    ("check_one_turn", turn(d=d_step(real_sign=1, fake_sign=-1)), "labels are exchanged"),
    ("check_one_turn", turn(d=d_step(fake_sign=-1)), "fakes carry the label 1"),
    ("check_one_turn", turn(d=d_step(reduce=torch.sum)), "summed over the batch"),
    ("check_one_turn", turn(d=d_halved), "do not halve"),
    ("check_one_turn", turn(d=d_joint_mean), "one mean over reals and fakes together"),
    ("check_one_turn", turn(d=d_real_only), "loss of the fakes is missing"),
    ("check_one_turn", turn(d=d_without_zero_grad), "Old gradients"),
    ("check_one_turn", turn(d=d_without_step), "D has not moved"),
    ("check_one_turn", turn_unfinished, "still ends with `return ...`: take that line out"),
    ("check_one_turn", turn(d=d_twice), "One step is asked for, and the optimizer took 2"),
    ("check_one_turn", turn(d=d_step_for_each), "One step is asked for, and the optimizer took 2"),
    ("check_one_turn", turn(d=d_step_first), "The step followed the old gradients alone"),
    ("check_one_turn", turn(d=d_zero_grad_late), "no gradient when the step was taken. The order is"),
    ("check_one_turn", turn(d=d_own_optimizer), "not by the optimizer that is handed in"),
    ("check_one_turn", turn(d=d_doubled), "twice as long as it should be"),
    ("check_one_turn", turn(d=d_without_logarithm), "Without a logarithm"),
    ("check_one_turn", turn(d=d_answer_detached), "D's answer to them was detached"),
    ("check_one_turn", turn(d=torch.no_grad()(d_step())), "detached, frozen, or computed under torch.no_grad"),
    ("check_one_turn", turn(g=g_step()), "Right. "),
    ("check_one_turn", turn(g=g_by_autograd), "Right. "),
    ("check_one_turn", turn(g=g_and_d_cleaned), "Right. "),
    ("check_one_turn", turn(g=g_left_in_eval), "eval mode"),
    ("check_one_turn", turn(g=lambda *a: None), "optimizer that is handed in"),
    ("check_one_turn", turn(g=g_step(loss=lambda a: -softplus(a).mean())), "minimax loss"),
    ("check_one_turn", turn(g=g_step(loss=lambda a: softplus(a).mean())), "G's label is 1"),
    ("check_one_turn", turn(g=g_step(loss=lambda a: -softplus(-a).mean())), "sign is flipped"),
    ("check_one_turn", turn(g=g_step(loss=lambda a: softplus(-a).sum())), "summed over the batch"),
    ("check_one_turn", turn(g=g_step(loss=lambda a: -a.mean())), "Without a logarithm"),
    ("check_one_turn", turn(g=g_step(freeze=False)), "leaked into D"),
    ("check_one_turn", turn(g=g_step(thaw=False)), "still frozen"),
    ("check_one_turn", turn(g=g_step(detach=True)), "detached, so the gradient cannot reach G"),
    ("check_one_turn", turn(g=g_step(detach=True, freeze=False)), "detached, so the gradient cannot reach G"),
    ("check_one_turn", turn(g=g_moves_d), "D's weights have changed"),
    ("check_one_turn", turn(g=g_without_zero_grad), "Old gradients"),
    ("check_one_turn", turn(g=torch.no_grad()(g_step())), "D was asked under torch.no_grad"),
    ("check_one_turn", turn(g=g_without_grad_inside), "D was asked under torch.no_grad"),
    ("check_one_turn", turn(g=g_answer_detached), "no longer hangs on D's answer"),
    ("check_one_turn", turn(g=g_plain_number), "no gradient when the step was taken. The order is .* without .item"),
    ("check_one_turn", turn(g=g_zero_grad_late), "no gradient when the step was taken. The order is"),
    ("check_one_turn", turn(g=g_steps_twice), "One step is asked for, and the optimizer took 2"),
    ("check_one_turn", turn(g=g_step(loss=lambda a: 2 * softplus(-a).mean())), "twice as long as it should be"),
    ("check_one_turn", turn_as_in_the_lesson, "Right. D has learned"),
    ("check_one_turn", turn_with_inputs, "Right. "),
    ("check_one_turn", turn_g_first, "G moved before D"),
    ("check_one_turn", turn_old_d, "G answered the D of before"),
    ("check_one_turn", turn_leaking_into_g, "leaked into G: detach was forgotten"),
    ("check_one_turn", turn_swapped, "G moved before D"),
    ("check_one_turn", lambda *a: ..., "Not attempted yet"),
    ("check_optimistic", optimistic, "^Right. From .* distance 0.00"),
    ("check_optimistic", lambda t, p, u, v, eta: (t + eta * p, p - eta * t), "step at once"),
    ("check_optimistic", lambda t, p, u, v, eta: (t + eta * (p + v) / 2, p - eta * (t + u) / 2), "looks ahead"),
    ("check_optimistic", lambda t, p, u, v, eta: (t - eta * (2 * p - v), p - eta * (2 * t - u)), "Both players climb"),
    ("check_optimistic", lambda t, p, u, v, eta: (t + eta * (2 * p - v), p + eta * (2 * t - u)), "Both players descend"),
    ("check_optimistic", lambda t, p, u, v, eta: (t - eta * (2 * p - v), p + eta * (2 * t - u)), "swapped roles"),
    ("check_optimistic", lambda t, p, u, v, eta: (t + eta * (2 * t - u), p - eta * (2 * p - v)), "other's number"),
    (
        "check_optimistic",
        lambda t, p, u, v, eta: (2 * t - u + eta * (2 * p - v), 2 * p - v - eta * (2 * t - u)),
        "start from where",
    ),
    ("check_optimistic", lambda *all: list(optimistic(*all)), "^Right."),
    ("check_optimistic", lambda *all: torch.tensor(optimistic(*all), dtype=torch.float64), "^Right."),
    ("check_optimistic", lambda *all: numpy.array(optimistic(*all)), "^Right."),
    ("check_optimistic", lambda t, p, u, v, eta: (t + eta * (p - eta * t), p - eta * t), "the players take turns"),
    ("check_optimistic", lambda t, p, u, v, eta: (t + eta * (2 * p - v), ...), "One number is expected, not `...`"),
    ("check_optimistic", in_sequence, "ψ must use the old θ"),
    ("check_optimistic", d_first, "θ must use the old ψ"),
    ("check_optimistic", lambda *all: optimistic(*all)[::-1], "new ψ comes first"),
    ("check_optimistic", lambda *all: optimistic(*all[:4], 0.1), "With eta = 0.25"),
    ("check_optimistic", lambda *all: optimistic(*all)[0], "not the float"),
    ("check_optimistic", lambda *all: (*optimistic(*all), 0.1), "not a tuple of 3"),
    ("check_optimistic", lambda t, p, u, v, eta: (t, p), "it should go to"),
    ("check_optimistic", lambda t, p, u, v, eta: ..., "^Not attempted yet"),
    ("check_mended", [loop()] * 3, "^Right."),
    ("check_mended", (loop(freeze=True), loop(zero_first=False, freeze=True), one_optimizer(mended=True)), "^Right."),
    ("check_mended", [loop_a, ..., ...], "Loop A: after 400 turns G has not moved"),
    ("check_mended", [loop(), one_optimizer(mended=False), ...], "Loop B: D says 0.6. .* about two thirds"),
    ("check_mended", [loop(), ..., loop_c], "Loop C: in the last 200 turns the mean"),
    ("check_mended", [..., ..., loop(zero_first=False)], "Loop C: D says 0.6. .* about two thirds"),
    ("check_mended", [loop(), ..., loop()], "mended. Still missing: B"),
    ("check_mended", [loop(turns=100), ..., ...], "Loop A drew 100 real batches"),
    ("check_mended", [loop(), loop(), 3], "Loop C is the int 3"),
    ("check_mended", loop(), "list of the three loops"),
    ("check_mended", [...] * 3, "Not attempted yet"),
    ("check_train", lambda draw_real: torch.nn.Linear(2, 2), "never called"),
    ("check_train", untrained, "0 of 8 modes covered, .* after 1 real batches; .* more turns are allowed"),
    ("check_train", lambda draw_real: draw_real(), "a network, not a tensor"),
    ("check_train", lambda draw_real: torch.nn.Linear(2, 1), "not 4000×2 points"),
    ("check_train", greedy, "more than 2500 times"),
    ("check_train", memorised, "each point must come from its own z"),
    (
        "check_train",
        lambda draw_real: play_ring(draw_real, 300),
        "of 8 modes covered, .* after 300 real batches; at least 7, 70% and 0.58 σ are asked for: more turns are allowed",
    ),
    ("check_train", eight_points, "8 of 8 modes covered, 100% .* 0.00 σ, .* The points sit too close to the centres"),
    ("check_train", lambda draw_real: ..., "Not attempted yet"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_03, check)(answer)
    assert re.search(says, verdict())


CHECKS = ["check_gradients", "check_one_turn", "check_optimistic", "check_mended", "check_train"]


@pytest.mark.parametrize("check", CHECKS)
def test_the_untouched_exercise_asks(check, verdict):
    getattr(lesson_03, check)(...)
    assert re.fullmatch(r"Not attempted yet\. [A-Z].*\?", verdict())


def test_the_answer_about_gradients_is_what_torch_says():
    def players():
        return torch.nn.Linear(1, 1), torch.nn.Linear(1, 1), torch.ones(3, 1)

    def with_gradients(g, d):
        return {(True, True): "both", (True, False): "G", (False, True): "D"}[
            g.weight.grad is not None, d.weight.grad is not None
        ]

    g, d, z = players()
    softplus(-d(g(z))).mean().backward()
    found = [with_gradients(g, d)]
    g, d, z = players()
    softplus(-d(g(z).detach())).mean().backward()
    found += [with_gradients(g, d)]
    g, d, z = players()
    logits = d(g(z))
    d.requires_grad_(False)
    softplus(-logits).mean().backward()
    found += [with_gradients(g, d)]
    g, d, z = players()
    d.requires_grad_(False)
    with pytest.raises(RuntimeError):
        softplus(-d(g(z).detach())).mean().backward()
    assert [*found, "error"] == CASES[0][1]


def test_the_spread_of_the_data_is_the_closed_form():
    """Twice its square is the mean of an exponential of mean 2 that is cut off at 4."""
    points = toys.ring().sample((200_000,))
    inside = math.exp(-2)
    assert lesson_03._spread_inside(points) == pytest.approx(math.sqrt(1 - 2 * inside / (1 - inside)), abs=0.01)


def test_the_lessons_game_passes_the_bar_of_the_training_exercise_with_its_last_generator(verdict):
    lesson_03.check_train(lambda draw_real: play_ring(draw_real, 2500))
    assert re.search("^Right. [78] of 8 modes covered, .* after 2500 real batches", verdict())


def test_the_averaged_generator_is_too_thin_for_the_training_exercise(verdict):
    lesson_03.check_train(lambda draw_real: play_ring(draw_real, 2500, averaged=True))
    assert "too close to the centres" in verdict()
