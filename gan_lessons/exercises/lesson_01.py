"""The checks of lesson 01, why noise."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gan_lessons.exercises import Answer, Hint, described, exercise, number, refuse, tensor

CHARACTER = torch.tensor([[1.0, 1.0, 1.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]])


def frame(row: int, column: int) -> Tensor:
    """The lesson's corridor with the middle of the character at this place, 9×13 pixels in [-1, 1]."""
    picture = torch.full((9, 13), -0.5)
    picture[1:9, 5:8] = -1
    picture[1:4, 1:12] = -1
    picture[row - 1 : row + 2, column - 1 : column + 2] = CHARACTER
    return picture


def four_endings() -> Tensor:
    """The frames after the corner where it goes left, goes right, turns back, waits: 4×117."""
    return torch.stack([frame(2, 4), frame(2, 8), frame(4, 6), frame(2, 6)]).flatten(1)


SHARES = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
CORNER = torch.stack([frame(4, 6), frame(2, 6)]).flatten()
TURNED = torch.stack([frame(2, 6), frame(2, 4)]).flatten()  # the past, one frame after a turn to the left
GONE_ON = frame(2, 2).flatten()


@exercise(
    "Where must a guess lie so that eight distances to 1 and two to -1 add up to as little as possible, and where if they are squared first?",
    "write down 8·(a - 1)² + 2·(a + 1)² and 8·|a - 1| + 2·|a + 1|; how does each change if a moves a little?",
)
def check_errors(answer) -> str:
    """[0.6, 1]: squared error is smallest at the mean, absolute error at the median."""
    if isinstance(answer, str | dict | set) or not hasattr(answer, "__len__"):
        raise Hint(f"Two numbers in square brackets are expected, not {described(answer)}.")
    if len(answer) != 2:
        raise Hint(f"Two numbers are expected, for squared and for absolute error; you have {len(answer)}.")
    squared, absolute = (number(each) for each in answer)
    if abs(squared - 1) < 1e-6 and abs(absolute - 0.6) < 1e-6:
        raise Hint("Right numbers, wrong order: the squared error's comes first.")
    refuse(squared, {
        "For squared error, 0 is the answer for equal shares. Here white comes four times as often as black.": 0,
        "For squared error, 1 would be the more frequent value. Squared error does not vote, it averages.": 1,
        "0.8 is the share of white. Black pixels are -1, not 0: they pull the mean down further.": 0.8,
        "The sign of the first is flipped: most of the time the pixel is white, which is +1.": -0.6,
    }, atol=1e-6)  # fmt: skip
    if abs(squared - 0.6) > 1e-6:
        raise Hint(
            f"{squared:g} is not the mean of a number that is 1 with probability 0.8 and -1 with probability 0.2, and this is what squared error asks for."
        )
    refuse(absolute, {
        "The mean is right for squared error only. Move a from 0.6 a little to the right: eight distances shrink, two grow.": 0.6,
        "0 is in the middle between both values. Move it to the right: eight distances shrink, two grow.": 0,
        "0.8 is the share of white, and a guess there can still be bettered: move it on to the right.": 0.8,
        "-1 is the rarer value.": -1,
    }, atol=1e-6)  # fmt: skip
    if abs(absolute - 1) > 1e-6:
        raise Hint(f"At {absolute:g} the absolute error can still be made smaller: move the guess a little to either side.")
    return (
        "The mean, 0.8·1 + 0.2·(-1), and the median. Absolute error votes: its painting is sharp, and the rarer "
        "ending never comes. At 5:5 every grey from -1 to 1 costs it the same."
    )


@exercise("Which area lies left of u, which lies left of y, and what must hold between the two?",
          "the area under 2y from 0 to y is y², and it must equal the area under u's density from 0 to u, which is u.")  # fmt: skip
def check_rising(rising) -> str:
    """rising(u): u uniform on (0, 1) to y with density 2y on (0, 1): the square root."""
    u = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    y = tensor(rising(u), u.shape)
    refuse(y, {
        "2y is the density of y, not the map to y.": 2 * u,
        "The area from 0 to y under 2y is y²; you have taken y²/2, the area under y.": (2 * u).sqrt(),
        "Right but for the sign: of the two roots, y is the one between 0 and 1.": -u.sqrt(),
        "That leaves u as it is: uniform.": u,
        "u² crowds the draws near 0, the inverse of what we want. If y² = u, what is y?": u.square(),
    })  # fmt: skip
    if y.min() < 0 or y.max() > 1:
        raise Hint(f"Your y go from {y.min():.2f} to {y.max():.2f}, but y lies between 0 and 1, as u does.")
    if not torch.allclose(y, tensor(rising(u), u.shape)):
        raise Hint(
            "For the same u your function gives another y each time: y should follow from u alone, with nothing drawn anew."
        )
    off = torch.histc(y, 10, 0, 1) / 1000 - (2 * torch.arange(10) + 1) / 100
    if off.abs().sum() / 2 > 0.02:
        worst = int(off.abs().argmax())
        wanted = (2 * worst + 1) / 100
        raise Hint(f"Between {worst / 10} and {(worst + 1) / 10}, {wanted:.1%} of all y should lie: the area under 2y there. "
                   f"With yours it is {wanted + off[worst].item():.1%}.")  # fmt: skip
    return "y = √u, the inverse CDF (or its mirror image, √(1 - u)): area u on one side, area y² = u on the other."


