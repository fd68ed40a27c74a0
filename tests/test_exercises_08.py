"""The checks of lesson 08: right answers pass, plausible wrong ones get a hint that names the mistake."""

import functools
import math
import random
from collections import Counter

import numpy
import pytest
import torch

from gan_lessons.exercises import lesson_08


def stretch(weights):
    return math.prod(torch.linalg.matrix_norm(weight, ord=2).item() for weight in weights)


def cover(room=0, same=False, in_place=False, one_channel=False, everywhere=None):
    def random_cover(images, size):
        covered = images.detach() if in_place else images.clone()
        n, _, height, width = images.shape
        for i in range(n):
            generator = torch.Generator().manual_seed(5) if same else None
            top = torch.randint(0, height - size + 1 + room, (1,), generator=generator)
            left = torch.randint(0, width - size + 1 + room, (1,), generator=generator)
            channels = slice(0, 1) if one_channel else slice(None)
            covered[i, channels, top : top + size, left : left + size] = 0
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


def by_a_mask(images, size):
    n, _, height, width = images.shape
    rows, columns = (torch.arange(side, device=images.device) for side in (height, width))
    top, left = (torch.randint(side - size + 1, (n, 1), device=images.device) for side in (height, width))
    tall, wide = (rows >= top) & (rows < top + size), (columns >= left) & (columns < left + size)
    return images.masked_fill((tall[:, :, None] & wide[:, None])[:, None], 0)


def cover_from(seed=None, fill=0.0, every=1, squares=1, same_fraction=False):
    """Python's random numbers, from a seed or not; a colour; only some images; several squares; row and column from one number."""

    def random_cover(images, size):
        covered, source = images.clone(), random.Random(seed)
        for i in [i for i in range(0, len(images), every) for _ in range(squares)]:
            one, other = source.random(), source.random()
            top = int((images.shape[2] - size + 1) * one)
            left = int((images.shape[3] - size + 1) * (one if same_fraction else other))
            covered[i, :, top : top + size, left : left + size] = fill
        return covered

    return random_cover


def cover_with_noise(images, size):
    covered = cover()(images, size)
    return torch.where(covered == 0, torch.rand_like(covered), covered)


def cover_on_a_line(images, size):
    covered = images.clone()
    for image in range(len(images)):
        place = int(torch.randint(images.shape[2] - size + 1, (1,)))
        covered[image, :, place : place + size, place : place + size] = 0
    return covered


def cover_by_pixels(images, size):
    return images * (torch.rand(len(images), 1, *images.shape[2:], device=images.device) > 0.1)


