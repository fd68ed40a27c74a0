"""The checks of lesson 02, the minimax objective."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_lessons.exercises import Hint, NotFinite, described, exercise, number, refuse, tensor

REAL_LOGITS = torch.tensor([2.0, 0.5, -1.0])
FAKE_LOGITS = torch.tensor([-3.0, 0.25, 1.0])


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
    "Take one real with a logit of -6. What does broken_loss charge for it, and what ought it to cost?",
    "-log D(x) is softplus(-a), and the reals cost its mean over their batch; the fakes have a term of their own.",
)
def check_discriminator_loss(discriminator_loss) -> str:
    """discriminator_loss(real_logits, fake_logits): minus V, one number."""
    real, fake = REAL_LOGITS, FAKE_LOGITS
    found = number(discriminator_loss(real, fake), "A loss is one number: the mean over each batch, and the sum of the two.")
    right = softplus(-real).mean() + softplus(fake).mean()
    refuse(found, {
        "That is the broken loss, from logits. It pushes the right way, but with slope D at a real and 1 - D at a fake: hardest where D is right already.": -softplus(real).mean() - softplus(-fake).mean(),
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
    "Write down what one place adds to D's score. What stands before log D now, and what before log(1 - D)?",
    "near x lie share·r reals and (1 - share)·f fakes; what share of all that lies there carries label 1, if a real carries `label` of it?",
)
def check_best_discriminator(best_discriminator) -> str:
    """best_discriminator(r, f, share, label): the best D at densities r and f, a share of real samples, and the reals' smoothed label."""
    r, f = torch.tensor([0.3, 0.2, 0.05]), torch.tensor([0.1, 0.2, 0.25])
    for share, label in ((0.8, 0.9), (0.3, 0.7)):
        found = torch.tensor([number(best_discriminator(*place, share, label)) for place in zip(r, f)])
        real, fake = share * r, (1 - share) * f
        refuse(found, {
            "Neither change makes a difference in your answer. Put both into the sum that is to be maximised.": r / (r + f),
            "The share makes no difference in your answer. Put it into the sum that is to be maximised.": label * r / (r + f),
            "The label makes no difference in your answer: a real costs D something on both sides now.": real / (real + fake),
            "The shares are swapped: `share` belongs to the reals.": label * (1 - share) * r / ((1 - share) * r + share * f),
            "That is the probability of a fake: reals belong above the line.": 1 - label * real / (real + fake),
            "The fakes have lost their weight: theirs is 1 - share.": label * real / (real + f),
            "The share must stand below the line too.": label * real / (r + f),
            "The rest of a real's label, 1 - label, speaks for log(1 - D): it may not get lost below the line.": label * real / (label * real + fake),
            "There the fakes are smoothed too. They keep label 0.": (label * real + (1 - label) * fake) / (real + fake),
        })  # fmt: skip
        right = label * real / (real + fake)
        if not torch.allclose(found, right, rtol=1e-4):
            raise Hint(f"With r = {_list(r)}, f = {_list(f)}, share {share} and label {label} it should be {_list(right)}, "
                       f"not {_list(found)}.")  # fmt: skip
    return "Where no fake falls it says `label`, not 1, so it is never certain; and where p_g = p_data it says share times label."


def _list(values: Tensor) -> str:
    return str([round(value, 3) for value in values.tolist()])


