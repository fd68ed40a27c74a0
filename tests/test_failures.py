"""Lesson 05's game: that each argument changes what it says, and that the healthy one is lesson 03's."""

import math

import numpy
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from gan_lessons import bundle, failures, losses, toys
from gan_lessons.history import History, Record
from tools import record_diagnosis_runs


def by_hand(turns):
    """The healthy game from scratch, through torch's own cross-entropy and Adam; D is frozen while G learns."""
    torch.manual_seed(0)
    g, d = failures.network(2, 2), failures.network(2, 1)
    g_optimizer, d_optimizer = (torch.optim.Adam(each.parameters(), 2e-3, betas=(0.5, 0.99), fused=True) for each in (g, d))
    rows = []
    for _ in range(turns):
        fake = g(torch.randn(128, 2))
        logits = d(toys.ring().sample((128,))), d(fake.detach())
        d_loss = sum(binary_cross_entropy_with_logits(a, torch.full_like(a, label)) for a, label in zip(logits, (1.0, 0.0)))
        d_optimizer.zero_grad(), d_loss.backward(), d_optimizer.step()
        d.requires_grad_(False)
        g_loss = binary_cross_entropy_with_logits(d(fake), torch.ones(128, 1))
        g_optimizer.zero_grad(), g_loss.backward(), g_optimizer.step()
        d.requires_grad_(True)
        rows.append((*(a.sigmoid().mean().item() for a in logits), g_loss.item(), d_loss.item()))
    return rows, g


