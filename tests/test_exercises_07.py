"""The checks of lesson 07: right answers pass, plausible wrong ones get a hint that names the mistake."""

import copy
import itertools

import numpy
import pytest
import torch
from torch import nn
from torch.nn import functional

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


class Functional(nn.Module):
    """The layers hold the numbers, functions do the rest."""

    def __init__(self, activation=functional.relu, end=torch.tanh, norms=True):
        super().__init__()
        self.activation, self.end = activation, end
        sizes = (100, 16, 8, 8, 3)
        self.stamps = nn.ModuleList(
            nn.ConvTranspose2d(*pair, 4, 1 + (i > 0), int(i > 0)) for i, pair in enumerate(itertools.pairwise(sizes))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(size) if norms else nn.Identity() for size in sizes[1:-1])

    def forward(self, z):
        x = z[:, :, None, None]
        for stamp, norm in zip(self.stamps, self.norms):
            x = self.activation(norm(stamp(x)))
        return self.end(self.stamps[-1](x))


def one_relu():
    """One ReLU in three places, and it works in place."""
    relu = nn.ReLU(inplace=True)
    return colours(activation=lambda: relu)()


def refined():
    """An ordinary convolution draws the last details."""
    *layers, end = colours()()
    layers[-1] = nn.ConvTranspose2d(8, 8, 4, 2, 1)
    return nn.Sequential(*layers, nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1), end)


def upsampled():
    *layers, _, end = colours()()
    return nn.Sequential(*layers, nn.ConvTranspose2d(8, 3, 1), end, nn.Upsample(scale_factor=2))


def transposed_alone(network):
    for layer in network.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0, 0.02)


def with_pooling():
    *layers, end = colours()()
    return nn.Sequential(*layers, nn.Upsample(scale_factor=2), nn.MaxPool2d(2), end)


def weights_by_hand(network):
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.weight = nn.Parameter(0.02 * torch.randn_like(layer.weight))
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data = torch.from_numpy(numpy.random.normal(1, 0.02, layer.num_features))
            layer.bias.data[:] = 0


def stamp_by_numpy(signal, kernel, stride):
    result = numpy.zeros(stride * (len(signal) - 1) + len(kernel))
    for i in range(len(signal)):
        for j in range(len(kernel)):
            result[stride * i + j] += float(signal[i]) * float(kernel[j])
    return result


def stamp_in_place(signal, kernel, stride):
    result = stamp_line(signal, kernel, stride)
    signal.zero_()
    return result


RIGHT = [
    (lesson_07.check_size_after, size_after),
    (lesson_07.check_size_after, lambda n, k, s, p: torch.tensor(size_after(n, k, s, p))),
    (lesson_07.check_size_after, lambda n, k, s, p: numpy.int64(size_after(n, k, s, p))),
    (lesson_07.check_size_after, lambda n, k, s, p: float(len(stamp_line(torch.zeros(n), torch.zeros(k), s)) - 2 * p)),
    (lesson_07.check_stamp_line, stamp_line),
    (lesson_07.check_stamp_line, stamp_by_numpy),
    (lesson_07.check_stamp_line, lambda x, k, s: torch.from_numpy(stamp_by_numpy(x, k, s))),
    (lesson_07.check_stamp_line, lambda x, k, s: stamp_line(x.double(), k.double(), s).double()),
    (lesson_07.check_stamp_line, lambda x, k, s: functional.conv_transpose1d(x[None, None], k[None, None], stride=s).flatten()),
    (lesson_07.check_dcgan_weights, weights()),
    (lesson_07.check_dcgan_weights, weights_by_hand),
    (lesson_07.check_dcgan_weights, lambda network: network.apply(lambda layer: weights(deep=False)([layer]))),
    (lesson_07.check_colour_generator, colours()),
    (lesson_07.check_colour_generator, lambda: models.conv_generator(image_shape=(3, 32, 32))),
    (lesson_07.check_colour_generator, lambda: colours()().eval()),
    (lesson_07.check_colour_generator, lambda: colours()().double()),
    (lesson_07.check_colour_generator, one_relu),
    (lesson_07.check_colour_generator, refined),
    (lesson_07.check_colour_generator, Functional),
    (lesson_07.check_colour_generator, lambda: Functional(torch.Tensor.relu_, torch.Tensor.tanh_)),
    (lesson_07.check_colour_generator, lambda: Functional(lambda x: x.clamp(min=0), lambda x: 2 * torch.sigmoid(2 * x) - 1)),
]  # fmt: skip


@pytest.mark.parametrize("check, answer", RIGHT)
def test_right_answers_are_accepted(check, answer, verdict):
    check(answer)
    assert verdict().startswith("Right. ")


