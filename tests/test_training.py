"""The game: who learns when, what survives an interrupt, a kill, a NaN, and what a checkpoint refuses."""

import csv
import math
import multiprocessing
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gan_lessons import checkpoints, losses, models, training
from gan_lessons.history import History, Record
from gan_lessons.training import CheckpointError, Diverged, Game


def small_game(seed=0, **settings):
    torch.manual_seed(seed)
    networks = models.mlp_generator(3, (1, 2, 2), (8,)), models.mlp_discriminator((1, 2, 2), (8,))
    return Game(*networks, **{"latent_size": 3, "batch_size": 8, **settings})


def draw(n):
    return torch.randn(n, 1, 2, 2).tanh()


def play(game, until):
    for _ in game.play(draw, until):
        pass
    return game


def everything(game):
    """All that a game is, by name; no list of the package's own is asked."""
    state = {"history": torch.tensor(list(game.history)), "turns": torch.tensor(game.turns)}
    networks = {"generator": game.generator, "discriminator": game.discriminator, "average": game.average}
    for name, network in networks.items():
        state |= {f"{name}.{key}": tensor.clone() for key, tensor in network.state_dict().items()}
    for name, optimizer in (("G", game.generator_optimizer), ("D", game.discriminator_optimizer)):
        state[f"{name}.lr"] = torch.tensor(optimizer.param_groups[0]["lr"])
        for index, parameter in enumerate(optimizer.param_groups[0]["params"]):
            memory = optimizer.state.get(parameter, {})
            state |= {f"{name}.{index}.{key}": tensor.clone() for key, tensor in memory.items()}
    return state | game.random.state()


def assert_same(game, other):
    mine, its = everything(game), everything(other)
    assert mine.keys() == its.keys()
    for name in mine:
        assert torch.equal(mine[name], its[name]), name


# ------------------------------------------------------------------------------------ the two updates


def snapshot(network):
    return [parameter.detach().clone() for parameter in network.parameters()]


def changed(network, before):
    return [not torch.equal(old, new) for old, new in zip(before, network.parameters())]


@pytest.mark.parametrize("pair", [losses.non_saturating, losses.minimax, losses.least_squares])
def test_discriminators_update_leaves_the_generator_alone(small_game_networks, pair):
    generator, discriminator = small_game_networks
    before_g, before_d = snapshot(generator), snapshot(discriminator)
    optimizer = torch.optim.SGD(discriminator.parameters(), 0.1)
    training.update_discriminator(discriminator, optimizer, draw(8), generator(torch.randn(8, 3)), pair)
    assert not any(changed(generator, before_g)) and all(changed(discriminator, before_d))
    assert all(parameter.grad is None for parameter in generator.parameters())
    assert all(parameter.grad is not None for parameter in discriminator.parameters())


@pytest.mark.parametrize("pair", [losses.non_saturating, losses.minimax, losses.least_squares])
def test_generators_update_leaves_the_discriminator_alone(small_game_networks, pair):
    generator, discriminator = small_game_networks
    before_g, before_d = snapshot(generator), snapshot(discriminator)
    optimizer = torch.optim.SGD(generator.parameters(), 0.1)
    training.update_generator(discriminator, optimizer, generator(torch.randn(8, 3)), pair)
    assert not any(changed(discriminator, before_d)) and all(changed(generator, before_g))
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    assert all(parameter.requires_grad for parameter in discriminator.parameters())


def test_beliefs_are_the_means_of_the_probabilities():
    """Logits of -4, 0 and 1: the mean of their sigmoids is 0.4164, by hand, and not the sigmoid of their mean, 0.2689."""
    discriminator = torch.nn.Flatten(0)
    optimizer = torch.optim.SGD([torch.zeros((), requires_grad=True)], lr=1.0)
    real, fake = torch.tensor([[-4.0], [0.0], [1.0]], requires_grad=True), torch.tensor([[0.0], [0.0], [2.0]])
    _, real_p, fake_p = training.update_discriminator(discriminator, optimizer, real, fake, losses.non_saturating)
    assert real_p == pytest.approx((1 / (1 + math.exp(4)) + 1 / 2 + 1 / (1 + math.exp(-1))) / 3, abs=1e-6)
    assert fake_p == pytest.approx((1 / 2 + 1 / 2 + 1 / (1 + math.exp(-2))) / 3, abs=1e-6)


