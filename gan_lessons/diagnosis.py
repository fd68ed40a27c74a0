"""What a history shows, in words: few rules, each of which names what it sees and what to look at next, never one sure cause.

The rules read means over a hundred turns, and speak only where the hundred turns before them looked the same: single turns
of a healthy game swing widely, and words that come and go help nobody.

Where the numbers come from. tools/record_healthy_runs.py has played the lessons' own games with five seeds each: 03's bump
and its ring, 04's digits, 07's and 08's convolutional games, and 08's pretrained networks. Each limit lies between the most
extreme mean that any of them showed, named beside it, and what lesson 05's failures show, with other seeds and another ring
(tests/test_diagnosis.py holds both). Another recipe may well lie outside and be healthy: a finding says where to look.
"""

import math
from collections.abc import Callable
from statistics import fmean, pstdev
from typing import NamedTuple

from gan_lessons.history import History, Record

WINDOW = 100  # turns
REFERENCE = 100  # the turn that G's gradient is compared with: the first at which the players have found to each other
LOG_2, LOG_4 = math.log(2), math.log(4)


class Finding(NamedTuple):
    """What has been seen, what to look at next, and the heading in lesson 05 that treats it."""

    sees: str
    look: str
    heading: str

    def __str__(self) -> str:
        return f"{self.sees}. {self.look} Lesson 05: {self.heading}."


class Means(NamedTuple):
    """The means of a hundred turns, and how far D's beliefs swing: the standard deviation of their means over twenty turns."""

    real_p: float
    fake_p: float
    generator_loss: float
    discriminator_loss: float
    real_swing: float
    fake_swing: float


class Rule(NamedTuple):
    """Whether it holds in a hundred turns, and what is then said."""

    holds: Callable[[Means], bool]
    sees: Callable[[Means], str]
    look: str
    heading: str


def diagnose(history: History, classes: float | None = None, of: int = 10) -> list[Finding]:
    """What a history shows that is worth a look, of a finished run or of one that is played; nothing where all is well.

    `history` may leave turns out, as the recorded runs do, but no more than nine of ten. `classes` is the effective number
    of classes among samples of the end, where the caller has counted them, of so many. The rules are those of cross-entropy,
    lesson 04's loss of D: of other losses nothing is said but the number of classes. Raises ValueError for classes that
    cannot be.
    """
    if classes is not None and not 1 <= classes <= of:
        raise ValueError(f"classes is {classes:g} of {of}; it lies from 1 to {of}, as metrics.effective_classes counts.")
    if not history:
        return []
    end = history[-1].turn
    now, before = _means(history, end), _means(history, end - WINDOW)
    found = []
    if now and before and _cross_entropy(now):
        found = [
            Finding(rule.sees(now) + (_shrunk(history) if rule.heading == STRONG else ""), rule.look, rule.heading)
            for rule in RULES
            if rule.holds(now) and rule.holds(before)
        ]
    return found