WRONG = [
    (lesson_07.check_size_after, lambda n, k, s, p: str(size_after(n, k, s, p)), "One number is expected, not the str '29'"),
    (lesson_07.check_size_after, lambda n, k, s, p: None, "is there a `return`"),
    (lesson_07.check_size_after, lambda n, k, s, p: size_after(n, k, s, p) / 2, "on paper"),
    (lesson_07.check_stamp_line, stamp_in_place, "changes the signal or the kernel"),
    (lesson_07.check_stamp_line, lambda x, k, s: stamp_line(x, k, s)[None], "should be one row of numbers"),
    (lesson_07.check_stamp_line, lambda x, k, s: stamp_line(x, k, s).tolist(), "A tensor is expected, not a list of 3"),
    (lesson_07.check_stamp_line, lambda x, k, s: stamp_line(x, k, s) / 0, "in the result"),
    (lesson_07.check_dcgan_weights, lambda network: None, "change the network that you are given, in place"),
    (lesson_07.check_dcgan_weights, lambda network: weights()(copy.deepcopy(network)), "change the network that you are given, in place"),
    (lesson_07.check_dcgan_weights, weights(std=0.03), "standard deviation 0.030; wanted are 0 and 0.02"),
    (lesson_07.check_dcgan_weights, weights(scale=1.1), "wanted are 1 and 0.02"),
    (lesson_07.check_colour_generator, lambda: nn.Sequential(nn.Tanh()), "no parameters"),
    (lesson_07.check_colour_generator, lambda: colours, "should return a network"),
    (lesson_07.check_colour_generator, lambda: colours(norm=lambda n: nn.BatchNorm2d(n + 1))(), "Your code stopped with"),
    (lesson_07.check_colour_generator, with_pooling, "pooling layer"),
    (lesson_07.check_colour_generator, colours(norm=nn.InstanceNorm2d), "no batch normalisation"),
    (lesson_07.check_colour_generator, colours(activation=nn.Identity), "no ReLU"),
    (lesson_07.check_colour_generator, colours(activation=nn.Sigmoid), "no ReLU"),
    (lesson_07.check_colour_generator, colours(end=nn.Identity), "tanh"),
    (lesson_07.check_colour_generator, colours(end=nn.Hardtanh), "tanh"),
    (lesson_07.check_colour_generator, lambda: Functional(functional.leaky_relu), "LeakyReLU is for D"),
    (lesson_07.check_colour_generator, lambda: Functional(norms=False), "transposed convolutions 1 and 2 there is no batch norm"),
    (lesson_07.check_colour_generator, lambda: Functional(end=torch.sigmoid), "tanh"),
    (lesson_07.check_size_after, lambda n, k, s, p: s * n + k - 2 * p, "n - 1 steps"),
    (lesson_07.check_size_after, lambda n, k, s, p: (n + 2 * p - k) // s + 1, "ordinary convolution"),
    (lesson_07.check_size_after, lambda n, k, s, p: s * (n - 1) + k + 2 * p, "here it cuts"),
    (lesson_07.check_size_after, lambda n, k, s, p: s * (n - 1) + k - p, "both ends"),
    (lesson_07.check_size_after, lambda n, k, s, p: s * (n - 1) + k - 2 * p + 1, "on paper"),
    (lesson_07.check_size_after, lambda n, k, s, p: s * n + k - p, "on paper"),
    (lesson_07.check_size_after, lambda n, k, s, p: (n + 2 * p - k) / s + 1, "ordinary convolution"),
    (lesson_07.check_dcgan_weights, transposed_alone, "the ordinary one is as it was"),
    (lesson_07.check_colour_generator, upsampled, "are made from (16, 16) to (32, 32) pixels, as nn.Upsample does"),
    (lesson_07.check_colour_generator, lambda: nn.Sequential(colours()(), nn.Tanh()), "one tanh, and nothing else"),
    (lesson_07.check_colour_generator, lambda: nn.Sequential(*list(colours()())[1:]), "batch×channels×height×width"),
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
]  # fmt: skip


@pytest.mark.parametrize("check, answer, words", WRONG)
def test_wrong_answers_get_a_hint_that_names_the_mistake(check, answer, words, verdict):
    check(answer)
    said = verdict()
    assert said.startswith("Not yet. ") and words in said


@pytest.mark.parametrize("name", ["size_after", "stamp_line", "dcgan_weights", "colour_generator"])
def test_stubs_are_not_attempted_yet(name, verdict):
    getattr(lesson_07, f"check_{name}")(lambda *arguments: ...)
    assert verdict().endswith("?")


def test_a_right_answer_is_not_refused_by_chance(verdict):
    for seed in range(40):
        torch.manual_seed(seed)
        lesson_07.check_dcgan_weights(weights())
        assert verdict().startswith("Right. "), seed
