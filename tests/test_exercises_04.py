"""Every check of lesson 04 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import re

import numpy
import pytest
import torch
from torch import nn

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


def grey_in_place(images):
    return images.add_(1).mul_(127.5).round_().to(torch.uint8)


def stretched(images):
    return ((images - images.min()) / (images.max() - images.min()) * 255).round().to(torch.uint8)


def grey(images):
    return ((images + 1) * 127.5).round().to(torch.uint8)


def shuffled_in_place(images, order):
    images.copy_(images.flatten(1)[:, order].reshape(images.shape))
    return images


def shuffled_in_a_loop(images, order):
    result = torch.zeros_like(images)
    for image, new in zip(images.flatten(1), result.view(len(images), -1)):
        for place in range(784):
            new[place] = image[order[place]]
    return result


CASES = [
    ("check_to_grey", lambda x: ((x + 1) * 127.5).round().to(torch.uint8), "Right. All 256"),
    ("check_to_grey", grey_in_place, "Right. All 256"),
    ("check_to_grey", lambda x: (x.double() * 127.5 + 128).floor().to(torch.uint8), "Right. All 256"),
    ("check_to_grey", lambda x: torch.from_numpy(numpy.rint((x.numpy() + 1) * 127.5).astype(numpy.uint8)), "Right. All 256"),
    ("check_to_grey", stretched, "do not stretch each"),
    ("check_to_grey", lambda x: ((x.double() + 1) * 127.5 - 1e-4).ceil().clamp(0, 255).to(torch.uint8), "neither up nor down"),
    ("check_to_grey", lambda x: grey(x).flatten(), r"shape \(2, 1, 28, 28\) is expected"),
    ("check_to_grey", lambda x: grey(x).numpy(), "not a numpy array"),
    ("check_to_grey", lambda x: None, "is there a `return`"),
    ("check_to_grey", lambda x: ((x + 1) * 127.5).to(torch.uint8), "do not survive .* rounded before"),
    ("check_to_grey", lambda x: (x + 1) * 127.5, "type float32"),
    ("check_to_grey", lambda x: (x * 255).clamp(0, 255).to(torch.uint8), "0 lies in the middle .* but it became 0"),
    ("check_to_grey", lambda x: ((x + 1) * 128).round().clamp(max=255).to(torch.uint8), "do not survive"),
    ("check_to_grey", lambda x: ((x + 1) * 255).clamp(0, 510).div(4).to(torch.uint8), r"became \[0, 127\]"),
    ("check_to_grey", lambda x: ..., "Not attempted yet"),
    ("check_parameters", 580_240 - 16 + 0, "is not it"),
    ("check_parameters", 100 * 128 + 128 * 256 + 256 * 512 + 512 * 784 + 128 + 256 + 512 + 784, "Right. "),
    ("check_parameters", 100 * 128 + 128 * 256 + 256 * 512 + 512 * 784, "Those are the weights"),
    ("check_parameters", torch.tensor(579728), "Right. "),
    ("check_parameters", numpy.int64(579728), "Right. "),
    ("check_parameters", 128 + 256 + 512 + 784, "Those are the biases"),
    ("check_parameters", nn.Linear(100, 128), r"not a network \(Linear\)"),
    ("check_parameters", [579728], "not a list of 1"),
    ("check_parameters", ..., "Not attempted yet"),
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
    ("check_parameters", 579.728, "^Not yet. 579.728 is not it"),
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


@pytest.mark.parametrize("check", ["check_to_grey", "check_parameters", "check_average", "check_shuffled"])
def test_the_untouched_exercise_asks(check, verdict):
    getattr(lesson_04, check)(...)
    assert re.fullmatch(r"Not attempted yet\. [A-Z].*\?", verdict())