def _means(history: History, end: int) -> Means | None:
    """What the hundred turns up to `end` show; None where they are not all there."""
    rows = [record for record in history[-2 * WINDOW :] if end - WINDOW < record.turn <= end]
    if end < WINDOW or len(rows) < WINDOW // 10:
        return None
    groups: dict[int, list[Record]] = {}
    for record in rows:
        groups.setdefault((end - record.turn) // 20, []).append(record)
    real, fake = ([fmean(record[column] for record in group) for group in groups.values()] for column in (1, 2))
    columns = list(zip(*rows))[1:5]
    return Means(*map(fmean, columns), pstdev(real), pstdev(fake))


def _cross_entropy(now: Means) -> bool:
    """Whether D's loss can be lesson 04's: by Jensen's inequality it is then no smaller than that of the mean beliefs."""
    least = _surprise(now.real_p) + _surprise(1 - now.fake_p)
    return now.discriminator_loss > least - 0.05


def _surprise(p: float) -> float:
    """-log p, and no more than that of one in a billion."""
    return -math.log(max(p, 1e-9))


def _saturating(now: Means) -> bool:
    """Whether G's loss is log(1 - D(G(z))), which is never above 0; -log D(G(z)) is never below."""
    return now.generator_loss <= 0


# ------------------------------------------------------------------------------------------- what holds


def _won(now: Means) -> bool:
    """Lesson 05's alarm."""
    return now.real_p > 0.95 and now.fake_p < 0.05 and not _another_d(now)


def _another_d(now: Means) -> bool:
    """By Jensen's inequality the mean of -log D(G(z)) is no smaller than that of the mean: where it is, G meets another D."""
    return not _saturating(now) and now.generator_loss < _surprise(now.fake_p) - 0.5


def _ahead(now: Means) -> bool:
    return now.real_p - now.fake_p > GAP and not (_won(now) or _another_d(now) or _leaking(now))


def _leaking(now: Means) -> bool:
    """On fakes 'fake' and 'real' balance at one half, and with them both losses at log 2; nobody contradicts 'real' for reals."""
    losses = (now.generator_loss, now.discriminator_loss)
    return now.real_p > 0.95 and abs(now.fake_p - 0.5) < 0.05 and all(abs(loss - LOG_2) < 0.06 for loss in losses)


def _behind(now: Means) -> bool:
    """A D that takes fakes for real no less often than reals, and loses no less than by a coin."""
    return now.real_p < now.fake_p and now.discriminator_loss > LOG_4 and not _waves_of_fakes(now)


def _waves_of_fakes(now: Means) -> bool:
    return now.fake_swing > SWING and now.fake_swing > 4 * now.real_swing


def _waves_of_all(now: Means) -> bool:
    return min(now.real_swing, now.fake_swing) > SWING


# ------------------------------------------------------------------------------------------- what is said


def _beliefs(now: Means) -> str:
    return f"D(x) {now.real_p:.2f}, D(G(z)) {now.fake_p:.2f}"


def _said_won(now: Means) -> str:
    saturated = ", and G's loss, a saturating one, lies flat at 0: no slope is left for G" if _saturating(now) else ""
    return f"D has won: {_beliefs(now)}{saturated}"


def _said_another_d(now: Means) -> str:
    return (
        f"D is sure of the fakes, D(G(z)) {now.fake_p:.2f}, and yet G's loss is {now.generator_loss:.2f}: -log D(G(z)) would be "
        f"at least {_surprise(now.fake_p):.2f}, so that G is judged by another D than the one that learns"
    )


def _said_leaking(now: Means) -> str:
    return f"D is sure of the reals, D(x) {now.real_p:.2f}, and stays at one half on the fakes, with both losses at log 2 = 0.69"


def _said_ahead(now: Means) -> str:
    return f"D is ahead and stays ahead, without having won: {_beliefs(now)}"


def _said_behind(now: Means) -> str:
    return f"D does no better than a coin: {_beliefs(now)}, and its loss {now.discriminator_loss:.2f} is above log 4 = 1.39"


def _said_waves_of_fakes(now: Means) -> str:
    return f"D(G(z)) goes up and down in long waves, while D(x) is a calm line at {now.real_p:.2f}"


def _said_waves_of_all(now: Means) -> str:
    return f"D(x) and D(G(z)) both go up and down in waves, around {now.real_p:.2f} and {now.fake_p:.2f}"


def _shrunk(history: History) -> str:
    """How G's gradient compares with what it was at turn 100, where both are known and far apart."""
    early = fmean(record.generator_gradient for record in history[:REFERENCE] if record.turn > REFERENCE // 2)
    late = fmean(record.generator_gradient for record in history[-WINDOW // 2 :])
    if not 0 < late < math.inf or not 0 < early < math.inf or max(early / late, late / early) < 3:
        return ""
    times, how = (early / late, "smaller") if early > late else (late / early, "larger")
    return f", and G's gradient is {times:.0f} times {how} than at turn {REFERENCE}"


# ------------------------------------------------------------------------------------------- the rules

STRONG = "2 · D too strong"
RULES = (
    Rule(
        _won,
        _said_won,
        "Look at a batch of samples, and print the least and the greatest value of a real batch and of a fake one: unscaled "
        "data and one picture for every z look like this, too.",
        STRONG,
    ),
    Rule(
        _another_d,
        _said_another_d,
        "Look whether D sees the same kind of batch in both steps: batch normalisation over reals and fakes together does this.",
        "8 · Real and fake in one batch",
    ),
    Rule(
        _leaking,
        _said_leaking,
        "Look for a forgotten detach, and for gradients that G's step leaves in D.",
        "9 · Forgotten detach",
    ),
    Rule(
        _ahead,
        _said_ahead,
        "Look at what all samples lack: where G is too simple to follow, a gap opens and stays; where D has only just begun to "
        "win, it widens.",
        "6 · No non-linearity in G",
    ),
    Rule(
        _behind,
        _said_behind,
        "Look at a batch of samples: all on one spot, G is ahead of D; of no shape at all, D is blind; very good ones fool D too.",
        "1 · Mode collapse",
    ),
    Rule(
        _waves_of_fakes,
        _said_waves_of_fakes,
        "Look at D: one that is too simple, or learns far too slowly, knows nothing of the reals.",
        "4 · D too weak",
    ),
    Rule(
        _waves_of_all,
        _said_waves_of_all,
        "Look at how the samples of a few moments travel, and at the optimizers' momentum.",
        "3 · Oscillation",
    ),
)
