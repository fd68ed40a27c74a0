"""Bad games: each is refused in words before anything moves, and honest ones are not."""

import pytest
import torch
from torch import nn

from gan_lessons import data, losses, models
from gan_lessons.training import Game

SHAPE = (1, 8, 8)


def generator(last=nn.Tanh, latent_size=3):
    return nn.Sequential(nn.Linear(latent_size, 64), nn.BatchNorm1d(64), *([last()] if last else []), nn.Unflatten(1, SHAPE))


def discriminator(*last, outputs=1):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.LeakyReLU(0.2), nn.Linear(16, outputs), *last)


def game(g=None, d=None, **settings):
    torch.manual_seed(0)
    return Game(g or generator(), d or discriminator(nn.Flatten(0)), **{"latent_size": 3, "batch_size": 32, **settings})


def draw(n):
    return torch.randn(n, *SHAPE).tanh()


def state(game):
    """All that a turn may move, without the package's own list of it."""
    networks = game.generator, game.discriminator, game.average
    tensors = [tensor for network in networks for tensor in network.state_dict().values()]
    for optimizer in (game.generator_optimizer, game.discriminator_optimizer):
        tensors += [tensor for memory in optimizer.state.values() for tensor in memory.values()]
    return [tensor.clone() for tensor in (*tensors, *game.random.state().values())]


def assert_untouched(game, before):
    after = state(game)
    assert len(before) == len(after) and all(torch.equal(*pair) for pair in zip(before, after))


def with_nan(n):
    images = draw(n)
    images[3, 0, 2, 2] = torch.nan
    return images


def exhausted(n):
    return next(iter(()))


BAD_DRAWS = [
    (lambda n: (draw(n) + 1) / 2, "none below 0; they must lie in .-1, 1.. Stretch them"),
    (lambda n: (draw(n) > 0).float(), "from 0 to 1, none below 0"),
    (lambda n: (draw(n) + 1) * 127.5, "values up to 25.*; they must lie in .-1, 1.. Pixels from 0 to 255"),
    (lambda n: draw(n) * 2.5, "they must lie in .-1, 1."),
    (lambda n: draw(n) * 1e30, "they must lie in .-1, 1."),
    (with_nan, "NaN or infinite values among them"),
    (lambda n: draw(n).movedim(1, -1), r"shape \(32, 8, 8, 1\).*The channels come last"),
    (lambda n: (draw(n), 0), "draw gave something of type tuple, not a tensor"),
    (lambda n: [draw(n)], "of type list"),
    (lambda n: None, "draw gave something that is None"),
    (lambda n: draw(n).to("meta"), "real images on meta, but the game is played on cpu"),
    (exhausted, "no images left"),
    (draw(32), "draw is of type Tensor, not a function.*digits.draw"),
    (
        data.Images(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64), ("a",)),
        "draw is of type Images",
    ),
]


@pytest.mark.parametrize(("wrong", "says"), BAD_DRAWS)
@pytest.mark.parametrize("turns", [0, 3])
def test_bad_images_are_refused_and_nothing_moves(wrong, says, turns):
    played = game()
    list(played.play(draw, turns))
    before = state(played)
    with pytest.raises((TypeError, ValueError), match=says):
        list(played.play(wrong, 9))
    assert_untouched(played, before)
    assert played.turns == turns == len(played.history)
    assert list(played.play(draw, turns + 1)) == [turns + 1]


def test_a_bad_batch_in_mid_run_is_refused_as_well():
    played, straight = game(), game()
    with pytest.raises(ValueError, match="At turn 5 draw gave real images with NaN"):
        list(played.play(lambda n: with_nan(n) if played.turns == 4 else draw(n), 9))
    list(straight.play(draw, 4))
    assert_untouched(played, state(straight))


@pytest.mark.parametrize(
    ("g", "d", "says"),
    [
        (None, discriminator(nn.Sigmoid()), "sigmoid or a ReLU"),
        (None, discriminator(nn.ReLU()), "sigmoid or a ReLU"),
        (None, discriminator(nn.Tanh(), nn.Sigmoid(), nn.Flatten(0)), "sigmoid or a ReLU"),
        (
            None,
            nn.Sequential(models.RandomShift(1), discriminator(nn.Hardtanh(2, 3), nn.Sequential(nn.ReLU()))),
            "sigmoid or a ReLU",
        ),
        (None, discriminator(outputs=10), r"shape \(32, 10\) for 32 images; it must give 32 logits"),
        (
            generator(nn.Sigmoid),
            None,
            "never below 0, but from 0 to 1, whatever z is; they must reach from -1 to 1. End it with nn.Tanh",
        ),
        (generator(None), None, r"makes images with values up to \d.*End it with nn.Tanh"),
        (generator(latent_size=5), None, "latent_size is 3, and the first layer takes 5"),
        (models.conv_generator(5, SHAPE, 4), None, "latent_size is 3, and the first layer takes 5"),
        (discriminator(), generator(), "The generator comes first"),
    ],
)
def test_bad_networks_are_refused_at_the_first_turn(g, d, says):
    played = game(g, d)
    before = state(played)
    with pytest.raises(ValueError, match=says):
        list(played.play(draw, 9))
    assert_untouched(played, before)