def test_updates_go_the_right_way(small_game_networks):
    generator, discriminator = small_game_networks
    real, z = draw(64), torch.randn(64, 3)
    optimizer = torch.optim.SGD(discriminator.parameters(), 0.1)
    gap = [discriminator(real).mean() - discriminator(generator(z)).mean()]
    training.update_discriminator(discriminator, optimizer, real, generator(z), losses.non_saturating)
    gap.append(discriminator(real).mean() - discriminator(generator(z)).mean())
    assert gap[1] > gap[0]
    optimizer = torch.optim.SGD(generator.parameters(), 0.1)
    score = discriminator(generator(z)).mean()
    training.update_generator(discriminator, optimizer, generator(z), losses.non_saturating)
    assert discriminator(generator(z)).mean() > score


def test_frozen_keeps_what_was_frozen_before(small_game_networks):
    _, discriminator = small_game_networks
    first = next(discriminator.parameters()).requires_grad_(False)
    with pytest.raises(RuntimeError), training.frozen(discriminator):
        assert not any(parameter.requires_grad for parameter in discriminator.parameters())
        raise RuntimeError
    assert [parameter.requires_grad for parameter in discriminator.parameters()] == [False, True, True, True]
    assert first.requires_grad is False


def test_relative_losses_show_the_generator_both_batches(small_game_networks):
    generator, discriminator = small_game_networks
    real, fake = draw(8), generator(torch.randn(8, 3))
    wanted = torch.nn.functional.softplus(discriminator(real) - discriminator(fake)).mean().item()
    before_g, before_d = snapshot(generator), snapshot(discriminator)
    optimizer = torch.optim.SGD(generator.parameters(), 0.1)
    assert training.update_generator(discriminator, optimizer, fake, losses.relativistic, real) == pytest.approx(wanted)
    assert all(changed(generator, before_g)) and not any(changed(discriminator, before_d))


def test_the_penalty_moves_a_linear_discriminator_by_the_closed_form():
    """D(x) = w·x: R1 and R2 together have the slope 2w, so plain descent shrinks w by the factor 1 - 2 · rate · weight · every."""
    discriminator = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 1), torch.nn.Flatten(0))
    before, bias = (parameter.detach().clone() for parameter in discriminator.parameters())
    optimizer = torch.optim.SGD(discriminator.parameters(), 0.01)
    penalty = losses.Penalty(losses.r1_r2, weight=0.5, every=4)
    value = training.update_penalty(discriminator, optimizer, draw(8), draw(8), penalty)
    assert value == pytest.approx(before.square().sum().item())
    torch.testing.assert_close(discriminator[1].weight.detach(), before * (1 - 2 * 0.01 * 0.5 * 4))
    assert torch.equal(discriminator[1].bias, bias)


def test_the_penalty_leaves_the_generator_alone_whatever_it_measures(small_game_networks):
    generator, discriminator = small_game_networks
    optimizer = torch.optim.SGD(discriminator.parameters(), 0.1)
    penalty = losses.Penalty(lambda discriminator, real, fake: discriminator(fake).square().mean(), 1.0)
    training.update_penalty(discriminator, optimizer, draw(8), generator(torch.randn(8, 3)), penalty)
    assert all(parameter.grad is None for parameter in generator.parameters())
    assert all(parameter.grad is not None for parameter in discriminator.parameters())


def test_a_penalty_that_is_not_finite_moves_nothing(small_game_networks):
    _, discriminator = small_game_networks
    optimizer = torch.optim.SGD(discriminator.parameters(), 0.1)
    before = snapshot(discriminator)
    penalty = losses.Penalty(lambda discriminator, real, fake: discriminator(real).sum() * torch.nan, 1.0)
    with pytest.raises(Diverged, match="The discriminator's penalty became nan"):
        training.update_penalty(discriminator, optimizer, draw(8), draw(8), penalty)
    assert not any(changed(discriminator, before))


# ------------------------------------------------------------------------------------------- the loop