@exercise(
    "Take two reals and two fakes. There are two ways to pair them: which is the shorter, and can you see it without trying both?",
    "if two ways cross, exchange their ends. torch.sort gives the values of a tensor in order, and gradients flow through them.",
)
def check_wasserstein(wasserstein) -> str:
    """wasserstein(real, fake): the mean way of a grain of sand between two bags of n numbers each, with gradients."""
    real, fake = torch.tensor([1.5, 0.0, -3.0, 2.0, -1.0]), torch.tensor([-4.0, 7.0, 5.5, -2.0, 4.5])
    found = number(wasserstein(real, fake), "A distance is one number: the mean over the grains.")
    ways = real.sort().values - fake.sort().values
    refuse(found, {
        "Each fake goes to the real that happens to stand at the same place in the bag. Shorter ways exist: sort first.": (real - fake).abs().mean(),
        "Only one of the two bags is in order.": (real.sort().values - fake).abs().mean(),
        "Only one of the two bags is in order!": (real - fake.sort().values).abs().mean(),
        "That is the mean over all pairs; each grain is carried to one place only.": (real[:, None] - fake).abs().mean(),
        "That is the distance of the two means. Ways to the right and to the left must not cancel: a way has no sign.": ways.mean().abs(),
        "That is a difference of the two means, with its sign. A way has no sign, and ways must not cancel.": -ways.mean().abs(),
        "You added up the ways. W is their mean, so that it does not grow with the bag.": ways.abs().sum(),
        "You squared the ways. Sand is paid for by the way itself.": ways.square().mean(),
        "That is the root of the mean square, another Wasserstein distance. Here each grain counts by its way.": ways.square().mean().sqrt(),
        "Each fake goes to its nearest real, so that some reals get nothing and some too much.": (real[:, None] - fake).abs().min(dim=0).values.mean(),
        "Each real takes its nearest fake, and some fakes stay where they are.": (real[:, None] - fake).abs().min(dim=1).values.mean(),
    })  # fmt: skip
    if not math.isclose(found, ways.abs().mean(), rel_tol=1e-4):
        raise Hint(f"For {real.tolist()} and {fake.tolist()} it should be {ways.abs().mean():.4f}, not {found:.4f}.")
    far = torch.linspace(50, 51, 4)
    if not math.isclose(away := number(wasserstein(far - 50, far)), 50, rel_tol=1e-4):
        raise Hint(f"For four numbers and the same four moved by 50 it should be 50, not {away:.4f}.")
    given = fake.clone().requires_grad_()
    result = wasserstein(real, given)
    if not isinstance(result, Tensor) or not result.requires_grad:
        raise Hint(f"The number is right, but it is {described(result)} without a history, so that no fake would learn where to go. "
                   "Keep to torch's functions, without .item(), .detach() and numpy.")  # fmt: skip
    (slopes,) = torch.autograd.grad(result.sum(), given)
    if not torch.allclose(slopes.abs(), torch.full((5,), 0.2)):
        raise Hint("The number is right, but the gradient that reaches the fakes is not the distance's: nothing may be detached.")
    return (
        "Now look at its slope at each fake, from nearby and from far away, as the exercise asks: that is what JS could not give."
    )


BATCH = 4000


@exercise(
    "Run broken_js on large bags from one distribution, and on small ones. How far off is it each time, and can one fault explain both?",
    "hold back half of each bag before training, and add up the mean over the reals and the mean over the fakes.",
)
def check_measured_js(measured_js) -> str:
    """measured_js(real, fake): JS of two bags, columns of n numbers, by a critic that is judged on samples it did not learn from."""
    torch.manual_seed(0)
    _refuse_js(number(measured_js(_two_bumps(BATCH), _two_bumps(BATCH))), 0.0, 0.02, "4000 numbers each from one distribution")
    found = sum(number(measured_js(_two_bumps(24), _two_bumps(24))) for _ in range(5)) / 5
    if found > 0.03:
        raise Hint(f"For bags of 24 numbers from one distribution it says {found:.3f} on average, and should not be above 0: the critic "
                   "is judged on numbers that it has learned by heart.")  # fmt: skip
    found = number(measured_js(torch.randn(1000, 1), 40 + torch.randn(1000, 1)))
    _refuse_js(found, math.log(2), 0.01, "two bags 40 apart, where it is log 2")
    found = number(measured_js(torch.randn(BATCH, 1), 2 + torch.randn(BATCH, 1)))
    _refuse_js(found, 0.3368, 0.04, "4000 numbers of each of two bells, 2 apart")
    return f"It says {found:.3f} for two bells 2 apart; the integral says 0.337. Held-out numbers err on the low side."