def test_a_discriminator_of_one_number_is_refused():
    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = discriminator()

        def forward(self, images):
            return self.inner(images).mean()

    with pytest.raises(ValueError, match=r"shape \(\) for 32 images"):
        list(game(d=Mean()).play(draw, 1))


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"g": lambda z: z}, TypeError, "generator is of type function, not a network"),
        ({"d": nn.Flatten}, TypeError, "discriminator is of type type, not a network"),
        ({"g": generator().requires_grad_(False)}, ValueError, "generator has no parameter that may learn"),
        ({"d": discriminator().double()}, ValueError, "discriminator holds torch.float64"),
        ({"g": generator().half()}, ValueError, "generator holds torch.float16"),
        ({"losses": losses.non_saturating_generator}, TypeError, "losses is of type function"),
        ({"losses": tuple(losses.minimax)}, TypeError, "losses is of type tuple"),
        ({"batch_size": 64.0}, TypeError, "batch_size is 64.0; it is a whole number"),
        ({"latent_size": "100"}, TypeError, "latent_size is '100'; it is a whole number"),
        ({"latent_size": 0}, ValueError, "latent_size is 0"),
        ({"batch_size": 1}, ValueError, "batch_size is 1; batch normalisation"),
        ({"generator_lr": 0}, ValueError, "generator_lr is 0"),
        ({"discriminator_lr": float("nan")}, ValueError, "discriminator_lr is nan"),
        ({"betas": (0.999, 0.0)}, ValueError, "the smaller first"),
        ({"average_decay": 1.0}, ValueError, "average_decay is 1.0"),
        ({"average_decay": 1.5}, ValueError, "average_decay is 1.5"),
    ],
)
def test_bad_settings_are_refused_when_the_game_is_made(settings, error, says):
    with pytest.raises(error, match=says):
        game(**settings)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    "networks",
    [
        lambda: (models.mlp_generator(3, SHAPE, (8,)), models.mlp_discriminator(SHAPE, (8,))),
        lambda: (models.conv_generator(3, SHAPE, 4), models.conv_discriminator(SHAPE, 4)),
        lambda: (models.conv_generator(3, SHAPE, 4), models.spectral_discriminator(SHAPE, 4)),
        lambda: (generator(), nn.Sequential(models.RandomShift(1), discriminator())),
    ],
)
def test_honest_games_are_played(networks, seed):
    torch.manual_seed(seed)
    assert list(Game(*networks(), latent_size=3, batch_size=8).play(draw, 2)) == [1, 2]


def test_a_generator_that_paints_all_in_one_light_grey_before_it_has_learned_is_played():
    g = nn.Sequential(nn.Linear(3, 64), nn.Tanh(), nn.Unflatten(1, SHAPE))
    with torch.no_grad():
        g[0].weight.mul_(1e-3), g[0].bias.fill_(0.2)
    assert g(torch.randn(32, 3)).min() > 0
    assert list(game(g).play(draw, 2)) == [1, 2]


def test_points_may_lie_anywhere():
    played = Game(nn.Linear(2, 2), nn.Linear(2, 1), latent_size=2)
    assert list(played.play(lambda n: 50 + 10 * torch.rand(n, 2), 2)) == [1, 2]


def test_losses_of_ones_own_may_take_probabilities():
    bce = torch.nn.functional.binary_cross_entropy
    own = losses.Losses(
        lambda real, fake: bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake)),
        lambda fake: bce(fake, torch.ones_like(fake)),
    )
    assert list(game(d=discriminator(nn.Sigmoid()), losses=own).play(draw, 2)) == [1, 2]


def test_the_try_out_takes_no_random_number():
    """A game whose turns were each asked for by a `play` of its own, and so tried out each time, is the same game."""
    straight, tried = game(), game()
    list(straight.play(draw, 5))
    for until in range(1, 6):
        list(tried.play(draw, until))
    assert_untouched(straight, state(tried))
