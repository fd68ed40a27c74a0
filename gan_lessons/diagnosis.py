"""What a history shows, in words: a few rules, each of which names what it sees and what to look at next, never one sure cause.

Single turns of a healthy game swing widely, and words that come and go help nobody. So the rules read means over a hundred
turns, and hold only where the hundred turns before them look the same.

Where the limits come from. tools/record_tested_runs.py has played the lessons' own games, five seeds of each: 03's bump and
its ring, 04's digits, 07's and 08's convolutional games, and 08's pretrained networks, played on. Each limit lies between the
most extreme value that any of these showed after its first turns and what lesson 05's failures show, which
it has played with other seeds, on another ring and on digits; both values stand beside it. Another recipe
may well lie outside and be healthy: a finding says where to look, and not what is wrong.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy

from gan_lessons.history import History, Record

NEAR, LONG = 100, 500  # turns
YOUNG = 100  # turns, in which the players find to each other
LOG_2, LOG_4 = math.log(2), math.log(4)


class Finding(NamedTuple):
    """What has been seen, what to look at next, and the headings in lesson 05 that treat what looks like this."""

    sees: str
    look: str
    headings: tuple[str, ...]

    def __str__(self) -> str:
        sections = ", or ".join(f"“{heading}”" for heading in self.headings)
        return f"{self.sees}. {self.look} Lesson 05: {sections}."


class Means(NamedTuple):
    """The means of some turns."""

    real_p: float
    fake_p: float
    generator_loss: float
    discriminator_loss: float

    @property
    def gap(self) -> float:
        """By how much D is ahead."""
        return self.real_p - self.fake_p

    @property
    def saturating(self) -> bool:
        """Whether G's loss is log(1 - D(G(z))), never above 0, and not -log D(G(z)), never below."""
        return self.generator_loss <= 0


class Swings(NamedTuple):
    """How far D(x), D(G(z)) and their difference swing."""

    real: float
    fake: float
    gap: float

    @property
    def calm(self) -> bool:
        """Whether D(x) is a calm line beside D(G(z)), which swings 2.3 times as far at most in healthy games, and under a D that is
        too weak 5.2 times and more; with much momentum it may be 5.8 times, but D(x) itself swings by 0.03 then."""
        return self.fake > 5 * self.real and self.real < 0.02


class Seen(NamedTuple):
    """What the rules read: means of the last hundred turns, of the hundred before and of up to five hundred; the swings in the
    last two hundred and in up to two hundred before; and G's gradient, compared with that of turn 100, in words."""

    now: Means
    before: Means
    long: Means
    swings: Swings
    older_swings: Swings
    gradient: str

    @property
    def both(self) -> tuple[Means, Means]:
        """A rule of means holds in both."""
        return self.now, self.before


def diagnose(history: History, classes: float | None = None, of: int = 10) -> list[Finding]:
    """What a history shows that is worth a look, of a finished run or of one that is played; nothing where all is well.

    From turn 200 on; the history may leave turns out, as the recorded runs do, but no more than nine of ten. `classes` is the
    effective number of classes among samples of its end, of so many, where the caller has counted them. The rules are those
    of lesson 04's loss of D, the cross-entropy: of other losses nothing is said but the number of classes. Raises ValueError
    for a number of classes that cannot be.
    """
    if classes is not None and not 1 <= classes <= of:
        raise ValueError(f"classes is {classes:g} of {of}; it lies from 1 to {of}, as metrics.effective_classes counts.")
    return [*_curves(history), *(_few_classes(history, classes, of) if classes is not None else ())]


def _curves(history: History) -> Iterator[Finding]:
    """What the first of the rules that holds has found: they stand from the special to the general."""
    seen = _read(history)
    if seen and _cross_entropy(seen.now):
        yield from list(filter(None, (rule(seen) for rule in RULES)))[:1]


def _few_classes(history: History, classes: float, of: int) -> Iterator[Finding]:
    """Less than a third: of ten, healthy games showed 4.6 or more from turn 500 on, and fewer before, when all is a smudge."""
    if history and history[-1].turn >= 500 and classes < of / 3:
        look = "Look at a batch of samples: one picture for every z, or a few kinds of them?"
        yield Finding(f"Only {classes:.1f} of {of} classes are drawn", look, (COLLAPSE, ONE_PICTURE, MISSING))