@exercise(
    "What decides how much a dense layer hears of z, besides the size of its numbers?",
    "a sum of many weak voices is loud: how often does z stand among the inputs?",
)
def check_heard(trained) -> str:
    """A generator that paints both futures although its combine lets no number from z be larger than 1."""
    network = _network(trained)
    if not callable(combine := getattr(network, "combine", None)):
        raise Hint("This network has no `combine`: make it as the lesson does, Generator(combine, inputs).")
    past, z = CORNER.expand(204, -1).to(_device(network)), _uniform(204).to(_device(network))
    z[:4] = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    loudest = (combine(past, z) - combine(past, torch.zeros_like(z))).abs().max().item()
    if loudest == 0:
        raise Hint("Another z changes nothing in what your combine gives: z does not go in at all.")
    if loudest > 1.001:
        raise Hint(
            f"That is shouting: in your combine a number that comes from z is as large as {loudest:.3g}. At most 1 is allowed."
        )
    left, right, neither = _counted(network, CORNER, four_endings()[:2])
    found = f"left {left:.0%}, right {right:.0%}, neither {neither:.0%}"
    if neither > 0.1:
        raise Hint(f"Too many are neither: {found}. Has this generator played 1000 turns, and is it the averaged one?")
    if min(left, right) < 0.3:
        raise Hint(
            f"z is not heard: {found}. To make the past softer leaves the weights that meet z as small as before. What else is there to make more of?"
        )
    if (stayed := _counted(network, TURNED, GONE_ON[None])[0]) < 0.9:
        raise Hint(f"Now the past is not heard: after a turn to the left only {stayed:.0%} go on to the left.")
    return f"{found}. Many weak voices are heard where one is not."  # fmt: skip


@exercise(
    "Which of torch's functions draws indices with unequal probabilities, and how long must the game go on for the rarest ending?",
    "endings[torch.multinomial(wanted, n, replacement=True)] are n frames in these shares.",
)
def check_endings(trained) -> str:
    """A generator whose paintings of the corner fall on the four endings in the shares .4 .3 .2 .1, within 0.15."""
    network = _network(trained)
    *found, none = _counted(network, CORNER, four_endings())
    moved = ((torch.tensor(found, dtype=torch.float64) - SHARES).abs().sum().item() + none) / 2
    told = "left {:.0%}, right {:.0%}, back {:.0%}, waiting {:.0%}, none of them {:.0%}".format(*found, none)
    if none > 0.5:
        raise Hint(f"Most paintings are none of the four ({told}): has this generator been trained, and by this world?")
    if found[2] + found[3] < 0.01:
        raise Hint(f"It knows two endings only ({told}): was `world=corner_of_four` given to play?")
    if moved >= 0.15 and max(abs(share - 0.25) for share in found) < 0.07:
        raise Hint(f"The four come equally often ({told}): is the draw made with the probabilities `wanted`?")
    if min(found) < 0.01:
        raise Hint(f"One ending is missing ({told}): is it in your world, and did the game last long enough?")
    if moved >= 0.15:
        raise Hint(f"{moved:.2f} would have to move, and the bar is 0.15 ({told}). Paintings between two endings count: play on.")
    return f"{moved:.2f} to move: {told}. Nobody told G the shares; it has them from D."


