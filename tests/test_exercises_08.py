"""The checks of lesson 08: right answers pass, plausible wrong ones get a hint that names the mistake."""

import math
from collections import Counter

import pytest
import torch

from gan_lessons.exercises import lesson_08


def stretch(weights):
    return math.prod(torch.linalg.matrix_norm(weight, ord=2).item() for weight in weights)


def cover(room=0, same=False, in_place=False, one_channel=False, oblong=0, everywhere=None):
    def random_cover(images, size):
        covered = images.detach() if in_place else images.clone()
        n, _, height, width = images.shape
        for i in range(n):
            generator = torch.Generator().manual_seed(5) if same else None
            top = torch.randint(0, height - size + 1 + room, (1,), generator=generator)
            left = torch.randint(0, width - size + 1 + room, (1,), generator=generator)
            channels = slice(0, 1) if one_channel else slice(None)
            covered[i, channels, top : top + size + oblong, left : left + size - oblong] = 0
        return covered if everywhere is None else covered + everywhere

    return random_cover


def rarely_drawn(real, drawn):
    there, made = Counter(real), Counter(drawn)
    return [value for value in there if made[value] / len(drawn) < there[value] / len(real) / 3]


def by_counts(real, drawn):
    there, made = Counter(real), Counter(drawn)
    return [value for value in there if made[value] < there[value] / 3]


def among_the_drawn(real, drawn):
    return [value for value in set(drawn) if drawn.count(value) / len(drawn) < real.count(value) / len(real) / 3]


def the_other_way(real, drawn):
    return [value for value in set(drawn) if real.count(value) / len(real) < drawn.count(value) / len(drawn) / 3]


def copied(drawn, new_real):
    return (drawn < new_real.quantile(0.01)).float().mean()


RIGHT = [
    (lesson_08.check_stretch, stretch),
    (lesson_08.check_random_cover, cover()),
    (lesson_08.check_rarely_drawn, rarely_drawn),
    (lesson_08.check_rarely_drawn, lambda real, drawn: set(rarely_drawn(real, drawn))),
    (lesson_08.check_copied, copied),
    (lesson_08.check_copied, lambda drawn, new_real: copied(drawn, new_real).item()),
]


@pytest.mark.parametrize("check, answer", RIGHT)
def test_right_answers_are_accepted(check, answer, verdict):
    check(answer)
    assert verdict().startswith("Right. ")


WRONG = [
    (lesson_08.check_stretch, lambda weights: math.prod(w.norm().item() for w in weights), "Frobenius norm"),
    (lesson_08.check_stretch, lambda weights: sum(stretch([w]) for w in weights), "stretches multiply"),
    (lesson_08.check_stretch, lambda weights: max(stretch([w]) for w in weights), "the others stretches, too"),
    (lesson_08.check_stretch, lambda weights: stretch(weights) ** 2, "squares of singular values"),
    (lesson_08.check_stretch, lambda weights: 1.0, "more than you allow"),
    (lesson_08.check_random_cover, cover(in_place=True), "have changed"),
    (lesson_08.check_random_cover, lambda images, size: cover()(images.detach(), size), "No gradient"),
    (lesson_08.check_random_cover, cover(everywhere=0.5), "Outside the squares"),
    (lesson_08.check_random_cover, cover(one_channel=True), "all three channels"),
    (lesson_08.check_random_cover, cover(room=3), "stick out"),
    (lesson_08.check_random_cover, cover(same=True), "a place of its own"),
    (lesson_08.check_random_cover, cover(room=-1), "leaves its upper end out"),
    (lesson_08.check_random_cover, lambda images, size: images, "should lose 16 pixels"),
    (lesson_08.check_rarely_drawn, by_counts, "compare shares, not counts"),
    (lesson_08.check_rarely_drawn, among_the_drawn, "does not turn up"),
    (lesson_08.check_rarely_drawn, the_other_way, "below a third"),
    (lesson_08.check_copied, lambda drawn, new_real: (drawn < new_real.quantile(0.01)).sum(), "a number of images"),
    (lesson_08.check_copied, lambda drawn, new_real: (drawn > new_real.quantile(0.01)).float().mean(), "near, not far"),
    (lesson_08.check_copied, lambda drawn, new_real: (drawn < new_real.mean()).float().mean(), "1 % quantile"),
    (lesson_08.check_copied, lambda drawn, new_real: (drawn < new_real.quantile(0.99)).float().mean(), "1 % quantile"),
]


@pytest.mark.parametrize("check, answer, words", WRONG)
def test_wrong_answers_get_a_hint_that_names_the_mistake(check, answer, words, verdict):
    check(answer)
    said = verdict()
    assert said.startswith("Not yet. ") and words in said


@pytest.mark.parametrize("name", ["stretch", "random_cover", "rarely_drawn", "copied"])
def test_stubs_are_not_attempted_yet(name, verdict):
    getattr(lesson_08, f"check_{name}")(lambda *arguments: ...)
    assert verdict().startswith("Not attempted yet. First step: ")
