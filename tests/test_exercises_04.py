"""Every check of lesson 04 takes the right answer, and refuses plausible wrong ones by naming the mistake."""

import re

import pytest
import torch

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


CASES = [
    ("check_to_grey", lambda x: ((x + 1) * 127.5).round().to(torch.uint8), "Right. All 256"),
    ("check_to_grey", lambda x: ((x + 1) * 127.5).to(torch.uint8), "do not survive .* round before"),
    ("check_to_grey", lambda x: (x + 1) * 127.5, "type torch.float32"),
    ("check_to_grey", lambda x: (x * 255).clamp(0, 255).to(torch.uint8), "do not survive"),
    ("check_to_grey", lambda x: ((x + 1) * 255).clamp(0, 510).div(4).to(torch.uint8), r"became \[0, 127\]"),
    ("check_to_grey", lambda x: ..., "Not attempted yet"),
    ("check_parameters", 580_240 - 16 + 0, "is not it"),
    ("check_parameters", 100 * 128 + 128 * 256 + 256 * 512 + 512 * 784 + 128 + 256 + 512 + 784, "Right. "),
    ("check_parameters", 100 * 128 + 128 * 256 + 256 * 512 + 512 * 784, "Those are the weights"),
    ("check_parameters", ..., "Not attempted yet"),
    ("check_average", average_right, "Right. The average moves a tenth"),
    ("check_average", average_swapped, "nine tenths"),
    ("check_average", average_other_way, "G itself has changed"),
    ("check_average", average_not_in_place, "has not moved"),
    ("check_average", average_summed, "should give 1.1"),
    ("check_average", lambda average, generator, decay: ..., "Not attempted yet"),
    ("check_shuffled", lambda x, order: x.flatten(1)[:, order].reshape(x.shape), "Right. The same order"),
    ("check_shuffled", lambda x, order: x.flatten(1)[:, order], "reshape it back"),
    ("check_shuffled", lambda x, order: x.flatten()[torch.randperm(x.numel())].reshape(x.shape), "from one image to another"),
    ("check_shuffled", lambda x, order: x.flatten(1)[:, order.argsort()].reshape(x.shape), "the way back"),
    ("check_shuffled", lambda x, order: x.flatten(1)[:, torch.randperm(784)].reshape(x.shape), "not by the order given"),
    ("check_shuffled", lambda x, order: x, "Nothing has moved"),
]


@pytest.mark.parametrize(("check", "answer", "says"), CASES)
def test_verdict(check, answer, says, verdict):
    getattr(lesson_04, check)(answer)
    assert re.search(says, verdict())