def test_the_penalty_comes_at_every_so_manyth_turn_and_is_part_of_the_game(tmp_path):
    seen = []

    def slopes(discriminator, real, fake):
        seen.append(game.turns)
        return losses.r1(discriminator, real, fake)

    game = small_game(losses=losses.relativistic, penalty=losses.Penalty(slopes, 1.0, every=3))
    play(game, 7)
    assert seen == [0, 3, 6]
    game.save(tmp_path / "game.safetensors")
    with pytest.raises(CheckpointError, match=r"penalty is \['slopes', 1.0, 3\] in the file and None here"):
        small_game(losses=losses.relativistic).load(tmp_path / "game.safetensors")
    other = small_game(losses=losses.relativistic, penalty=losses.Penalty(slopes, 1.0, every=3))
    other.load(tmp_path / "game.safetensors")
    assert_same(play(other, 10), play(game, 10))


@pytest.mark.parametrize(
    ("penalty", "error", "says"),
    [
        (losses.r1, TypeError, "penalty is of type function; pass one such as losses.Penalty"),
        (losses.Penalty(losses.r1, 0.0), ValueError, "penalty's weight is 0.0; it is above 0"),
        (losses.Penalty(losses.r1, 1.0, 0), ValueError, "comes every 0 turns; that is a whole number from 1 up"),
        (losses.Penalty(losses.r1, 1.0, 2.5), ValueError, "comes every 2.5 turns"),
    ],
)
def test_a_penalty_that_cannot_be_is_refused(penalty, error, says):
    with pytest.raises(error, match=says):
        small_game(penalty=penalty)


def test_turns_are_counted_and_recorded():
    game = small_game()
    assert list(game.play(draw, 3)) == [1, 2, 3] and list(game.play(draw, 5)) == [4, 5] and list(game.play(draw, 5)) == []
    assert game.history.column("turn") == [1, 2, 3, 4, 5]
    assert all(0 < p < 1 for name in ("real_p", "fake_p") for p in game.history.column(name))
    with pytest.raises(KeyError, match="no column 'loss'; it has turn, real_p"):
        game.history.column("loss")


def test_the_gradient_is_that_of_all_of_generators_parameters_before_its_step():
    """Plain descent with rate 1 moves each parameter by its gradient, so that the step has the gradient's length."""
    game = play(small_game(), 5)
    game.generator_optimizer = torch.optim.SGD(game.generator.parameters(), 1.0)
    before = torch.nn.utils.parameters_to_vector(game.generator.parameters()).detach().clone()
    play(game, 6)
    step = torch.nn.utils.parameters_to_vector(game.generator.parameters()).detach() - before
    assert step.norm() > 0 and game.history[-1].generator_gradient == pytest.approx(step.norm().item(), rel=1e-4)
    assert training.gradient_norm(torch.nn.Linear(2, 2)) == 0, "no gradient has reached it yet"


def test_weight_average_follows_its_formula():
    game = play(small_game(average_decay=0.9), 1)
    expected = [weight.detach().clone() for weight in game.generator.parameters()]
    for _ in game.play(draw, 6):
        expected = [0.9 * old + 0.1 * new.detach() for old, new in zip(expected, game.generator.parameters())]
    for mine, its in zip(expected, game.average.module.parameters(), strict=True):
        torch.testing.assert_close(mine, its)


def test_weight_average_follows_its_formula_in_batchnorms_means_too_and_by_default():
    game = play(small_game(), 1)
    means = game.generator[1].running_mean.clone()
    for _ in game.play(draw, 6):
        means = 0.995 * means + 0.005 * game.generator[1].running_mean
    torch.testing.assert_close(game.average.module[1].running_mean, means)
    assert not torch.allclose(means, game.generator[1].running_mean)


def test_a_turn_is_played_in_training_mode():
    game, as_ever = small_game(), small_game()
    game.generator.eval(), game.discriminator.eval()
    assert_same(play(game, 3), play(as_ever, 3))
    assert not torch.equal(game.generator[1].running_mean, torch.zeros(8))


def test_the_games_random_numbers_and_the_callers_do_not_meet():
    quiet, noisy = play(small_game(), 10), small_game()
    for _ in noisy.play(draw, 10):
        torch.randn(100), noisy.samples(noisy.noise(5))
    assert_same(quiet, noisy)
    torch.manual_seed(3)
    expected = torch.randn(2)
    torch.manual_seed(3)
    play(noisy, 12)
    assert torch.equal(torch.randn(2), expected)


