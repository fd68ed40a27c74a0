"""The checks of lesson 00, start here, and the small games on a plane that they play."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gan_lessons.exercises import Hint, described, exercise, number, refuse, tensor


@exercise(
    "How many pixels has the face, and how many numbers does each of them need for its colour? Write your answer in place of `...`.",
    "each of the 64·64 pixels has three numbers: red, green and blue.",
)
def check_numbers(answer) -> str:
    """How many numbers a colour picture of 64×64 pixels is: 12 288."""
    count = number(answer)
    refuse(count, {
        "That counts the pixels. The picture is in colour: each pixel is three numbers.": 64 * 64,
        "You added. 64 rows of 64 pixels are 64·64 pixels.": 64 + 64 + 3,
        "That is one row of the picture. There are 64 of them.": 64 * 3,
        "100 is what the generator is given. The question is how many numbers it gives back.": 100,
        "That is a grey digit of lesson 04. A face has 64×64 pixels, in colour.": 28 * 28,
        "256 is how many values each number can take. The question is how many numbers there are.": 256 * 64 * 64 * 3,
    }, rtol=0)  # fmt: skip
    if count != 64 * 64 * 3:
        raise Hint(f"{count:.10g} is not rows · columns · colours.")
    return "12 288 numbers from 100: G must invent the rest, and the sliders move all of them through those 100."


@exercise(
    "Walking one step along `direction`, how far do you get along `other`, and how would you take that part back?",
    "with both of length 1, direction @ other is the step along other that is hidden in direction.",
)
def check_cleaned(cleaned) -> str:
    """cleaned(direction, other): the direction, of length 1, without what it has in common with the other one."""
    direction, other = torch.tensor([3.0, 4.0, 0.0, 1.0]), torch.tensor([0.0, 3.0, 4.0, 0.0])
    unit = other / other.norm()
    shared = (direction @ unit) * unit
    found = tensor(cleaned(direction, other), direction.shape)
    refuse(found, {
        "Its length is not 1: the shared part had its share in it. Divide by the length that is left.": direction - shared,
        "Nothing has been taken away: a step along it still leads along the other one.": _unit(direction),
        "That takes the whole other direction away. Take only as much of it as the direction has in it.": _unit(direction - unit),
        "All of the other direction is gone, and more. Take only as much of it away as the direction has in it.": _unit(direction - other),
        "That is from two unit vectors, but the other one whole: multiply it by direction @ other first.": _unit(_unit(direction) - unit),
        "That is the shared part, which was to go.": unit,
        "Now there is twice as much of it: subtract the shared part.": _unit(direction + shared),
        "The other direction has length 5 here. Bring it to length 1 before you measure with it.":
            _unit(direction - (direction @ other) * other),
        "The length of the other one counts twice, in the product and in the step: bring it to length 1 first.":
            _unit(direction - (direction @ unit) * other),
    }, atol=1e-4)  # fmt: skip
    for way, off in ((direction, other), (torch.tensor([1.0, -2.0, 2.0, 0.5]), torch.tensor([-0.4, 0.1, 0.2, 0.2]))):
        right = _unit(way - (way @ off) / (off @ off) * off)
        found = tensor(cleaned(way, off), way.shape)
        if not torch.allclose(found, right.double(), atol=1e-4):
            raise Hint(
                f"From {way.tolist()}, cleaned of {_rounded(off)}, {_rounded(right)} is left, not {_rounded(found)}: a step along "
                f"it must lead nowhere along the other one, and along yours one gets {(found @ _unit(off).double()).item():.2f} far."
            )
    return "A step along what is left does not move along the other one at all. Now count what it changes."


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.norm()


def _rounded(vector: Tensor) -> str:
    return str([round(value, 2) for value in vector.tolist()])


# ------------------------------------------------------------------------------------- games on a plane


def heart(n: int) -> Tensor:
    """n random points, n×2, on the lesson's heart."""
    t = 2 * math.pi * torch.rand(n)
    y = 13 * t.cos() - 5 * (2 * t).cos() - 2 * (3 * t).cos() - (4 * t).cos()
    return torch.stack([16 * t.sin() ** 3, y], dim=1) / 12 + 0.05 * torch.randn(n, 2)


