"""Every check of lesson 04 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import copy
import re

import pytest
import torch
from torch import nn

from gan_lessons import models, training
from gan_lessons.exercises import lesson_04


def average_right(average, generator, decay):
    with torch.no_grad():
        for mine, its in zip(average.parameters(), generator.parameters()):
            mine.lerp_(its, 1 - decay)


def average_swapped(average, generator, decay):
    average_right(average, generator, 1 - decay)


def average_other_way(average, generator, decay):
    average_right(generator, average, decay)


def average_not_in_place(average, generator, decay):
    for mine, its in zip(average.parameters(), generator.parameters()):
        mine = decay * mine + (1 - decay) * its


def average_summed(average, generator, decay):
    with torch.no_grad():
        for mine, its in zip(average.parameters(), generator.parameters()):
            mine.add_((1 - decay) * its)


def average_unfinished(average, generator, decay):
    average_right(average, generator, decay)
    return ...


def average_with_gradients(average, generator, decay):
    for mine, its in zip(average.parameters(), generator.parameters()):
        mine.copy_(decay * mine + (1 - decay) * its)


def average_by_state(average, generator, decay):
    mine, its = average.state_dict(), generator.state_dict()
    average.load_state_dict({name: decay * mine[name] + (1 - decay) * its[name] for name in mine})


def average_by_data(average, generator, decay):
    for mine, its in zip(average.parameters(), generator.parameters()):
        mine.data = (decay * mine.data.double() + (1 - decay) * its.data.double()).float()


def average_fixed(average, generator, decay):
    average_right(average, generator, 0.9)


def average_freezes_g(average, generator, decay):
    generator.requires_grad_(False)
    average_right(average, generator, decay)


def average_renewed(average, generator, decay):
    average.weight = nn.Parameter((decay * average.weight + (1 - decay) * generator.weight).detach())
    average.bias = nn.Parameter((decay * average.bias + (1 - decay) * generator.bias).detach())


def average_weights_only(average, generator, decay):
    average.weight.data.lerp_(generator.weight.data, 1 - decay)


def average_in_graph(average, generator, decay):
    for name in ("weight", "bias"):
        moved = decay * getattr(average, name) + (1 - decay) * getattr(generator, name)
        delattr(average, name)
        setattr(average, name, moved)


def shuffled_in_place(images, order):
    images.copy_(images.flatten(1)[:, order].reshape(images.shape))
    return images


def shuffled_in_a_loop(images, order):
    result = torch.zeros_like(images)
    for image, new in zip(images.flatten(1), result.view(len(images), -1)):
        for place in range(784):
            new[place] = image[order[place]]
    return result


def generate_right(generator, z):
    before = generator.training
    generator.eval()
    with torch.no_grad():
        images = generator(z)
    generator.train(before)
    return images


@torch.inference_mode()
def generate_one_by_one(generator, z):
    before = generator.training
    images = [generator.eval()(row[None])[0] for row in z]
    generator.train(before)
    return torch.stack(images)


def generate_on_a_copy(generator, z):
    return copy.deepcopy(generator).eval()(z).detach()


def generate_too_late(generator, z):
    with torch.no_grad():
        images = generator(z)
    generator.eval()
    return images.clamp(0, 1)


def generate_cut_off(generator, z):
    return generate_right(generator, z).clamp(0, 1)


def generate_always_trains(generator, z):
    images = generator.eval()(z).detach()
    generator.train()
    return images


def generate_leaves_eval(generator, z):
    return generator.eval()(z).detach()


def generate_with_graph(generator, z):
    before = generator.training
    images = generator.eval()(z)
    generator.train(before)
    return images


def generate_freezes(generator, z):
    generator.requires_grad_(False)
    return generate_right(generator, z)


def generate_warms_up(generator, z):
    if generator.training:
        images = generate_right(generator, z)
        generator(z)
        return images
    return generate_right(generator, z)


def game(*networks, **settings):
    return training.Game(*(networks or (models.mlp_generator(), models.mlp_discriminator())), **settings)


def played():
    made = game(models.mlp_generator(widths=(8,)), models.mlp_discriminator(widths=(8,)))
    for _ in made.play(lambda n: torch.zeros(n, 1, 28, 28), 1):
        pass
    return made


def listed(kinds=(("normalised", 0.0), ("normalised", 0.5), ("default", 0.0)), seeds=(0, 1, 2), rate=1e-3):
    return [(name, seed, beta1, rate) for name, beta1 in kinds for seed in seeds]


EVERY = tuple((name, beta1) for name in ("default", "He's weights", "normalised") for beta1 in (0.5, 0))

CASES = [
    ("check_games", listed, "Right. 9 games"),
    ("check_games", lambda: tuple(map(list, listed(EVERY, seeds=(5, 7, 9, 11)))), "Right. 24 games"),
    ("check_games", lambda: listed(rate=2e-4), "D's rate is 0.0002"),
    ("check_games", lambda: listed() + [("normalised", 3, 0.0, 2e-4)], "D's rate is 0.0002"),
    ("check_games", lambda: listed(EVERY[:4]), "The pair itself, normalised with β₁ = 0, is missing"),
    ("check_games", lambda: listed((("normalised", 0.0), ("default", 0.5))), "Batch normalisation alone is missing"),
    ("check_games", lambda: listed((("normalised", 0.0), ("normalised", 0.5))), "β₁ = 0 alone is missing"),
    ("check_games", lambda: listed(seeds=(0,)), r"from 1 seed\(s\). A difference can be luck"),
    ("check_games", lambda: listed(seeds=(0, 1, 1)), "twice from one seed"),
    ("check_games", lambda: listed()[:-3] + listed(EVERY[1:2], seeds=(3, 4, 5)), "The seeds differ"),
    ("check_games", lambda: [(name, seed, 0.9, rate) for name, seed, _, rate in listed()], "In one game β₁ is 0.9"),
    ("check_games", lambda: [("MLP", 0, 0.0, 1e-3)], "one begins with the str 'MLP'"),
    ("check_games", lambda: [(models.mlp_generator, 0, 0.0, 1e-3)], "A game begins with a name out of makers"),
    ("check_games", lambda: [("default", 0, 1e-3)], "a tuple of four"),
    ("check_games", lambda: [("default", 0.0, 0, 1e-3)], "Behind the name come a whole number"),
    ("check_games", lambda: 9, "A list of games is expected"),
    ("check_games", list, "A list of games is expected"),
    ("check_generate", generate_right, "Right. The same z"),
    ("check_generate", models.run, "Right. The same z"),
    ("check_generate", generate_one_by_one, "Right. The same z"),
    ("check_generate", generate_on_a_copy, "Right. The same z"),
    ("check_generate", generate_too_late, "not the images of evaluation mode"),
    ("check_generate", lambda generator, z: generator(z).detach(), "not the images of evaluation mode"),
    ("check_generate", generate_cut_off, "below 0 has been cut off"),
    ("check_generate", generate_always_trains, "came in evaluation mode and is left in training mode"),
    ("check_generate", generate_leaves_eval, "came in training mode and is left in evaluation mode"),
    ("check_generate", generate_with_graph, "still hang on the graph"),
    ("check_generate", generate_freezes, "left frozen"),
    ("check_generate", generate_warms_up, "a look has changed G"),
    ("check_generate", lambda generator, z: generate_right(generator, z)[:1], "4 images"),
    ("check_quicker_game", lambda: models.mlp_generator(), "A training.Game is expected"),
    ("check_quicker_game", played, "played 1 turns already"),
    ("check_quicker_game", lambda: game(batch_size=256), "Batches of 256"),
    ("check_quicker_game", lambda: game(models.conv_generator(), models.conv_discriminator()), "Convolutions come in lesson 07"),
    (
        "check_quicker_game",
        lambda: game(models.mlp_generator(widths=(2048, 2048)), models.mlp_discriminator()),
        "below 3 million",
    ),
    ("check_average", average_right, "Right. The average moves a tenth"),
    ("check_average", average_by_state, "Right. The average moves a tenth"),
    ("check_average", average_by_data, "Right. The average moves a tenth"),
    ("check_average", average_fixed, "With decay 0.75, 1 and 2 should give 1.25"),
    ("check_average", average_freezes_g, "G is left frozen"),
    ("check_average", average_renewed, "has new parameters"),
    ("check_average", average_weights_only, "biases have not"),
    ("check_average", average_in_graph, "hangs on G's graph"),
    ("check_average", average_swapped, "jumped 90% of the way"),
    ("check_average", average_other_way, "G itself has changed"),
    ("check_average", average_not_in_place, "has not moved"),
    ("check_average", average_unfinished, "still ends with `return ...`: take that line out"),
    ("check_average", average_with_gradients, "changed in place under torch.no_grad"),
    ("check_average", average_summed, "should give 1.1"),
    ("check_average", lambda average, generator, decay: ..., "Not attempted yet"),
    ("check_shuffled", lambda x, order: x.flatten(1)[:, order].reshape(x.shape), "Right. The same order"),
    ("check_shuffled", lambda x, order: x.flatten(1)[:, order], "reshape it back"),
    ("check_shuffled", lambda x, order: x.flatten()[torch.randperm(x.numel())].reshape(x.shape), "from one image to another"),
    ("check_shuffled", lambda x, order: x.flatten(1)[:, order.argsort()].reshape(x.shape), "the way back"),
    ("check_shuffled", lambda x, order: x.flatten(1)[:, torch.randperm(784)].reshape(x.shape), "not by the order given"),
    ("check_shuffled", lambda x, order: x, "Nothing has moved"),
    ("check_shuffled", lambda x, order: x.flatten()[order], "There are 784 numbers in the result, and 2352"),
    ("check_shuffled", lambda x, order: x[order], "not so many places along that dimension"),
    ("check_shuffled", shuffled_in_place, "Right. The same order"),
    ("check_shuffled", shuffled_in_a_loop, "Right. The same order"),
    ("check_shuffled", lambda x, order: shuffled_in_place(x.double(), order).numpy(), "Right. The same order"),
    ("check_shuffled", lambda x, order: x.reshape(-1, 784).T[order].T.view(-1, 1, 28, 28), "Right. The same order"),
    ("check_shuffled", lambda x, order: list(x), "not a list of 3"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_04, check)(answer)
    assert re.search(says, verdict())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "Not yet. After 300 turns its distance is .*; the bar is 320"),
        ({"betas": (0.5, 0.999)}, "Not yet. After 300 turns its distance is .*; the bar is 320"),
        ({"generator_lr": 1e-3, "discriminator_lr": 1e-3}, "Right. After 300 turns its distance is .* effective classes"),
        ({"generator_lr": 1e-3, "discriminator_lr": 1e-3, "seed": 1}, "Right. "),
        ({"generator_lr": 1e-3, "discriminator_lr": 1e-3, "seed": 2}, "Right. "),
    ],
)
def test_the_bar_lies_between_the_lessons_recipe_and_a_quicker_one(settings, says, verdict):
    lesson_04.check_quicker_game(lambda: game(**settings))
    assert re.search(says, verdict())


@pytest.mark.parametrize("check", ["check_generate", "check_average", "check_shuffled", "check_games", "check_quicker_game"])
def test_the_untouched_exercise_asks(check, verdict):
    getattr(lesson_04, check)(...)
    assert re.fullmatch(r"Not attempted yet\. [A-Z].*\?", verdict())