def test_samples_come_from_the_average_and_change_nothing():
    game = play(small_game(), 5)
    z = game.noise(2500)
    before = everything(game)
    images = game.samples(z)
    assert images.shape == (2500, 1, 2, 2) and not images.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(images, game.average.module(z))
        game.generator.eval()
        assert not torch.allclose(images, game.generator(z))
        game.generator.train()
    with pytest.raises(ValueError, match=r"z has shape \(4, 2\); it is N×3"):
        game.samples(torch.zeros(4, 2))
    with pytest.raises(TypeError, match="z is of type NoneType, not a tensor N×3"):
        game.samples(None)
    with pytest.raises(TypeError, match="not of torch.float64"):
        game.samples(z.double())
    torch.testing.assert_close(images[7:9], game.samples(z[7:9]))  # eval mode: an image does not depend on its batch
    assert game.generator.training
    assert all(torch.equal(before[name], tensor) for name, tensor in everything(game).items())


def test_csv_has_a_row_a_turn(tmp_path):
    game = play(small_game(), 4)
    game.history.write_csv(tmp_path / "new folder" / "history.csv", turns_per_epoch=8)
    rows = list(csv.DictReader((tmp_path / "new folder" / "history.csv").open()))
    assert [float(row["epoch"]) for row in rows] == [0.125, 0.25, 0.375, 0.5]
    columns = ["epoch", "turn", "real_p", "fake_p", "generator_loss", "discriminator_loss", "generator_gradient"]
    assert list(rows[0]) == columns
    assert float(rows[3]["generator_loss"]) == pytest.approx(game.history[3].generator_loss, abs=1e-6)
    with pytest.raises(ValueError, match="above 0, not 0"):
        game.history.write_csv(tmp_path / "history.csv", turns_per_epoch=0)


def test_csv_is_read_back(tmp_path):
    game = play(small_game(), 3)
    game.history.write_csv(tmp_path / "history.csv", turns_per_epoch=8)
    back = History.read_csv(tmp_path / "history.csv")
    assert isinstance(back, History) and back.column("turn") == [1, 2, 3]
    for mine, its in zip(game.history, back):
        assert its == pytest.approx(mine, abs=1e-6)


def test_csv_leaves_out_the_gradient_where_nobody_measured_it(tmp_path):
    by_hand = History([Record(1, 0.5, 0.25, 0.75, 1.5), Record(2, 0.5, 0.5, 0.75, 1.25)])
    by_hand.write_csv(tmp_path / "history.csv", turns_per_epoch=8)
    assert (tmp_path / "history.csv").read_text().splitlines()[0].endswith(",generator_loss,discriminator_loss")
    back = History.read_csv(tmp_path / "history.csv")
    assert [record[:5] for record in back] == [record[:5] for record in by_hand]
    assert all(math.isnan(record.generator_gradient) for record in back)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "its columns are None"),
        (b"turn,loss\n1,2\n", r"its columns are \['turn', 'loss'\]"),
        (b"epoch,turn,real_p,fake_p,generator_loss,discriminator_loss\n0,1,0.5,half,0.7,1.4\n", "half"),
        (b"epoch,turn,real_p,fake_p,generator_loss,discriminator_loss\n0,1,0.5\n", "no history"),
        (b"\xff\xfe\x00", "no history"),
    ],
)
def test_csv_of_something_else_is_refused(content, says, tmp_path):
    (tmp_path / "history.csv").write_bytes(content)
    with pytest.raises(ValueError, match=says):
        History.read_csv(tmp_path / "history.csv")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda n: draw(n).squeeze(1), r"shape \(8, 2, 2\) and torch.float32, but the generator makes \(8, 1, 2, 2\)"),
        (lambda n: draw(n - 1), r"shape \(7, 1, 2, 2\)"),
        (lambda n: draw(n).to(torch.uint8), "torch.uint8, but the generator makes"),
    ],
)
def test_wrong_real_images_are_refused_and_nothing_changes(wrong, says):
    game, same = play(small_game(), 2), play(small_game(), 2)
    with pytest.raises(ValueError, match=says):
        list(game.play(wrong, 3))
    assert_same(game, same)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run_and_loses_nothing(value):
    def broken(real, fake):
        loss = losses.cross_entropy_discriminator(real, fake)
        return loss * value if game.turns == 5 and ill else loss

    ill = True
    game = small_game(losses=losses.Losses(broken, losses.non_saturating_generator))
    with pytest.raises(Diverged, match="discriminator's loss became (nan|inf) at turn 6.*lower learning rates"):
        play(game, 9)
    assert_same(game, play(small_game(), 5))
    ill = False
    assert_same(play(game, 8), play(small_game(), 8))