def spiral(n: int) -> Tensor:
    """n random points, n×2, on a spiral of one and a half rounds, equally many on equal lengths."""
    t = 0.7 + 3 * math.pi * torch.rand(n).sqrt()
    return torch.stack([t * t.cos(), t * t.sin()], dim=1) / 8 + 0.03 * torch.randn(n, 2)


def on_and_covered(fake: Tensor, real: Tensor, within: float = 0.15) -> tuple[float, float]:
    """The share of the fakes (n×2) with a real point (m×2) so near, and the share of the real points with a fake so near."""
    near = torch.cdist(fake.double(), real.double()) < within
    return near.any(dim=1).double().mean().item(), near.any(dim=0).double().mean().item()


def _players() -> tuple[nn.Module, nn.Module, torch.optim.Optimizer, torch.optim.Optimizer]:
    """The lesson's two networks, and their optimizers."""
    torch.manual_seed(0)
    forger, critic = (
        nn.Sequential(
            nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, outputs)
        )
        for outputs in (2, 1)
    )  # fmt: skip
    forger_optimizer, critic_optimizer = (
        torch.optim.Adam(player.parameters(), lr, (0.0, 0.99), fused=True) for player, lr in ((forger, 1e-3), (critic, 4e-3))
    )
    return forger, critic, forger_optimizer, critic_optimizer


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# ------------------------------------------------------------------------------------- a line is missing

# By the number of the line that is missing, what one sees then.
WITHOUT = {
    1: "Without line 1 no real point ever reaches the critic. Would its score for the heart be high?",
    2: "Without line 2 nothing ever lowers a score. Would the critic's score for the fakes be low?",
    3: "Without line 3 the critic's scores are those of an untrained network. What would it say of the heart?",
    4: "Without line 4 the forger does not learn at all. Where would its points lie?",
}
_MISSING = {"a": 2, "b": 4, "c": 1, "d": 3}


def broken_games(turns: int = 400) -> dict[str, tuple[Tensor, Tensor, float, float]]:
    """Four games on the heart, each without one line: by letter the forger's first and last points (500×2), and the means of
    the critic's scores for the heart and for the last points."""
    return {letter: _broken_game(missing, turns) for letter, missing in _MISSING.items()}


def _broken_game(missing: int, turns: int) -> tuple[Tensor, Tensor, float, float]:
    with torch.random.fork_rng(devices=[]):
        forger, critic, forger_optimizer, critic_optimizer = _players()
        z = torch.randn(500, 2)
        before = forger(z).detach()
        for _ in range(turns):
            real, fake = heart(128), forger(torch.randn(128, 2))
            for_real, for_fake = softplus(-critic(real)).mean(), softplus(critic(fake.detach())).mean()
            if missing != 3:
                _descend(critic_optimizer, (missing != 1) * for_real + (missing != 2) * for_fake)
            if missing != 4:
                _descend(forger_optimizer, softplus(-critic(fake)).mean())
        after = forger(z).detach()
        return before, after, critic(heart(500)).mean().item(), critic(after).mean().item()


@exercise(
    "Before you look: how would the critic score the heart, and how the fakes, without each of the four lines?",
    "begin with the scores: a critic that has learned from real points scores the heart well above 0.",
)
def check_missing(answers) -> str:
    """For the games a, b, c, d the number of the missing line, as a list or a dictionary."""
    if isinstance(answers, dict):
        if unknown := [key for key in answers if key not in _MISSING]:
            raise Hint(f"{unknown[0]!r} is no game: there are {', '.join(_MISSING)}.")
        answers = [answers.get(letter, ...) for letter in _MISSING]
    given = answers.tolist() if hasattr(answers, "tolist") else answers
    if not isinstance(given, (list, tuple)) or len(given) != 4:
        raise Hint(f"A list of four numbers is expected, one for each of a, b, c, d, not {described(answers)}.")
    for letter, each in zip(_MISSING, given):
        if each is ...:
            raise Hint(f"Still without a number: {letter}.")
        if number(each) not in WITHOUT:
            raise Hint(f"{each!r} is no line: they are numbered from 1 to 4.")
    right = [number(each) == truth for each, truth in zip(given, _MISSING.values())]
    if not all(right):
        place = right.index(False)
        raise Hint(f"{sum(right)} of 4 are right. Look at {'abcd'[place]} again. {WITHOUT[int(number(given[place]))]}")
    return (
        "Each line has its own work: real points pull the critic's score up, fakes pull it down, and only both together show "
        "the forger where the heart is."
    )