def test_the_healthy_game_is_the_usual_loop():
    rows, g = by_hand(30)
    run = failures.play(turns=30)
    assert [record.turn for record in run.history] == list(range(1, 31))
    assert torch.allclose(torch.tensor(rows), torch.tensor([record[1:5] for record in run.history]), atol=1e-5)
    for mine, its in zip(g.parameters(), run.generator.parameters()):
        assert torch.allclose(mine, its, atol=1e-5)
    assert list(run.snapshots) == [0, 25] and run.snapshots[25].shape == (2000, 2)
    torch.manual_seed(0)
    born, z = failures.network(2, 2), torch.randn(2000, 2, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(run.snapshots[0], born(z), atol=1e-6)


def test_the_same_seed_gives_the_same_game_and_another_another():
    first, again, other = (failures.play(turns=5, seed=seed).history for seed in (3, 3, 4))
    assert [record[:5] for record in first] == [record[:5] for record in again]
    assert first[0].discriminator_loss != other[0].discriminator_loss
    three = failures.play_three(turns=2)
    assert [run.history[0][:5] for run in three] == [failures.play(turns=1, seed=seed).history[0][:5] for seed in range(3)]


def steps(changes):
    """How many optimizer steps D and G have taken in two turns."""
    made = []

    def counted(parameters):
        made.append(torch.optim.SGD(parameters, 0.01))
        made[-1].taken = 0
        made[-1].register_step_post_hook(lambda optimizer, *_: setattr(optimizer, "taken", optimizer.taken + 1))
        return made[-1]

    failures.play(optimizers=(counted, counted), turns=2, **changes)
    return [optimizer.taken for optimizer in made]


@pytest.mark.parametrize(
    ("changes", "taken"),
    [({}, [2, 2]), ({"g_steps": 3}, [6, 2]), ({"d_steps": 3}, [2, 6]), ({"head_start": 4}, [2, 6])],
)
def test_the_players_take_as_many_steps_as_asked(changes, taken):
    assert steps(changes) == taken


def test_what_leaks_changes_the_game_after_the_first_turn():
    clean, leaking = (failures.play(turns=3, leak=leak).history for leak in (False, True))
    assert clean[0][:5] == pytest.approx(leaking[0][:5], abs=1e-6)
    assert clean[2].fake_p != pytest.approx(leaking[2].fake_p, abs=1e-5)


@pytest.mark.parametrize("rates", [(0.0, 0.1), (0.1, 0.0)])
def test_the_first_optimizer_is_gs_and_the_second_ds(rates):
    fresh, played = (failures.play(optimizers=tuple(map(failures.sgd, each)), turns=1) for each in ((0.0, 0.0), rates))
    for rate, before, after in zip(rates, fresh[1:3], played[1:3]):
        moved = any(not torch.equal(*pair) for pair in zip(before.parameters(), after.parameters()))
        assert moved == (rate > 0)


@pytest.mark.parametrize("leak", [False, True])
def test_only_a_leak_lets_ds_loss_reach_g(leak):
    seen = []

    def look(d, real, fake):
        seen.append(fake.requires_grad)
        return d(real), d(fake)

    failures.play(turns=2, leak=leak, look=look)
    assert seen == [leak, leak]


def test_the_penalty_is_minimised_beside_the_loss_and_not_counted_in_it():
    plain = failures.play(turns=1)
    pulled = failures.play(turns=1, penalty=lambda d, real: 1e4 * sum(p.square().sum() for p in d.parameters()))
    assert plain.history[0].discriminator_loss == pulled.history[0].discriminator_loss
    sizes = [sum(p.square().sum().item() for p in run.discriminator.parameters()) for run in (plain, pulled)]
    assert sizes[1] < sizes[0]


def test_data_look_loss_and_networks_are_those_of_the_recipe():
    seen = []

    def look(d, real, fake):
        seen.append((real, fake))
        return d(real), d(fake)

    run = failures.play(turns=1, draw=lambda n: torch.full((n, 2), 7.0), look=look, pair=losses.minimax,
                        discriminator=lambda: nn.Linear(2, 1))  # fmt: skip
    ((real, fake),) = seen
    assert (real == 7).all() and fake.shape == (128, 2) and not fake.requires_grad
    assert run.history[0].generator_loss < 0 and isinstance(run.discriminator, nn.Linear)


def made_up(values):
    return History(Record(turn, value, 1 - value, value, 2 * value) for turn, value in enumerate(values, start=1))


def run_of(values, snapshots):
    return failures.Run(made_up(values), nn.Identity(), nn.Identity(), snapshots)


def test_late_is_a_mean_over_the_end():
    run = run_of([0.0] * 10 + [1.0] * 5, {})
    assert failures.late(run, "real_p", turns=5) == 1
    assert failures.late(run, "real_p", turns=10) == 0.5
    assert failures.late(run, "discriminator_loss") == pytest.approx(2 / 3)


def test_modes_and_shares_are_means_over_the_last_looks():
    bags = toys.ring_references(4000)
    run = run_of([1.0], {25: bags["a thin circle"], 50: bags["one point"], 75: bags["the data"]})
    assert failures.modes(run, looks=2) == pytest.approx((1 + 8) / 2)
    assert failures.modes(run, looks=1) == 8
    assert failures.reached(run) == 8 and failures.reached(run, least=0.3) == 1, "most samples are at the one point's mode"
    assert failures.late_shares(run, looks=1).sum().item() == pytest.approx(1 - math.exp(-2), abs=0.03)
    assert failures.late_shares(run, looks=2)[0].item() == pytest.approx((1 + 0.108) / 2, abs=0.02)


def test_the_running_mean_and_the_band():
    turns, means = failures.smooth(made_up([0.0, 2.0, 4.0, 6.0]), "real_p", window=2)
    assert turns == [2, 3, 4] and means.tolist() == [1, 3, 5]
    numbers = numpy.random.default_rng(0).random((3, 40))
    found = failures.band([made_up(row) for row in numbers])
    assert list(found) == ["real_p", "fake_p", "generator_loss", "discriminator_loss"]
    turns, low, high = found["discriminator_loss"]
    wanted = numpy.array([[2 * row[i : i + 25].mean() for i in range(16)] for row in numbers])
    assert turns == list(range(25, 41))
    assert low == pytest.approx(wanted.min(axis=0)) and high == pytest.approx(wanted.max(axis=0))


@pytest.mark.slow
def test_a_recorded_run_is_what_the_tool_plays():
    *_, changes = record_diagnosis_runs.runs()[1]
    played = failures.play(**changes, turns=100, seed=102).history
    kept = bundle.diagnosis_runs()[2][:10]
    for record in kept:
        assert played[record.turn - 1][:5] == pytest.approx(record[:5], abs=2e-2)
