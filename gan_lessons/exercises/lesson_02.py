"""The checks of lesson 02, the minimax objective."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_lessons.exercises import Hint, NotFinite, described, exercise, number, refuse

REAL_LOGITS = torch.tensor([2.0, 0.5, -1.0])
FAKE_LOGITS = torch.tensor([-3.0, 0.25, 1.0])
ONE_NUMBER = "A loss is one number: take the mean over the batch."


def _refuse_far_off(loss, logits: list[float], right: float) -> None:
    """A Hint where the loss breaks down at logits that are far from 0."""
    told = " and ".join(f"{logit:g}" for logit in logits)
    try:
        found = number(loss(*(torch.full((3,), logit) for logit in logits)))
    except NotFinite:
        raise Hint(
            f"For logits of {told} the loss is not finite, but should be {right:g}: the sigmoid is rounded to 0 or 1 there, and exp "
            "to infinity, before the logarithm is taken. softplus does both in one, and holds for any logit."
        ) from None
    if found < right and not math.isclose(found, right, rel_tol=1e-4):
        raise Hint(
            f"The loss is right near 0, but for logits of {told} it is {found:g}, not {right:g}: something keeps it from growing, as "
            "a clamp does, a small number added inside the logarithm, or torch's BCELoss, which cuts logarithms off at -100. "
            "Where it is cut off, nothing is learned. softplus of a logit needs no such guard."
        )
    if not math.isclose(found, right, rel_tol=1e-4):
        raise Hint(
            f"The loss is right near 0, but for logits of {told} it is {found:g}, not {right:g}. softplus holds for any logit."
        )


def _refuse_lost_gradient(loss, batches: dict[str, Tensor], slopes: list[Tensor]) -> None:
    """A Hint where the loss, right in value, does not pull at the logits as it should."""
    given = [logits.clone().requires_grad_() for logits in batches.values()]
    found = loss(*given)
    if not isinstance(found, Tensor) or not found.requires_grad:
        raise Hint(f"The number is right, but it is {described(found)} without a history, so that no gradient could flow back and "
                   "nobody would learn from it. Keep to torch's functions, without .item(), .detach() and no_grad.")  # fmt: skip
    gradients = torch.autograd.grad(found.sum(), given, allow_unused=True)
    for name, gradient, slope in zip(batches, gradients, slopes):
        if gradient is None or not torch.allclose(gradient, slope, atol=1e-5):
            raise Hint(
                f"The number is right, but the gradient that reaches the {name} logits is not the loss's: nothing may "
                "be detached, or be made anew from a plain number."
            )


@exercise(
    "What is -log σ(a) as a softplus, what is -log(1 - σ(a)), and which of the two do reals cost, which fakes?",
    "-log D(x) is softplus(-a), and the reals cost its mean over their batch; the fakes have a term of their own.",
)
def check_discriminator_loss(discriminator_loss) -> str:
    """discriminator_loss(real_logits, fake_logits): minus V, one number."""
    real, fake = REAL_LOGITS, FAKE_LOGITS
    found = number(discriminator_loss(real, fake), "A loss is one number: the mean over each batch, and the sum of the two.")
    right = softplus(-real).mean() + softplus(fake).mean()
    refuse(found, {
        "That is V itself. A loss is to go down, and D wants V to go up: the sign is flipped.": -right,
        "The labels are swapped: here D pays for being right.": softplus(real).mean() + softplus(-fake).mean(),
        "You added up the batch. An expectation is a mean; the sum would grow with the batch.": softplus(-real).sum() + softplus(fake).sum(),
        "That is half of it, as the mean over one mixed batch would be. V is the sum of two means.": right / 2,
        "Only the real half is there. Fakes cost D something too.": softplus(-real).mean(),
        "Only the fake half is there. Reals cost D something too.": softplus(fake).mean(),
        "Both batches are treated as real: label 1 for x, label 0 for G(z).": softplus(-real).mean() + softplus(-fake).mean(),
    })  # fmt: skip
    if not math.isclose(found, right, rel_tol=1e-4):
        raise Hint(f"For logits {real.tolist()} (real) and {fake.tolist()} (fake) it should be {right:.4f}, not {found:.4f}.")
    _refuse_far_off(discriminator_loss, [-200.0, 200.0], 400.0)
    slopes = [(real.sigmoid() - 1) / len(real), fake.sigmoid() / len(fake)]
    _refuse_lost_gradient(discriminator_loss, {"real": real, "fake": fake}, slopes)
    return "It is the binary cross-entropy with labels 1 and 0, and it holds for any logit."


@exercise(
    "Which label does G want D to give its fakes, and what does a logit cost with that label?",
    "the fakes get label 1 for once: what is the cross-entropy of a logit a with label 1?",
)
def check_generator_loss(generator_loss) -> str:
    """generator_loss(fake_logits): the non-saturating loss, one number."""
    fake = FAKE_LOGITS
    found = number(generator_loss(fake), ONE_NUMBER)
    right = softplus(-fake).mean()
    refuse(found, {
        "That is the minimax loss, mean log(1 - D), which saturates. The non-saturating one is -log D.": -softplus(fake).mean(),
        "That is D's cost of the fakes, -log(1 - D). G, descending it, would help D.": softplus(fake).mean(),
        "The sign is flipped: G descends its loss, and this one goes up as D(G(z)) goes up.": -right,
        "You added up the batch. An expectation is a mean.": softplus(-fake).sum(),
        "That is minus the raw score. It pushes all fakes alike; take -log D = softplus(-a).": -fake.mean(),
    })  # fmt: skip
    if not math.isclose(found, right, rel_tol=1e-4):
        raise Hint(f"For logits {fake.tolist()} it should be {right:.4f}, not {found:.4f}.")
    _refuse_far_off(generator_loss, [-200.0], 200.0)
    _refuse_lost_gradient(generator_loss, {"fake": fake}, [(fake.sigmoid() - 1) / len(fake)])
    return "The label is flipped and nothing else: where D is certain that it is fake, the slope is -1."


@exercise(
    "With what are p and q each compared, and which of the two weighs more?",
    "begin with the mixture m = (p + q) / 2; how far is p from it, and how far is q?",
)
def check_js(js) -> str:
    """js(p, q): the Jensen-Shannon divergence of two lists of probabilities, in nats."""
    p, q = (torch.tensor(each, dtype=torch.float64) for each in ([0.5, 0.25, 0.125, 0.125], [0.125, 0.5, 0.25, 0.125]))
    m = (p + q) / 2
    found, right = number(js(p, q), "A divergence is one number: take the sum over the list."), _js(p, q)
    unhalved = ((p * (p / (p + q)).log()).sum() + (q * (q / (p + q)).log()).sum()) / 2
    refuse(found, {
        "That is KL(p‖q). JS compares each of the two with their mixture.": _kl(p, q),
        "That is KL(q‖p). JS compares each of the two with their mixture.": _kl(q, p),
        "That is the mean of the two KLs of p and q, which is unbounded. Compare each with the mixture.": (_kl(p, q) + _kl(q, p)) / 2,
        "That is twice JS: take the mean of the two KLs, not their sum.": 2 * right,
        "That is a mean over the list, a quarter of JS here. KL is a sum over the list.": right / 4,
        "That is only KL(p‖m): q has its half too.": _kl(p, m),
        "That is only KL(q‖m): p has its half too.": _kl(q, m),
        "These are KL(m‖p) and KL(m‖q). The mixture stands below the line.": (_kl(m, p) + _kl(m, q)) / 2,
        "You compared with p + q, which sums to 2. The mixture is half of that.": unhalved,
        "That is JS in bits. Here we count in nats: the natural logarithm.": right / math.log(2),
        "The sign is flipped: no divergence is negative.": -right,
    }, rtol=1e-5)  # fmt: skip
    if not math.isclose(found, right, rel_tol=1e-5):
        raise Hint(f"For {p.tolist()} and {q.tolist()} it should be {right:.6f}, not {found:.6f}.")
    _judge_zeros(js, [1.0, 0.0], [0.0, 1.0], "log 2, for they have nothing in common", math.log(2))
    _judge_zeros(js, [1.0, 0.0], [1.0, 0.0], "0, for they are equal", 0.0)
    return "Zero for equal ones, log 2 for two that have nothing in common."


def _judge_zeros(js, p: list[float], q: list[float], wanted: str, right: float) -> None:
    where = f"For p = ({p[0]:g}, {p[1]:g}) and q = ({q[0]:g}, {q[1]:g}) "
    try:
        found = number(js(torch.tensor(p), torch.tensor(q)))
    except NotFinite:
        raise Hint(
            f"{where}it is not finite: 0·log 0 is to count as 0, and 0/0 is nan before any logarithm. torch.special.xlogy(a, b) is "
            "a·log b, and 0 where a is 0; and the logarithm of a quotient is a difference."
        ) from None
    if not math.isclose(found, right, abs_tol=1e-5):
        raise Hint(f"{where}it should be {wanted}, not {found:.4f}.")


def _kl(p: Tensor, q: Tensor) -> float:
    return (p * (p / q).log()).sum().item()


def _js(p: Tensor, q: Tensor) -> float:
    return (_kl(p, (p + q) / 2) + _kl(q, (p + q) / 2)) / 2


@exercise(
    "The sum at one place is an old acquaintance: a·log y + b·log(1 - y). What are a and b now, and where is it largest?",
    "near x lie share·r reals and (1 - share)·f fakes; what part of all that lies there is real?",
)
def check_best_discriminator(best_discriminator) -> str:
    """best_discriminator(r, f, share): the best D where densities are r and f and a share of all samples is real."""
    r, f = torch.tensor([0.3, 0.2, 0.05]), torch.tensor([0.1, 0.2, 0.25])
    for share in (0.8, 0.3):
        found = torch.tensor([number(best_discriminator(*place, share)) for place in zip(r, f)])
        right = share * r / (share * r + (1 - share) * f)
        refuse(found, {
            "The share makes no difference in your answer. Put it into the sum that is to be maximised.": r / (r + f),
            "The shares are swapped: `share` belongs to the reals.": (1 - share) * r / ((1 - share) * r + share * f),
            "That is the probability of a fake: reals belong above the line.": 1 - right,
            "The fakes have lost their weight: theirs is 1 - share.": share * r / (share * r + f),
            "The share must stand below the line too, or D stays below `share` even where all are real.": share * r / (r + f),
        })  # fmt: skip
        if not torch.allclose(found, right, rtol=1e-4):
            raise Hint(f"With r = {_list(r)}, f = {_list(f)} and share {share} it should be {_list(right)}, not {_list(found)}.")
    return "And where p_g = p_data, this D says `share` everywhere: 1/2 belongs to equal batches, not to the game as such."


def _list(values: Tensor) -> str:
    return str([round(value, 3) for value in values.tolist()])


@exercise(
    "Which number stands for the other player's position in a simultaneous step, and what does an optimist put in its place?",
    "simultaneous play uses the gradient where the players are now; which gradient is it where they are expected next?",
)
def check_optimistic(optimistic) -> str:
    """optimistic(x, y, x_before, y_before, eta): one step of optimistic play on V = xy; gives the new x and y."""
    x, y, x_before, y_before = 1.0, 0.5, 0.7, 0.9
    guess_x, guess_y = 2 * x - x_before, 2 * y - y_before
    for eta in (0.1, 0.25):
        found = _pair(optimistic(x, y, x_before, y_before, eta))
        new_x, new_y = x - eta * guess_y, y + eta * guess_x
        mistakes = {
            "That is the simultaneous step, which spirals outward. The positions before have no say in it.": (x - eta * y, y + eta * x),
            "That remembers where optimism looks ahead: 2·now - before, not the mean of the two.": (
                x - eta * (y + y_before) / 2, y + eta * (x + x_before) / 2),
            "Both players descend. x wants V small, y wants it large: y goes up its gradient.": (new_x, y - eta * guess_x),
            "Both players ascend. x wants V small: it goes down its gradient.": (x + eta * guess_y, new_y),
            "The players have swapped roles: x descends and y ascends.": (x + eta * guess_y, y - eta * guess_x),
            "The slope of xy along x is y, not x: each player's gradient is the other's position.": (x - eta * guess_x, y + eta * guess_y),
            "The step must start from where the players are, not from the guess ahead.": (guess_x - eta * guess_y, guess_y + eta * guess_x),
            "y answers the x that has just moved. Both move at once: y must use the old x.": (new_x, y + eta * (2 * new_x - x)),
            "There the players take turns: y answers the x that has just moved. And neither looks ahead: 2·now - before.": (
                x - eta * y, y + eta * (x - eta * y)),
            "That is extragradient, with two gradients a turn. Optimism guesses from now and before alone: 2·now - before.": (
                x - eta * (y + eta * x), y + eta * (x - eta * y)),
            "The new y comes first. Return the new x and then the new y.": (new_y, new_x),
        }  # fmt: skip
        refuse(torch.tensor(found), {hint: torch.tensor(wrong) for hint, wrong in mistakes.items()}, rtol=0, atol=1e-6)
        if not all(math.isclose(*pair, abs_tol=1e-6) for pair in zip(found, (new_x, new_y))):
            raise Hint(f"With eta = {eta}, from (1, 0.5) and before that (0.7, 0.9), it should go to ({new_x:.3f}, {new_y:.3f}), "
                       f"not to ({found[0]:.3f}, {found[1]:.3f}).")  # fmt: skip
    return f"From (1, 0), 1000 steps of 0.1 end at distance {_distance(optimistic):.3f} from the equilibrium."


def _pair(result) -> tuple[float, float]:
    if not hasattr(result, "__len__") or isinstance(result, str | dict) or len(result) != 2:
        raise Hint(f"Return two numbers, the new x and the new y, not {described(result)}.")
    return number(result[0]), number(result[1])


def _distance(optimistic) -> float:
    """How far from (0, 0) a thousand optimistic steps end."""
    before = now = (1.0, 0.0)
    for _ in range(1000):
        before, now = now, _pair(optimistic(*now, *before, 0.1))
    return math.hypot(*now)