# ---------------------------------------------------------------------------------------- what the rules read


def _read(history: History) -> Seen | None:
    """None where there are fewer than two hundred turns, or fewer than twenty rows of them."""
    rows = numpy.array(history[-LONG:], dtype=float).reshape(-1, len(Record._fields))
    end = rows[-1, 0] if len(rows) else 0
    ages = end - rows[:, 0]
    near = ages < 2 * NEAR
    if end < 2 * NEAR or near.sum() < 20:
        return None
    now, before, long = (
        Means(*rows[chosen, 1:5].mean(axis=0)) for chosen in (ages < NEAR, near & (ages >= NEAR), rows[:, 0] > YOUNG)
    )
    older = (ages >= 2 * NEAR) & (ages < 4 * NEAR) & (rows[:, 0] > YOUNG)
    return Seen(now, before, long, _swings(rows[near]), _swings(rows[older]), _shrunk(history))


def _swings(rows: numpy.ndarray) -> Swings:
    """How D(x), D(G(z)) and their difference swing: the standard deviation of their running mean over a tenth of the rows.

    It is taken around a straight line, so that no drift is a swing; of fewer than ten rows nothing is told.
    """
    if len(rows) < 10:
        return Swings(0, 0, 0)
    columns = numpy.column_stack([rows[:, 1], rows[:, 2], rows[:, 1] - rows[:, 2]])
    means = numpy.lib.stride_tricks.sliding_window_view(columns, len(rows) // 10, axis=0).mean(axis=-1)
    places = numpy.arange(len(means))
    slopes, starts = numpy.polyfit(places, means, 1)
    return Swings(*(means - numpy.outer(places, slopes) - starts).std(axis=0).tolist())


def _shrunk(history: History) -> str:
    """How G's gradient compares with what it was around turn 100, where both are known and differ by a factor of 3."""
    early = numpy.mean([record.generator_gradient for record in history[:150] if 50 < record.turn <= 150])
    late = numpy.mean([record.generator_gradient for record in history[-NEAR:] if record.turn > history[-1].turn - NEAR])
    if not (0 < early < math.inf and 0 < late < math.inf and max(early / late, late / early) > 3):
        return ""
    factor, how = (early / late, "smaller") if early > late else (late / early, "larger")
    return f", and G's gradient is {float(f'{factor:.2g}'):.0f} times {how} than around turn 100"


def _cross_entropy(now: Means) -> bool:
    """Whether D's loss can be lesson 04's: by Jensen's inequality that is no smaller than what the mean beliefs would cost."""
    return now.discriminator_loss > _surprise(now.real_p) + _surprise(1 - now.fake_p) - 0.05


def _surprise(p: float) -> float:
    """-log p, and no more than that of one in a billion."""
    return -math.log(max(p, 1e-9))


def _beliefs(means: Means) -> str:
    return f"D(x) {means.real_p:.2f}, D(G(z)) {means.fake_p:.2f}"


# --------------------------------------------------------------------------------------------- the rules

COLLAPSE, STRONG, SWING, WEAK = "1 · Mode collapse", "2 · D too strong", "3 · Oscillation", "4 · D too weak"
MISSING, LINEAR, ONE_PICTURE = "5 · A missing mode", "6 · No non-linearity in G", "7 · One picture for every z"
MIXED, LEAK, UNSCALED = "8 · Real and fake in one batch", "9 · Leaked gradients", "10 · Unscaled data"
FOOLED = "A fooled D does not mean a good G"


def another_d(seen: Seen) -> Finding | None:
    """By Jensen's inequality the mean of -log D(G(z)) is no smaller than -log of the mean: where it is, G meets another D.

    Between D's look at a batch and G's there is D's step. Healthy games: 0.43 below at most; mixed batches: 2.4 and more.
    """
    if any(means.saturating or means.generator_loss > _surprise(means.fake_p) - 0.9 for means in seen.both):
        return None
    least = _surprise(seen.now.fake_p)
    return Finding(
        f"G's loss is {seen.now.generator_loss:.2f}, too low for D(G(z)) {seen.now.fake_p:.2f}, with which it would be {least:.2f} "
        "or more: G is judged by another D than the one that learns",
        "Look at what D sees in its own step and in G's: batch normalisation over reals and fakes together differs.",
        (MIXED,),
    )


def leaking(seen: Seen) -> Finding | None:
    """On fakes two votes balance, 'fake' and 'real', and both losses are log 2; of reals nobody says 'fake'."""
    for means in seen.both:
        losses = (means.generator_loss, means.discriminator_loss)
        if means.real_p < 0.95 or abs(means.fake_p - 0.5) > 0.05 or any(abs(loss - LOG_2) > 0.05 for loss in losses):
            return None
    return Finding(
        f"D stays at one half on the fakes and is sure of the reals, {_beliefs(seen.now)}, and both losses stay at log 2 = 0.69",
        "Look whether D's step leaves a gradient in G, or G's step one in D.",
        (LEAK,),
    )


def strong_d(seen: Seen) -> Finding | None:
    """D knows nine of ten reals, and the fakes far less often. Healthy games: D(x) 0.66 at most."""
    if any(means.real_p < 0.9 or means.gap < 0.4 for means in seen.both):
        return None
    won = "has won" if seen.now.real_p > 0.95 and seen.now.fake_p < 0.05 else "is winning"
    flat = "; G's loss, a saturating one, is flat there" if seen.now.saturating else ""
    return Finding(
        f"D {won}: {_beliefs(seen.now)}{seen.gradient}{flat}",
        "Look at a batch of samples, and print the least and the greatest value of a real batch and of a fake one.",
        (STRONG, ONE_PICTURE, UNSCALED),
    )


def gap_stays(seen: Seen) -> Finding | None:
    """Healthy games: 0.28 at most, that of the pretrained faces; a linear G: 0.6 and more, in the end."""
    if any(means.gap < 0.4 for means in seen.both):
        return None
    return Finding(
        f"D is ahead and G does not catch up: {_beliefs(seen.now)}{seen.gradient}",
        "Look at a batch of samples, and at its range: what do they all lack, and can this G draw it?",
        (LINEAR, STRONG, ONE_PICTURE, UNSCALED),
    )


def waves(seen: Seen) -> Finding | None:
    """Who is ahead changes, in the last two hundred turns and before. Healthy games: 0.014 at most; much momentum: 0.035.

    It is the difference of the beliefs that counts: in lesson 04 both swing widely, but together. Where D(x) is a calm line,
    D knows nothing of the reals, and the waves may have nearly died down.
    """
    both = (seen.swings, seen.older_swings)
    if all(swings.calm for swings in both) and (_no_better(seen.long) or all(swings.gap > 0.004 for swings in both)):
        return Finding(
            f"D(G(z)) goes up and down in long waves, while D(x) is a calm line, near {seen.now.real_p:.2f}",
            "Look at D: is it too simple to know the reals, or does it learn far too slowly?",
            (WEAK,),
        )
    if any(swings.gap < 0.025 for swings in both):
        return None
    return Finding(
        "D(x) and D(G(z)) go up and down in waves, and who is ahead changes",
        "Look at samples of several moments, whether they travel, and at the momentum of both optimizers.",
        (SWING,),
    )


def _no_better(means: Means) -> bool:
    return means.gap < -0.002 and means.discriminator_loss > LOG_4 + 0.002


def coin(seen: Seen) -> Finding | None:
    """Over five hundred turns, D takes fakes for real more often than reals, and pays more than for a coin's guess.

    Healthy games: a gap of 0.0003 at least, in a young game; a collapse: -0.005 at most.
    """
    if not _no_better(seen.long):
        return None
    return Finding(
        f"D does no better than a coin: {_beliefs(seen.long)}, and its loss, {seen.long.discriminator_loss:.3f}, is above log 4 = 1.386",
        "Look at a batch of samples: all on one spot, G is ahead of D; without any shape, D is blind.",
        (COLLAPSE, WEAK, FOOLED),
    )


RULES = (another_d, leaking, strong_d, gap_stays, waves, coin)