# ------------------------------------------------------------------------------------- a turn to mend


@exercise(
    "What is each of the two steps there for, and does its line do that?",
    "follow the signs of the critic's loss first, and then look whose optimizer makes the second step.",
    returns_nothing=True,
)
def check_turn(turn) -> str:
    """turn(forger, critic, forger_optimizer, critic_optimizer, real, z): one turn; it is played on the heart."""
    _both_move(turn)
    forger, critic, *optimizers = _players()
    for _ in range(600):
        turn(forger, critic, *optimizers, heart(128), torch.randn(128, 2))
    real, fake = heart(1000), forger(torch.randn(1000, 2)).detach()
    on, covered = on_and_covered(fake, real)
    if on < 0.75 or covered < 0.75:
        raise Hint(
            f"Both players learn now, but after 600 turns only {on:.0%} of the fakes lie on the heart, and {covered:.0%} of it is "
            f"covered. The critic's mean score is {critic(real).mean():.1f} for the heart and {critic(fake).mean():.1f} for the "
            "fakes. Which of the two should each line push up, and which down?"
        )
    return f"After 600 turns {on:.0%} of the fakes lie on the heart, and {covered:.0%} of it is covered."


def _both_move(turn) -> None:
    """Raise where a turn leaves one of the players as it was."""
    forger, critic, *optimizers = _players()
    before = [[weights.clone() for weights in player.parameters()] for player in (critic, forger)]
    turn(forger, critic, *optimizers, heart(128), torch.randn(128, 2))
    for player, old, name in zip((critic, forger), before, ("critic", "forger")):
        if all(map(torch.equal, old, player.parameters())):
            raise Hint(f"After a turn the {name}'s weights are what they were before. Whose optimizer is to move them?")


# ------------------------------------------------------------------------------------- a forger to train

BAR = 0.94  # of the fakes on the spiral, and of the spiral covered


@exercise(
    "How do the ten lines know what hangs in the museum, and what would you change if their forger is not good enough yet?",
    "play the game as it stands and draw 1000 of its fakes: what is wrong with them, and what becomes of it in twice as many turns?",
)
def check_spiral(paint) -> str:
    """paint(n): n fakes of the spiral, n×2, by a forger that has been trained: 94 % of them on it, 94 % of it covered."""
    if isinstance(paint, Tensor):
        raise Hint("Give the function that paints, not its points.")
    if paint.function is spiral:
        raise Hint("That is the museum itself. The points are to come from a forger, which never sees the spiral.")
    points, again = (_points(paint, 1000) for _ in range(2))
    if torch.equal(points, again):
        raise Hint("Two calls gave the very same points: draw z anew at each call.")
    _points(paint, 7)
    on, covered = on_and_covered(points, spiral(1000), within=0.1)
    found = f"{on:.1%} of your fakes lie on the spiral, and {covered:.1%} of it is covered"
    if covered < 0.05:
        raise Hint(f"{found}. Was your forger trained, and was it the spiral that hung in its museum?")
    if covered < BAR:
        raise Hint(f"{found}. It leaves parts of the spiral out: give it time, or more weights, to get there.")
    if on < BAR:
        raise Hint(f"{found}. Too many lie beside it: has your forger had time enough?")
    return f"{found}."


def _points(paint, n: int) -> Tensor:
    points = paint(n)
    if isinstance(points, Tensor) and points.shape == (2, n):
        raise Hint(f"Two rows of {n}. Each point is a row of two, as the forger gives them.")
    return tensor(points, (n, 2))