def test_exploding_weights_are_caught_before_they_reach_the_average():
    game = small_game(discriminator_lr=1e30)
    with pytest.raises(Diverged, match="loss became"):
        play(game, 50)
    assert all(weight.isfinite().all() for weight in game.average.parameters())
    assert len(game.history) == game.turns


# ------------------------------------------------------------------------------ interrupt and continue

INTERRUPTED = """
    import sys, time
    import torch
    from test_training import draw, everything, play, small_game

    torch.set_num_threads(1)
    reference = everything(play(small_game(), 300))
    for round in range(20):
        game, seen = small_game(), []
        print("go", flush=True)
        try:
            for turn in game.play(draw, 300):
                seen.append(turn)
                time.sleep(0.0005)
            time.sleep(60)
        except KeyboardInterrupt:
            interrupted_at = game.turns
        assert game.turns == len(game.history)
        for turn in game.play(draw, 300):
            seen.append(turn)
        assert seen == list(range(1, 301)), "a turn was lost or repeated"
        same = all(torch.equal(reference[name], tensor) for name, tensor in everything(game).items())
        print(interrupted_at, same, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_interrupted_anywhere_and_continued_is_bit_identical():
    code = textwrap.dedent(INTERRUPTED)
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent)
    moments = random.Random(0)
    rounds = []
    for _ in range(20):
        assert child.stdout.readline() == "go\n"
        time.sleep(moments.uniform(0, 0.6))
        child.send_signal(signal.SIGINT)
        turns, same = child.stdout.readline().split()
        rounds.append((int(turns), same))
    assert child.wait(60) == 0
    assert all(same == "True" for _, same in rounds), rounds
    assert len({turns for turns, _ in rounds}) > 5, "the interrupts should come at different turns"


# ---------------------------------------------------------------------------------------- checkpoints


def test_resumed_run_is_bit_identical(tmp_path):
    straight = play(small_game(), 30)
    game = play(small_game(), 12)
    game.save(tmp_path / "run" / "game.safetensors")
    resumed = small_game(seed=99)
    resumed.load(tmp_path / "run" / "game.safetensors")
    assert_same(game, resumed)
    assert_same(straight, play(resumed, 30))
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["game.safetensors"]


def test_dropout_resumes_as_well(tmp_path):
    def with_dropout():
        game = small_game()
        game.discriminator.insert(2, torch.nn.Dropout(0.5))
        return game

    straight, first, resumed = play(with_dropout(), 20), play(with_dropout(), 10), with_dropout()
    first.save(tmp_path / "game.safetensors")
    resumed.load(tmp_path / "game.safetensors")
    assert_same(straight, play(resumed, 20))


def test_convolutions_resume_as_well(tmp_path):
    """Their weights lie in memory in another order than in a file."""

    def convolutional():
        torch.manual_seed(0)
        networks = models.conv_generator(image_shape=(1, 16, 16), width=4), models.spectral_discriminator((1, 16, 16), 4)
        return training.Game(*networks, batch_size=8)

    draw = lambda n: torch.rand(n, 1, 16, 16) * 2 - 1
    straight, first, resumed = convolutional(), convolutional(), convolutional()
    list(straight.play(draw, 8)), list(first.play(draw, 4))
    first.save(tmp_path / "game.safetensors")
    resumed.load(tmp_path / "game.safetensors")
    list(resumed.play(draw, 8))
    assert_same(straight, resumed)


def test_unplayed_game_can_be_saved(tmp_path):
    small_game().save(tmp_path / "game.safetensors")
    game = play(small_game(), 3)
    game.load(tmp_path / "game.safetensors")
    assert game.turns == 0 == len(game.history)
    assert_same(play(game, 5), play(small_game(), 5))


def save_for_ever(path):
    game = small_game()
    for _ in game.play(draw, 1_000_000):
        game.save(path)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills with POSIX signals")
def test_killed_while_saving_leaves_a_loadable_checkpoint(tmp_path):
    # The server imports torch once, so that the twenty children start at once.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gan_lessons.training"])
    moments, turns = random.Random(0), []
    for round in range(20):
        path = tmp_path / f"{round}.safetensors"
        child = context.Process(target=save_for_ever, args=(path,))
        child.start()
        # So many checkpoints, and then a moment within the next: however fast this machine saves.
        seen, wanted = set(), moments.randint(1, 15)
        while len(seen) < wanted:
            seen |= {path.stat().st_mtime_ns} if path.exists() else set()
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.02))
        child.kill()
        child.join()
        game = small_game(seed=5)
        game.load(path)
        turns.append(game.turns)
        assert game.turns == len(game.history) > 0
        assert_same(game, play(small_game(), game.turns))
    assert len(set(turns)) > 5, "the kills should come at different turns"


class Bomb:
    def __reduce__(self):
        return (open, ("exploded", "w"))


def test_pickle_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.safetensors").write_bytes(pickle.dumps(Bomb()))
    torch.save({"weights": Bomb()}, tmp_path / "torch.safetensors")
    for name in ("plain", "torch"):
        with pytest.raises(CheckpointError, match="Pickled files .* are not read"):
            small_game().load(tmp_path / f"{name}.safetensors")
    assert not (tmp_path / "exploded").exists()


def test_bad_checkpoints_are_refused_and_change_nothing(tmp_path):
    good = tmp_path / "good.safetensors"
    play(small_game(), 3).save(good)
    (tmp_path / "cut.safetensors").write_bytes(good.read_bytes()[:-100])
    flipped = bytearray(good.read_bytes())
    flipped[-5] ^= 1
    (tmp_path / "flipped.safetensors").write_bytes(flipped)
    said = good.read_bytes().replace(rb"rates\": [0.002", rb"rates\": [0.902", 1)
    assert said != good.read_bytes()
    (tmp_path / "said.safetensors").write_bytes(said)
    save_file({"weight": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    for name, version, said in [("older", 2, "{}"), ("later", 9, "{}"), ("headless", 3, "{"), ("turnless", 3, '{"turns": "3"}')]:
        header = {"format": f"gan_lessons game {version}", "game": said}
        save_file({"weight": torch.zeros(2)}, tmp_path / f"{name}.safetensors", header)
    torch.manual_seed(0)
    wide = Game(models.mlp_generator(3, (1, 2, 2), (9,)), models.mlp_discriminator((1, 2, 2), (8,)), latent_size=3, batch_size=8)
    game = play(small_game(), 2)
    before = everything(game)
    cases = [
        (game, "cut", CheckpointError, "is damaged"),
        (game, "foreign", CheckpointError, "holds tensors, but is no checkpoint"),
        (wide, "good", CheckpointError, r"generator.0.weight has shape \(8, 3\) in the file and \(9, 3\) here"),
        (small_game(batch_size=16), "good", CheckpointError, "batch_size is 8 in the file and 16 here"),
        (small_game(generator_lr=1e-3), "good", CheckpointError, "generator_lr is 0.002 in the file and 0.001 here"),
        (small_game(discriminator_lr=1e-3), "good", CheckpointError, "discriminator_lr is 0.0004 in the file and 0.001 here"),
        (small_game(betas=(0.5, 0.9)), "good", CheckpointError, r"betas is \[0.0, 0.999\] in the file and \[0.5, 0.9\] here"),
        (small_game(losses=losses.minimax), "good", CheckpointError, "non_saturating_generator.* here"),
        (game, "", CheckpointError, "is a folder"),
        (game, "flipped", CheckpointError, "damaged: it is not what was saved"),
        (game, "said", CheckpointError, "damaged: it is not what was saved"),
        (game, "older", CheckpointError, "format 'gan_lessons game 2', written by another version"),
        (game, "later", CheckpointError, "format 'gan_lessons game 9', written by another version"),
        (game, "headless", CheckpointError, "its header cannot be read"),
        (game, "turnless", CheckpointError, "its header cannot be read"),
        (game, "none", FileNotFoundError, "none.safetensors"),
    ]
    for loader, name, error, says in cases:
        with pytest.raises(error, match=says):
            loader.load(tmp_path / f"{name}.safetensors" if name else tmp_path)
        assert loader is game or loader.turns == 0
    assert all(torch.equal(before[name], tensor) for name, tensor in everything(game).items())


def test_failed_save_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    game = play(small_game(), 3)
    game.save(tmp_path / "game.safetensors")
    before = (tmp_path / "game.safetensors").read_bytes()
    play(game, 4)
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError("no space left on device")))
    with pytest.raises(OSError, match="no space left"):
        game.save(tmp_path / "game.safetensors")
    assert (tmp_path / "game.safetensors").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("gone", ["generator_optimizer.0.exp_avg", "average.n_averaged", "random.cpu", "history"])
def test_a_checkpoint_that_lacks_a_tensor_is_refused(gone, tmp_path):
    game = play(small_game(), 3)
    tensors = {name: tensor for name, tensor in game._tensors().items() if name != gone}
    about = {"turns": 3, "settings": game._made_with, "seconds": 1.0, "rates": [2e-3, 4e-4]}
    checkpoints.write(tmp_path / "game.safetensors", tensors, about)
    other = play(small_game(), 2)
    with pytest.raises(CheckpointError, match=f"{gone} has shape None in the file"):
        other.load(tmp_path / "game.safetensors")
    assert_same(other, play(small_game(), 2))


@pytest.mark.parametrize("step", ["load_state_dict", "load_state", "_load_optimizer"])
def test_a_load_that_fails_in_the_middle_changes_nothing(step, tmp_path, monkeypatch):
    play(small_game(), 7).save(tmp_path / "game.safetensors")
    game, calls = play(small_game(), 3), []
    owner = {"load_state_dict": game.discriminator, "load_state": game.random, "_load_optimizer": training}[step]
    whole = getattr(owner, step)

    def fails_once(*arguments):
        calls.append(step)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(owner, step, fails_once)
    with pytest.raises(KeyboardInterrupt):
        game.load(tmp_path / "game.safetensors")
    monkeypatch.undo()
    assert_same(game, play(small_game(), 3))
    assert_same(play(game, 6), play(small_game(), 6))


def test_learning_rates_that_were_lowered_on_the_way_stay_low(tmp_path):
    game, other = play(small_game(), 2), small_game()
    game.generator_optimizer.param_groups[0]["lr"] = 1e-4
    game.save(tmp_path / "game.safetensors")
    other.load(tmp_path / "game.safetensors")
    assert_same(game, other)
    assert_same(play(game, 5), play(other, 5))


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's list of mapped files")
def test_nothing_stays_mapped_to_the_file(tmp_path):
    path = tmp_path / "game.safetensors"
    play(small_game(), 3).save(path)
    game = small_game()
    game.load(path)
    assert str(path) not in Path("/proc/self/maps").read_text()
    play(game, 4).save(path)


def test_go_on_takes_up_a_run_that_was_broken_off_and_says_so(tmp_path, capsys):
    path = tmp_path / "game.safetensors"
    game = play(small_game(), 2)
    game.go_on(path, until=5)
    game.save(path)
    ahead = play(small_game(), 3)
    ahead.go_on(path, until=5), game.go_on(path, until=5)
    assert (ahead.turns, game.turns) == (3, 2) and capsys.readouterr().out == ""
    fresh = small_game()
    fresh.go_on(path, until=5)
    said = f"Going on from turn 2, kept in {path}. To train from the start, delete that file first.\n"
    assert capsys.readouterr().out == said
    assert_same(fresh, game)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_what_cannot_be_gone_on_from_is_put_aside_and_never_lost(tmp_path, capsys):
    path = tmp_path / "game.safetensors"
    play(small_game(), 4).save(path)
    finished = path.read_bytes()
    game = small_game()
    game.go_on(path, until=4)
    assert game.turns == 0 and not path.exists()
    assert "a run that was finished at turn 4: it is kept as game_1.safetensors" in capsys.readouterr().out
    play(small_game(average_decay=0.9), 2).save(path)
    other = path.read_bytes()
    game.go_on(path, until=4)
    assert "a file that this game cannot go on from: it is kept as game_2.safetensors" in capsys.readouterr().out
    path.write_bytes(b"no checkpoint")
    game.go_on(path, until=4)
    kept = [(tmp_path / f"game_{number}.safetensors").read_bytes() for number in (1, 2, 3)]
    assert kept == [finished, other, b"no checkpoint"] and game.turns == 0
    play(game, 1).save(path)


def test_a_checkpoint_holds_snapshots_and_seconds(tmp_path):
    path = tmp_path / "game.safetensors"
    game, pictures = play(small_game(), 12), torch.rand(3, 1, 2, 2)
    game.snapshots = {10: pictures, 9: -pictures}
    seconds = game.seconds
    assert seconds > 0
    game.save(path)
    loaded = play(small_game(), 2)
    loaded.snapshots = {1: pictures}
    loaded.load(path)
    assert list(loaded.snapshots) == [9, 10] and loaded.seconds == seconds
    assert torch.equal(loaded.snapshots[10], pictures) and torch.equal(loaded.snapshots[9], -pictures)


def test_a_checkpoint_that_is_further_is_not_overwritten(tmp_path):
    path = tmp_path / "game.safetensors"
    play(small_game(), 5).save(path)
    content = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"at turn 5, further than this one at turn 3, .*load\(path\)"):
        play(small_game(), 3).save(path)
    assert path.read_bytes() == content
    play(small_game(), 5).save(path), play(small_game(), 6).save(path)


@pytest.mark.parametrize("other", ["settings", "networks", "seed", "text", "tensors", "damaged"])
def test_nothing_but_this_games_own_past_is_overwritten(other, tmp_path, capsys):
    path = tmp_path / "game.safetensors"
    if other in ("text", "tensors"):
        save_file({"history": torch.zeros(2)}, path) if other == "tensors" else path.write_bytes(b"a thesis")
    else:
        settings = {"settings": {"average_decay": 0.9, "generator_lr": 1e-3}, "seed": {"seed": 1}}
        theirs = small_game(**settings.get(other, {}))
        if other == "networks":
            theirs = Game(models.mlp_generator(3, (1, 2, 2), (9,)), models.mlp_discriminator((1, 2, 2), (8,)), latent_size=3)
        play(theirs, 2).save(path)
        if other == "damaged":
            path.write_bytes(path.read_bytes()[:-100])
    content, game = path.read_bytes(), play(small_game(), 3)
    with pytest.raises(CheckpointError, match=r"overwritten[.:] [Ss]ave under another name"):
        game.save(path)
    assert path.read_bytes() == content and [each.name for each in tmp_path.iterdir()] == [path.name]
    game.go_on(path, until=9)
    assert "it is kept as game_1.safetensors" in capsys.readouterr().out and game.turns == 3
    game.save(path)
    assert (tmp_path / "game_1.safetensors").read_bytes() == content
    game.go_on(path, until=9), play(game, 4).save(path)
    assert capsys.readouterr().out == "" and not (tmp_path / "game_2.safetensors").exists()


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path)), monkeypatch.setenv("USERPROFILE", str(tmp_path))
    small_game().save("~/game.safetensors")
    assert (tmp_path / "game.safetensors").is_file()
    small_game().load("~/game.safetensors")


# ---------------------------------------------------------------------------------- the best state so far


@pytest.mark.parametrize("kind", ["dense", "convolutional"])
def test_the_best_state_comes_back_to_the_bit_and_plays_on_as_it_did(kind):
    def made():
        if kind == "dense":
            return small_game(), draw
        torch.manual_seed(0)
        networks = models.conv_generator(3, (1, 8, 8), width=4), models.conv_discriminator((1, 8, 8), width=4)
        return Game(*networks, latent_size=3, batch_size=4), lambda n: torch.randn(n, 1, 8, 8).tanh()

    def play_on(game, real, until):
        for _ in game.play(real, until):
            pass
        return game

    (game, real), (straight, _) = made(), made()
    best, scores = training.Best(game), {3: 5.0, 6: 2.0, 9: 2.0, 12: float("nan"), 15: 7.0}
    assert [best.offer(score) for turn, score in scores.items() if play_on(game, real, turn)] == [True, True] + 3 * [False]
    assert (best.score, best.turn) == (2.0, 6)
    game.snapshots[15] = torch.zeros(1, 1, 2, 2)
    game.generator_optimizer.param_groups[0]["lr"] = 1e-9
    best.restore()
    assert game.snapshots == {} and game.turns == len(game.history) == 6
    assert_same(game, play_on(straight, real, 6))
    at_15 = play_on(straight, real, 15)
    assert_same(play_on(game, real, 15), at_15)
    best.restore()  # what was played on from it has not touched it
    assert game.turns == 6
    assert_same(play_on(game, real, 15), at_15)


def test_keeping_the_best_state_changes_nothing_and_there_must_be_one():
    game = play(small_game(), 4)
    best = training.Best(game)
    with pytest.raises(ValueError, match=r"No state has been kept yet: best.offer\(score\)"):
        best.restore()
    assert (best.score, best.turn, game.turns) == (math.inf, 0, 4)
    assert best.offer(-1.0)
    assert_same(play(game, 9), play(small_game(), 9))
