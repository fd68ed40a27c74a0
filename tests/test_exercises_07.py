"""The checks of lesson 07: right answers pass, plausible wrong ones get a hint that names the mistake."""

import pytest
import torch
from torch import nn

from gan_lessons import models
from gan_lessons.exercises import lesson_07


def size_after(n, kernel, stride, padding):
    return stride * (n - 1) + kernel - 2 * padding


def stamp_line(signal, kernel, stride):
    result = torch.zeros(stride * (len(signal) - 1) + len(kernel))
    for i, value in enumerate(signal):
        result[stride * i : stride * i + len(kernel)] += value * kernel
    return result


def covering(signal, kernel, stride):
    result = torch.zeros(stride * (len(signal) - 1) + len(kernel))
    for i, value in enumerate(signal):
        result[stride * i : stride * i + len(kernel)] = value * kernel
    return result


def weights(std=0.02, scale=1.0, shift=0.0, deep=True, dense=False):
    def change(network):
        for layer in network.modules() if deep else network:
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) or (dense and isinstance(layer, nn.Linear)):
                nn.init.normal_(layer.weight, 0, std)
            elif isinstance(layer, nn.BatchNorm2d):
                nn.init.normal_(layer.weight, scale, 0.02)
                if shift is not None:
                    nn.init.constant_(layer.bias, shift)
        return "done"

    return change


def colours(kernel=4, last_norm=False, end=nn.Tanh, activation=nn.ReLU, norm=nn.BatchNorm2d, start=4, first=None):
    def build():
        first_layers = first or [nn.Unflatten(1, (100, 1, 1)), nn.ConvTranspose2d(100, 32, start)]
        layers = [*first_layers, norm(32), activation()]
        for inputs, outputs in ((32, 16), (16, 8)):
            layers += [nn.ConvTranspose2d(inputs, outputs, kernel, 2, 1, kernel % 2), norm(outputs), activation()]
        layers += [nn.ConvTranspose2d(8, 3, kernel, 2, 1, kernel % 2)] + ([nn.BatchNorm2d(3)] if last_norm else [])
        return nn.Sequential(*layers, end())

    return build


RIGHT = [
    (lesson_07.check_size_after, size_after),
    (lesson_07.check_stamp_line, stamp_line),
    (lesson_07.check_dcgan_weights, weights()),
    (lesson_07.check_colour_generator, colours()),
    (lesson_07.check_colour_generator, lambda: models.conv_generator(image_shape=(3, 32, 32))),
]


@pytest.mark.parametrize("check, answer", RIGHT)
def test_right_answers_are_accepted(check, answer, verdict):
    check(answer)
    assert verdict().startswith("Right. ")


WRONG = [
    (lesson_07.check_size_after, lambda n, k, s, p: s * n + k - 2 * p, "n - 1 steps"),
    (lesson_07.check_size_after, lambda n, k, s, p: (n + 2 * p - k) // s + 1, "ordinary convolution"),
    (lesson_07.check_size_after, lambda n, k, s, p: s * (n - 1) + k + 2 * p, "here it cuts"),
    (lesson_07.check_size_after, lambda n, k, s, p: s * (n - 1) + k - p, "both ends"),
    (lesson_07.check_size_after, lambda n, k, s, p: s * (n - 1) + k, "not been cut"),
    (lesson_07.check_size_after, lambda n, k, s, p: 2 * n, "on paper"),
    (lesson_07.check_stamp_line, covering, "+= instead of ="),
    (lesson_07.check_stamp_line, lambda x, k, s: stamp_line(x, k.flip(0), s), "mirrored"),
    (lesson_07.check_stamp_line, lambda x, k, s: stamp_line(x, k, 1), "numbers; stride"),
    (lesson_07.check_stamp_line, lambda x, k, s: stamp_line(x, k, s) + 1, "differ from torch's"),
    (lesson_07.check_dcgan_weights, weights(std=0.0004), "the standard deviation, 0.02"),
    (lesson_07.check_dcgan_weights, weights(scale=0.0), "Around 1"),
    (lesson_07.check_dcgan_weights, weights(deep=False), "inside another network"),
    (lesson_07.check_dcgan_weights, weights(shift=None), "should be 0"),
    (lesson_07.check_dcgan_weights, weights(dense=True), "dense layer has changed"),
    (lesson_07.check_colour_generator, colours(kernel=3), "checkerboard"),
    (lesson_07.check_colour_generator, colours(last_norm=True), "last layer is normalised"),
    (lesson_07.check_colour_generator, colours(end=nn.Sigmoid), "tanh"),
    (lesson_07.check_colour_generator, colours(activation=lambda: nn.LeakyReLU(0.2)), "LeakyReLU is for D"),
    (lesson_07.check_colour_generator, colours(norm=lambda n: nn.Identity()), "each but the last"),
    (lesson_07.check_colour_generator, colours(start=3), "sizes 1, 4, 8, 16, 32"),
    (lesson_07.check_colour_generator, colours(first=[nn.Linear(100, 512), nn.Unflatten(1, (32, 4, 4))]), "dense layer in it"),
]


@pytest.mark.parametrize("check, answer, words", WRONG)
def test_wrong_answers_get_a_hint_that_names_the_mistake(check, answer, words, verdict):
    check(answer)
    said = verdict()
    assert said.startswith("Not yet. ") and words in said


@pytest.mark.parametrize("name", ["size_after", "stamp_line", "dcgan_weights", "colour_generator"])
def test_stubs_are_not_attempted_yet(name, verdict):
    getattr(lesson_07, f"check_{name}")(lambda *arguments: ...)
    assert verdict().startswith("Not attempted yet. First step: ")