def _refuse_js(found: float, right: float, tolerance: float, where: str) -> None:
    if abs(found - right) <= tolerance:
        return
    v = 2 * right - math.log(4)
    mistakes = {
        "that is V. JS is (V + log 4) / 2": v,
        "that is minus V. JS is (V + log 4) / 2": -v,
        "one mean over reals and fakes together is half of V, which is the sum of two means": v / 4 + math.log(2),
        "that is 2·JS: V has two means": 2 * right,
        "log 4 is missing before the half is taken": v / 2,
    }
    told = next((f": {name}" for name, wrong in mistakes.items() if abs(found - wrong) <= tolerance), "")
    raise Hint(f"For {where}, it says {found:.3f}, and should say about {right:.3f}{told}.")


@exercise(
    "Where there are more reals than fakes, a fake is to weigh more. How much more, and what does a critic know about it?",
    "solve D* = r / (r + f) for r / f: it is D / (1 - D), and from a logit a that is exp(a).",
)
def check_weights(weights_of) -> str:
    """weights_of(real, fake): a weight for each fake of a fixed G, so that the weighted fakes are spread like the reals."""
    misplaced = []
    for seed in range(3):
        torch.manual_seed(seed)
        real, fake = _two_bumps(BATCH), 0.3 + 1.6 * torch.randn(BATCH, 1)
        weights = tensor(weights_of(real, fake))
        if weights.numel() != BATCH:
            raise Hint(f"A weight for each of the {BATCH} fakes is expected, not {described(weights)}.")
        weights = weights.flatten()
        if weights.min() < 0 or not weights.sum() > 0:
            raise Hint(
                f"Weights are shares: none is negative. Yours go from {weights.min():.2f} to {weights.max():.2f}. A logit is no weight."
            )
        misplaced.append(_misplaced(fake.flatten(), weights))
    worst = max(misplaced)
    if worst > 0.6:
        raise Hint(f"{100 * worst:.0f} % of the weight lie in a wrong place, more than without weights. Is the ratio upside down? "
                   "A fake where reals are frequent must weigh more.")  # fmt: skip
    if worst > 0.25:
        raise Hint(f"{100 * worst:.0f} % of the weight lie in a wrong place, about as many as with equal weights, 33 %. "
                   "Has the critic been trained, and do the weights follow it?")  # fmt: skip
    if worst > 0.07:
        raise Hint(f"{100 * worst:.0f} % of the weight lie in a wrong place; 7 % are allowed. D itself is a share, r / (r + f), and no "
                   "ratio; and a ratio is taken once. If yours is r / f, train the critic longer, or let its learning rate fall.")  # fmt: skip
    return f"At most {100 * worst:.1f} % of the weight lie in a wrong place, on three seeds; with equal weights it is 33 %."


def _two_bumps(n: int) -> Tensor:
    """The lesson's data, as a column of n numbers."""
    left = torch.rand(n, 1) < 0.4
    return torch.where(left, -1.5 + 0.5 * torch.randn(n, 1), 1.5 + 0.7 * torch.randn(n, 1))


def _misplaced(fake: Tensor, weights: Tensor) -> float:
    """The share of the weight that would have to move to match the two bumps, in fourteen bins."""
    edges = torch.linspace(-3.5, 4, 13, dtype=torch.float64)
    bumps = ((0.4, -1.5, 0.5), (0.6, 1.5, 0.7))
    shares = [share * (1 + torch.erf((edges - mean) / (std * math.sqrt(2)))) / 2 for share, mean, std in bumps]
    below = torch.stack(shares).sum(dim=0)
    expected = torch.cat([torch.zeros(1), below, torch.ones(1)]).diff()
    found = torch.zeros(14, dtype=torch.float64).index_add(0, torch.bucketize(fake.double(), edges), weights / weights.sum())
    return (found - expected).abs().sum().item() / 2