@exercise(
    "Which frames does D judge together with which past, and what is G rewarded for?",
    "go through the calls of the discriminator one by one: is each frame judged with its own past, and under the label that this player wants?",
)
def check_mended(mended) -> str:
    """mended(discriminator, past, real, fake): D's and G's loss, on matching pairs and with the right labels."""
    past, real, fake = (torch.randn(8, size, dtype=torch.float64) for size in (234, 117, 117))
    judge = _Judge()
    d_loss, g_loss = _two_losses(mended(judge, past, real, fake))
    again = _two_losses(mended(judge, past, real, fake))
    on_real, on_fake = judge(past, real).detach(), judge(past, fake).detach()
    if abs(d_loss - again[0]) > 1e-9 or abs(g_loss - again[1]) > 1e-9:
        raise Hint(
            "Two calls with the same frames give different losses: something is still drawn anew, and pasts and frames are no longer pairs."
        )
    refuse(g_loss, {
        "G's loss is still small when D recognises the fakes: it is rewarded for being caught.": softplus(on_fake).mean(),
        "G's loss is D's loss on the real frames, in which no fake occurs.": softplus(-on_real).mean(),
    })  # fmt: skip
    rewards = {float(softplus(-on_fake).mean()), float(-softplus(on_fake).mean())}  # lesson 02: both push the same way
    if not any(abs(g_loss - each) < 1e-6 for each in rewards):
        raise Hint(
            f"G's loss is {g_loss:.4f} where cross-entropy with label 1, on the fakes and their own pasts, gives {max(rewards):.4f}."
        )
    right = (softplus(-on_real).mean() + softplus(on_fake).mean()).item()
    refuse(d_loss, {
        "D's labels are the wrong way round: real is 1, fake is 0.": softplus(on_real).mean() + softplus(-on_fake).mean(),
        "D's loss leaves out the fakes.": softplus(-on_real).mean(),
        "D's loss leaves out the real frames.": softplus(on_fake).mean(),
    })  # fmt: skip
    if min(abs(d_loss - right), abs(2 * d_loss - right)) > 1e-6:
        raise Hint(f"D's loss is {d_loss:.4f} and should be {right:.4f}: is each frame judged with its own past?")
    _gradients_reach_whom_they_should(mended, past, real, fake)
    return "Each frame with its own past, and G paid for being believed. A D that does not see which past belongs to a frame cannot object to a turn that changes its mind."


class _Judge(torch.nn.Module):
    """A discriminator without grain, whose score depends on the past and on the frame together."""

    def __init__(self) -> None:
        super().__init__()
        ramp = torch.linspace(-1, 1, 234 * 117, dtype=torch.float64).reshape(234, 117)
        self.weight = torch.nn.Parameter(torch.sin(1000 * ramp) / 80)

    def forward(self, past: Tensor, frames: Tensor) -> Tensor:
        return ((past.double() @ self.weight) * frames.double()).sum(dim=1)


def _two_losses(result) -> tuple[float, float]:
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Hint(f"Two losses are expected, D's and G's, not {described(result)}.")
    return number(result[0]), number(result[1])


def _gradients_reach_whom_they_should(mended: Answer, past: Tensor, real: Tensor, fake: Tensor) -> None:
    judge, painted = _Judge(), fake.clone().requires_grad_(True)
    d_loss, g_loss = mended.function(judge, past, real, painted)
    if (
        not getattr(g_loss, "requires_grad", False)
        or torch.autograd.grad(g_loss, painted, retain_graph=True, allow_unused=True)[0] is None
    ):
        raise Hint("G's loss has the right value, but no gradient gets through to the fakes: G would never learn.")
    if not getattr(d_loss, "requires_grad", False):
        raise Hint("D's loss has the right value, but no gradient gets through to D.")
    if torch.autograd.grad(d_loss, painted, retain_graph=True, allow_unused=True)[0] is not None:
        raise Hint("D's loss sends a gradient on into G, which would then help D: `detach` the fakes there.")


def _network(trained) -> torch.nn.Module:
    """The network in an answer; what is no trained generator is refused."""
    network = trained.function if isinstance(trained, Answer) else trained
    if isinstance(network, tuple | list) and any(isinstance(each, torch.nn.Module) for each in network):
        raise Hint("play gives back two networks, the averaged generator and D: hand in the first.")
    if not isinstance(network, torch.nn.Module):
        raise Hint(f"A trained generator is expected, not {described(trained)}.")
    return network


@torch.no_grad()
def _counted(network: torch.nn.Module, past: Tensor, endings: Tensor, n: int = 2000) -> list[float]:
    """How often, in n draws of a uniform z, the painting is each of the endings, and how often none of them."""
    device = _device(network)
    paintings = tensor(network(past.expand(n, -1).to(device), _uniform(n).to(device)), (n, 117)).float()
    distance, kind = torch.cdist(paintings, endings).min(dim=1)
    between = torch.pdist(endings).min() if len(endings) > 1 else torch.dist(four_endings()[0], four_endings()[1])
    kind[distance >= between / 3] = len(endings)
    return (torch.bincount(kind, minlength=len(endings) + 1) / n).tolist()


def _uniform(n: int) -> Tensor:
    return 2 * torch.rand(n, 2) - 1


def _device(network: torch.nn.Module) -> torch.device:
    return next((weights.device for weights in network.parameters()), torch.device("cpu"))
