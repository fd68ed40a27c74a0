"""The checks of lesson 02, the minimax objective."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_lessons.exercises import Hint, exercise

REAL_LOGITS = torch.tensor([2.0, 0.5, -1.0])
FAKE_LOGITS = torch.tensor([-3.0, 0.25, 1.0])


def _number(result) -> float:
    """The answer as a float; a Hint where it is not one number."""
    result = torch.as_tensor(result)
    if result.numel() != 1:
        raise Hint(f"The result has shape {tuple(result.shape)}; a loss is one number: take the mean over the batch.")
    return result.item()


def _refuse(found: float, mistakes: dict[str, Tensor | float]) -> None:
    """Raise the hint of the first mistake that gives this number."""
    for hint, value in mistakes.items():
        if math.isclose(found, float(value), rel_tol=1e-4, abs_tol=1e-7):
            raise Hint(hint)


@exercise("-log D(x) is softplus(-a); write the same for 1 - D, average each over its batch, and add the two means.")
def check_discriminator_loss(discriminator_loss) -> str:
    """discriminator_loss(real_logits, fake_logits): minus V, one number."""
    real, fake = REAL_LOGITS, FAKE_LOGITS
    found = _number(discriminator_loss(real, fake))
    right = softplus(-real).mean() + softplus(fake).mean()
    _refuse(found, {
        "That is V itself. A loss is to go down, and D wants V to go up: the sign is flipped.": -right,
        "The labels are swapped: here D pays for being right.": softplus(real).mean() + softplus(-fake).mean(),
        "You added up the batch. An expectation is a mean; the sum would grow with the batch.": softplus(-real).sum() + softplus(fake).sum(),
        "That is half of it: the mean over one mixed batch. V is the sum of two means.": right / 2,
        "Only the real half is there. Fakes cost D something too.": softplus(-real).mean(),
        "Only the fake half is there. Reals cost D something too.": softplus(fake).mean(),
        "Both batches are treated as real: label 1 for x, label 0 for G(z).": softplus(-real).mean() + softplus(-fake).mean(),
    })  # fmt: skip
    if not math.isclose(found, right, rel_tol=1e-4):
        raise Hint(f"For logits {real.tolist()} (real) and {fake.tolist()} (fake) it should be {right:.4f}, not {found:.4f}.")
    extreme = _number(discriminator_loss(torch.tensor([-200.0]), torch.tensor([200.0])))
    if not math.isclose(extreme, 400, rel_tol=1e-4):
        raise Hint(f"For logits of -200 and 200 the loss is {extreme}, not 400: no log of a sigmoid, use softplus.")
    return "It is the binary cross-entropy with labels 1 and 0, and it holds for any logit."


@exercise("the fakes get label 1 for once: what is the cross-entropy of a logit a with label 1?")
def check_generator_loss(generator_loss) -> str:
    """generator_loss(fake_logits): the non-saturating loss, one number."""
    fake = FAKE_LOGITS
    found = _number(generator_loss(fake))
    right = softplus(-fake).mean()
    _refuse(found, {
        "That is the minimax loss, mean log(1 - D), which saturates. The non-saturating one is -log D.": -softplus(fake).mean(),
        "That is D's cost of the fakes, -log(1 - D). G, descending it, would help D.": softplus(fake).mean(),
        "The sign is flipped: G descends its loss, and this one goes up as D(G(z)) goes up.": -right,
        "You added up the batch. An expectation is a mean.": softplus(-fake).sum(),
        "That is minus the raw score. It pushes all fakes alike; take -log D = softplus(-a).": -fake.mean(),
    })  # fmt: skip
    if not math.isclose(found, right, rel_tol=1e-4):
        raise Hint(f"For logits {fake.tolist()} it should be {right:.4f}, not {found:.4f}.")
    extreme = _number(generator_loss(torch.tensor([-200.0])))
    if not math.isclose(extreme, 200, rel_tol=1e-4):
        raise Hint(f"For a logit of -200 the loss is {extreme}, not 200: no log of a sigmoid, use softplus.")
    return "The label is flipped and nothing else: where D is certain that it is fake, the slope is -1."


@exercise("first the mixture m = (p + q) / 2, then the mean of KL(p‖m) and KL(q‖m).")
def check_js(js) -> str:
    """js(p, q): the Jensen-Shannon divergence of two lists of probabilities, in nats."""
    p, q = (torch.tensor(each, dtype=torch.float64) for each in ([0.5, 0.25, 0.125, 0.125], [0.125, 0.5, 0.25, 0.125]))
    found, right = _number(js(p, q)), _js(p, q)
    unhalved = ((p * (p / (p + q)).log()).sum() + (q * (q / (p + q)).log()).sum()) / 2
    _refuse(found, {
        "That is KL(p‖q). JS compares each of the two with their mixture.": _kl(p, q),
        "That is KL(q‖p). JS compares each of the two with their mixture.": _kl(q, p),
        "That is the mean of the two KLs of p and q, which is unbounded. Compare each with the mixture.": (_kl(p, q) + _kl(q, p)) / 2,
        "That is twice JS: take the mean of the two KLs, not their sum.": 2 * right,
        "That is only KL(p‖m): q has its half too.": _kl(p, (p + q) / 2),
        "You compared with p + q, which sums to 2. The mixture is half of that.": unhalved,
        "That is JS in bits. Here we count in nats: the natural logarithm.": right / math.log(2),
        "The sign is flipped: no divergence is negative.": -right,
    })  # fmt: skip
    if not math.isclose(found, right, rel_tol=1e-6):
        raise Hint(f"For {p.tolist()} and {q.tolist()} it should be {right:.6f}, not {found:.6f}.")
    apart = _number(js(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])))
    if math.isnan(apart):
        raise Hint("For p = (1, 0) and q = (0, 1) it is nan: 0·log 0 is to count as 0. torch.special.xlogy does so.")
    if not math.isclose(apart, math.log(2), rel_tol=1e-4):
        raise Hint(f"For p = (1, 0) and q = (0, 1), which have nothing in common, it should be log 2, not {apart:.4f}.")
    return "Zero for equal ones, log 2 for two that have nothing in common."


def _kl(p: Tensor, q: Tensor) -> float:
    return (p * (p / q).log()).sum().item()


def _js(p: Tensor, q: Tensor) -> float:
    return (_kl(p, (p + q) / 2) + _kl(q, (p + q) / 2)) / 2


@exercise("of all that lies near x, what part is real? There are share·r reals and (1 - share)·f fakes.")
def check_best_discriminator(best_discriminator) -> str:
    """best_discriminator(r, f, share): the best D where densities are r and f and a share of all samples is real."""
    r, f = torch.tensor([0.3, 0.2, 0.05]), torch.tensor([0.1, 0.2, 0.25])
    share = 0.8
    found = torch.as_tensor(best_discriminator(r, f, share))
    mistakes = {
        "The share makes no difference in your answer. Put it into the sum that is to be maximised.": r / (r + f),
        "The shares are swapped: `share` belongs to the reals.": (1 - share) * r / ((1 - share) * r + share * f),
        "That is the probability of a fake: reals belong above the line.": (1 - share) * f / (share * r + (1 - share) * f),
        "The fakes have lost their weight: theirs is 1 - share.": share * r / (share * r + f),
        "The share must stand below the line too, or D stays below `share` even where all are real.": share * r / (r + f),
    }
    if found.shape != r.shape:
        raise Hint(f"r and f of shape (3,) should give a D of shape (3,), not {tuple(found.shape)}.")
    for hint, wrong in mistakes.items():
        if torch.allclose(found.float(), wrong, rtol=1e-4):
            raise Hint(hint)
    right = share * r / (share * r + (1 - share) * f)
    if not torch.allclose(found.float(), right, rtol=1e-4):
        raise Hint(f"With r = {_list(r)}, f = {_list(f)} and share 0.8 it should be {_list(right)}, not {_list(found)}.")
    return "And where p_g = p_data, this D says `share` everywhere: 1/2 belongs to equal batches, not to the game as such."


def _list(values: Tensor) -> str:
    return str([round(value, 3) for value in values.tolist()])


@exercise("simultaneous play uses the gradient now; replace y by 2·y - y_before, and x likewise.")
def check_optimistic(optimistic) -> str:
    """optimistic(x, y, x_before, y_before, eta): one step of optimistic play on V = xy; gives the new x and y."""
    x, y, x_before, y_before, eta = 1.0, 0.5, 0.7, 0.9, 0.1
    found = tuple(float(value) for value in optimistic(x, y, x_before, y_before, eta))
    guess_x, guess_y = 2 * x - x_before, 2 * y - y_before
    new_x = x - eta * guess_y
    mistakes = {
        "That is the simultaneous step, which spirals outward. The positions before have no say in it.": (x - eta * y, y + eta * x),
        "That remembers where optimism looks ahead: 2·now - before, not the mean of the two.": (
            x - eta * (y + y_before) / 2, y + eta * (x + x_before) / 2),
        "Both players descend. x wants V small, y wants it large: y goes up its gradient.": (new_x, y - eta * guess_x),
        "Both players ascend. x wants V small: it goes down its gradient.": (x + eta * guess_y, y + eta * guess_x),
        "The players have swapped roles: x descends and y ascends.": (x + eta * guess_y, y - eta * guess_x),
        "The slope of xy along x is y, not x: each player's gradient is the other's position.": (x - eta * guess_x, y + eta * guess_y),
        "The step must start from where the players are, not from the guess ahead.": (guess_x - eta * guess_y, guess_y + eta * guess_x),
    }  # fmt: skip
    for hint, wrong in mistakes.items():
        if _close(found, wrong):
            raise Hint(hint)
    if not _close(found, (new_x, y + eta * guess_x)):
        raise Hint(
            f"From (1, 0.5), before that (0.7, 0.9), it should go to ({new_x:.3f}, {y + eta * guess_x:.3f}), not to {found}."
        )
    return f"From (1, 0), 1000 steps of 0.1 end at distance {_distance(optimistic):.3f} from the equilibrium."


def _close(found: tuple[float, ...], wanted: tuple[float, float]) -> bool:
    return len(found) == 2 and all(math.isclose(*pair, abs_tol=1e-6) for pair in zip(found, wanted))


def _distance(optimistic) -> float:
    """How far from (0, 0) a thousand optimistic steps end."""
    before = now = (1.0, 0.0)
    for _ in range(1000):
        before, now = now, tuple(optimistic(*now, *before, 0.1))
    return math.hypot(*now)