def oblong(images, size):
    covered = images.clone()
    covered[:, :, : size // 2, : 2 * size] = 0
    return covered


def cover_in_place(images, size):
    images[:, :, :size, :size] = 0
    return images


def rarer(than=1 / 3, shares=lambda part, whole: part / whole, rare=lambda drawn, bar: drawn < bar, minus=0.0):
    def answer(real, drawn):
        return [v for v in set(real) if rare(shares(drawn.count(v), len(drawn)), shares(real.count(v), len(real)) * than - minus)]

    return answer


def by_products(real, drawn):
    """In whole numbers."""
    return {value for value in real if 3 * drawn.count(value) * len(real) < real.count(value) * len(drawn)}


def by_ratios(real, drawn):
    return tuple(value for value in set(real) if (drawn.count(value) / len(drawn)) / (real.count(value) / len(real)) < 1 / 3)


def sorted_in_place(real, drawn):
    real.sort(reverse=True)
    return rarely_drawn(real, drawn)


def below(limit):
    return lambda drawn, new_real: (drawn < limit(new_real)).float().mean()


def copied_by_loops(drawn, new_real):
    limit = sorted(new_real.tolist())[len(new_real) // 100]
    return sum(distance < limit for distance in drawn.tolist()) / len(drawn)


RIGHT = [
    (lesson_08.check_stretch, stretch),
    (lesson_08.check_stretch, lambda weights: torch.stack([torch.linalg.svdvals(w)[0] for w in weights]).prod().double()),
    (lesson_08.check_stretch, lambda weights: numpy.prod([numpy.linalg.norm(w.numpy(), 2) for w in weights])),
    (lesson_08.check_stretch, lambda weights: math.prod(torch.linalg.eigvalsh(w.T @ w)[-1] ** 0.5 for w in weights)),
    (lesson_08.check_random_cover, cover()),
    (lesson_08.check_random_cover, by_a_mask),
    (lesson_08.check_random_cover, cover_from()),
    (lesson_08.check_random_cover, lambda images, size: cover()(images, size).double()),
    (lesson_08.check_rarely_drawn, lambda real, drawn: numpy.array(rarely_drawn(real, drawn))),
    (lesson_08.check_rarely_drawn, rarely_drawn),
    (lesson_08.check_rarely_drawn, lambda real, drawn: set(rarely_drawn(real, drawn))),
    (lesson_08.check_rarely_drawn, lambda real, drawn: dict.fromkeys(rarely_drawn(real, drawn))),
    (lesson_08.check_rarely_drawn, by_products),
    (lesson_08.check_rarely_drawn, by_ratios),
    (lesson_08.check_copied, copied),
    (lesson_08.check_copied, lambda drawn, new_real: copied(drawn, new_real).item()),
    (lesson_08.check_copied, lambda drawn, new_real: numpy.mean(drawn.numpy() < numpy.quantile(new_real.numpy(), 0.01))),
    (lesson_08.check_copied, lambda drawn, new_real: (drawn <= new_real.double().quantile(0.01)).double().mean()),
    (lesson_08.check_copied, copied_by_loops),
]  # fmt: skip


@pytest.mark.parametrize("check, answer", RIGHT)
def test_right_answers_are_accepted(check, answer, verdict):
    check(answer)
    assert verdict().startswith("Right. ")


WRONG = [
    (lesson_08.check_stretch, lambda weights: math.prod(w.norm().item() for w in weights), "Frobenius norm"),
    (lesson_08.check_stretch, lambda weights: sum(stretch([w]) for w in weights), "stretches multiply"),
    (lesson_08.check_stretch, lambda weights: max(stretch([w]) for w in weights), "the others stretches, too"),
    (lesson_08.check_stretch, lambda weights: stretch(weights[-1:]), "layer 2 of 2 alone; each of the others stretches, too"),
    (lesson_08.check_stretch, lambda weights: stretch(weights[:1]), "layer 1 of 2 alone; each of the others stretches, too"),
    (lesson_08.check_random_cover, cover_on_a_line, "Row and column are the same number in every image"),
    (lesson_08.check_random_cover, cover_by_pixels, "One square for each image, of 4 rows and 4 columns"),
    (lesson_08.check_random_cover, lambda images, size: cover()(images, size + 1), "They lie in 5 rows and 5 columns"),
    (lesson_08.check_random_cover, lambda images, size: cover()(images, size - 1), "They lie in 3 rows and 3 columns"),
    (lesson_08.check_copied, lambda drawn, new_real: (drawn < drawn.quantile(0.01)).float().mean(), "taken from the drawn images themselves?"),
    (lesson_08.check_copied, lambda drawn, new_real: (drawn < new_real.quantile(0.01)).sum() / len(new_real), "divided by how many new real"),
    (lesson_08.check_copied, lambda drawn, new_real: new_real.quantile(0.01), "That is the limit itself"),
    (lesson_08.check_copied, lambda drawn, new_real: (drawn < new_real.quantile(0.01)).mean(), "no mean of True and False"),
    (lesson_08.check_stretch, lambda weights: stretch(weights) ** 2, "squares of singular values"),
    (lesson_08.check_stretch, lambda weights: 1.0, "of one layer that value itself"),
    (lesson_08.check_stretch, lambda weights: stretch(weights) if len(weights) == 1 else 7.0, "product of the layers' largest"),
    (lesson_08.check_stretch, lambda weights: stretch([functools.reduce(lambda before, w: w @ before, weights)]), "the LeakyReLUs between"),
    (lesson_08.check_stretch, lambda weights: torch.linalg.svdvals(weights[0]), "One number is expected, not a tensor of shape (5,)"),
    (lesson_08.check_stretch, lambda weights: (stretch(weights),), "tuple of one"),
    (lesson_08.check_random_cover, cover_in_place, "have changed"),
    (lesson_08.check_random_cover, cover_from(seed=0), "A second call covers the same places"),
    (lesson_08.check_random_cover, cover_from(fill=-1.0), "not 0 but, for example, -1: grey is 0"),
    (lesson_08.check_random_cover, cover_from(fill=1.0), "not 0 but, for example, 1: grey is 0"),
    (lesson_08.check_random_cover, cover_with_noise, "grey is 0"),
    (lesson_08.check_random_cover, cover_from(every=2), "image 1 loses 0. One square for each image"),
    (lesson_08.check_random_cover, cover_from(squares=2), "One square for each image"),
    (lesson_08.check_random_cover, lambda images, size: cover()(images, size - 1), "image 0 loses 9"),
    (lesson_08.check_random_cover, oblong, "one square of 4×4"),
    (lesson_08.check_random_cover, cover_from(same_fraction=True), "draw row and column independently"),
    (lesson_08.check_random_cover, lambda images, size: cover()(images, size)[:, :1], "should be a tensor of the images' shape"),
    (lesson_08.check_random_cover, lambda images, size: torch.from_numpy(cover()(images, size).detach().numpy()), "No gradient"),
    (lesson_08.check_random_cover, lambda images, size: None, "is there a `return`"),
    (lesson_08.check_random_cover, cover(in_place=True), "have changed"),
    (lesson_08.check_random_cover, lambda images, size: cover()(images.detach(), size), "No gradient"),
    (lesson_08.check_random_cover, cover(everywhere=0.5), "Outside the squares"),
    (lesson_08.check_random_cover, cover(one_channel=True), "all three channels"),
    (lesson_08.check_random_cover, cover(room=3), "stick out"),
    (lesson_08.check_random_cover, cover(same=True), "a place of its own"),
    (lesson_08.check_random_cover, cover(room=-1), "leaves its upper end out"),
    (lesson_08.check_random_cover, lambda images, size: images, "image 0 loses 0"),
    (lesson_08.check_rarely_drawn, by_counts, "compare shares, not counts"),
    (lesson_08.check_rarely_drawn, among_the_drawn, "does not turn up"),
    (lesson_08.check_rarely_drawn, lambda real, drawn: rarer(than=1 / 3)(real, drawn)[:1], "30 u"),
    (lesson_08.check_rarely_drawn, the_other_way, "'b' is 0.5 of the real and 0.1 of the drawn, and the second share is below a third of the first"),
    (lesson_08.check_rarely_drawn, rarer(than=1 / 2), "'b' is 0.5 of the real and 0.17 of the drawn, and the second share is not below a third"),
    (lesson_08.check_rarely_drawn, rarer(than=1 / 4), "'b' is 0.5 of the real and 0.16 of the drawn, and the second share is below a third"),
    (lesson_08.check_rarely_drawn, rarer(than=1, minus=1 / 3), "'a' is 0.9 of the real and 0.5 of the drawn, and the second share is not below"),
    (lesson_08.check_rarely_drawn, rarer(rare=lambda drawn, bar: drawn <= bar), "'a' is 0.75 of the real and 0.25 of the drawn"),
    (lesson_08.check_rarely_drawn, rarer(rare=lambda drawn, bar: drawn > bar), "'a' is"),
    (lesson_08.check_rarely_drawn, lambda real, drawn: [v for v in real if v in rarely_drawn(real, drawn)], "Each value should stand there once"),
    (lesson_08.check_rarely_drawn, sorted_in_place, "changes the lists"),
    (lesson_08.check_rarely_drawn, lambda real, drawn: set(real + drawn) - set(real) | set(rarely_drawn(real, drawn)), "'new' is not in the data"),
    (lesson_08.check_rarely_drawn, lambda real, drawn: [(v, 0.1) for v in rarely_drawn(real, drawn)], "('b', 0.1) is not in the data"),
    (lesson_08.check_rarely_drawn, lambda real, drawn: rarely_drawn(real, drawn)[:1] and "b", "not the str 'b'"),
    (lesson_08.check_rarely_drawn, lambda real, drawn: len(rarely_drawn(real, drawn)), "not the int 1"),
    (lesson_08.check_copied, lambda drawn, new_real: (drawn < new_real.quantile(0.01)).sum(), "a number of images"),
    (lesson_08.check_copied, lambda drawn, new_real: (drawn > new_real.quantile(0.01)).float().mean(), "near, not far"),
    (lesson_08.check_copied, lambda drawn, new_real: (drawn < new_real.mean()).float().mean(), "makes nobody a copy"),
    (lesson_08.check_copied, below(lambda new_real: new_real.quantile(0.99)), "the 1 % quantile from below"),
    (lesson_08.check_copied, below(torch.min), "nearer than every new real one"),
    (lesson_08.check_copied, below(lambda new_real: new_real.quantile(0.05)), "That is the 5 % quantile"),
    (lesson_08.check_copied, below(lambda new_real: new_real.quantile(0.1)), "That is the 10 % quantile"),
    (lesson_08.check_copied, below(lambda new_real: new_real.quantile(0.02)), "The limit is the 1 % quantile of the new real distances, here 0.32"),
    (lesson_08.check_copied, below(lambda new_real: new_real.quantile(0.005)), "The limit is the 1 % quantile"),
    (lesson_08.check_copied, below(lambda new_real: 0.02), "The limit is the 1 % quantile"),
    (lesson_08.check_copied, below(lambda new_real: 0.32), "The limit is the 1 % quantile of the new real distances, here 0.02"),
    (lesson_08.check_copied, below(lambda new_real: 0.01 * new_real.max()), "The limit is the 1 % quantile"),
    (lesson_08.check_copied, below(lambda new_real: 0.01 * new_real.mean()), "The limit is the 1 % quantile"),
    (lesson_08.check_copied, lambda drawn, new_real: 100 * copied(drawn, new_real), "That is a percentage"),
    (lesson_08.check_copied, lambda drawn, new_real: drawn < new_real.quantile(0.01), "One number is expected"),
    (lesson_08.check_copied, lambda drawn, new_real: None, "is there a `return`"),
]  # fmt: skip


@pytest.mark.parametrize("check, answer, words", WRONG)
def test_wrong_answers_get_a_hint_that_names_the_mistake(check, answer, words, verdict):
    check(answer)
    said = verdict()
    assert said.startswith("Not yet. ") and words in said


@pytest.mark.parametrize("name", ["stretch", "random_cover", "rarely_drawn", "copied"])
def test_stubs_are_not_attempted_yet(name, verdict):
    getattr(lesson_08, f"check_{name}")(lambda *arguments: ...)
    assert verdict().endswith("?")
