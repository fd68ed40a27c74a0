"""The checks of lesson 03, the training game."""

import math
from collections.abc import Callable

import numpy
import torch
from torch import nn
from torch.nn.functional import softplus

from gan_lessons import toys
from gan_lessons.exercises import Answer, Hint, described, exercise, number, refuse, word


@exercise(
    "Follow the walk from the loss backwards, and ask at each net: may it pass, and may it leave something?",
    "draw the chain loss, D, G for each program, cut it where something is detached, and ask what is frozen when the walk arrives.",
)
def check_gradients(answer) -> str:
    """Which player has gradients after each of four programs: 'G', 'D', 'both' or 'error'."""
    if not isinstance(answer, list | tuple | numpy.ndarray) or len(answer) != 4:
        raise Hint(f'Answer with a list of four, such as ["G", "G", "G", "G"], not with {described(answer)}.')
    first, second, third, fourth = (each if each is ... else word(each, ("G", "D", "both", "error")) for each in answer)
    if first not in ("both", ...):
        raise Hint("Program 1: nothing stops the walk, and nothing is frozen. It leaves gradients wherever it passes.")
    if second not in ("D", ...):
        raise Hint("Program 2: the fakes are detached, so the walk ends there. Which player lies before that point?")
    if third in ("both", "D"):
        raise Hint(
            "Program 3: D was called before it was frozen, and yet it keeps no gradients: torch asks once more when the walk arrives."
        )
    if third not in ("G", ...):
        raise Hint("Program 3: freezing is not detaching. The walk still passes through D, and arrives at …?")
    if fourth not in ("error", ...):
        raise Hint("Program 4: D is frozen and G is cut off. The loss depends on nothing that can learn; torch says so.")
    if left := [str(program) for program, each in enumerate(answer, start=1) if each is ...]:
        raise Hint(f"What you have named so far is right. Still without an answer: {', '.join(left)}.")
    return "In program 3 D is asked again when the walk arrives; in program 4 nothing is left that needs a gradient, and torch refuses to walk."


def _players() -> tuple[nn.Module, nn.Module]:
    """A small G and D, the same at each call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))


def _flat(network: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(network.parameters()).detach().clone()


ORDER = "The order is zero_grad(), backward(), step(); and the loss must hang on D's answers, without .item(), .detach() or no_grad()."


class _Optimizer(torch.optim.SGD):
    """Steps of size 0.1; remembers for each step whether there was a gradient to follow, and which the other player had."""

    def __init__(self, network: nn.Module, other: nn.Module, order: list[nn.Module]) -> None:
        super().__init__(network.parameters(), lr=0.1)
        self.network, self.other, self.order = network, other, order
        self.had_gradients: list[bool] = []
        self.own: list[torch.Tensor | None] = []
        self.after = _flat(network)
        self.others: list[list[torch.Tensor | None]] = []

    def step(self, closure=None):
        self.order.append(self.network)
        self.had_gradients.append(any(each.grad is not None and bool(each.grad.any()) for each in self.network.parameters()))
        self.own = _gradients(self.network)
        self.others.append(_gradients(self.other))
        loss = super().step(closure)
        self.after = _flat(self.network)
        return loss


def _gradients(network: nn.Module) -> list[torch.Tensor | None]:
    return [None if each.grad is None else each.grad.clone() for each in network.parameters()]


def _same_or_none(found: list[torch.Tensor | None], before: list[torch.Tensor | None]) -> bool:
    """Whether each gradient is as it was, or cleared."""
    pairs = zip(found, before)
    return all(now is None or not now.any() or (was is not None and torch.equal(now, was)) for now, was in pairs)


def _judge_steps(name: str, optimizer: _Optimizer, before: torch.Tensor, after: torch.Tensor, cut_off: str) -> None:
    """A Hint unless the player has moved by one step of the optimizer that was handed in."""
    steps = len(optimizer.had_gradients)
    if steps == 0 and not torch.equal(after, before):
        raise Hint(f"{name} has moved, but not by the optimizer that is handed in: call its zero_grad() and its step().")
    if steps == 0:
        raise Hint(
            f"{name} has not moved: after the loss come zero_grad(), backward() and step(), with the optimizer that is handed in."
        )
    if steps > 1:
        raise Hint(f"One step is asked for, and the optimizer took {steps}: add up all that the loss is made of, then one backward() "
                   "and one step().")  # fmt: skip
    if not any(optimizer.had_gradients):
        raise Hint(f"{name} has not moved, for there was no gradient when the step was taken. {cut_off}")
    if torch.allclose(after + 0.1, before, atol=1e-6):
        raise Hint("The step followed the old gradients alone. The order is zero_grad(), backward(), step().")


def _stepped(make_loss, player: int, discriminator: nn.Module | None = None) -> torch.Tensor:
    """The player's weights after one step of size 0.1 down the loss that make_loss(discriminator, fake) gives."""
    players = _players()
    if discriminator is not None:
        players[1].load_state_dict(discriminator.state_dict())
    loss = make_loss(players[1], players[0](Z))
    parameters = list(players[player].parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
        parameter.data -= 0.1 * gradient
    return _flat(players[player])


REAL, Z = torch.linspace(0.5, 2.0, 4).unsqueeze(1), torch.linspace(-1, 1, 6).unsqueeze(1)


def _real_and_fake(discriminator, fake, real_sign=-1, fake_sign=1):
    return softplus(real_sign * discriminator(REAL)), softplus(fake_sign * discriminator(fake))


# What D's step gives with the right loss, and with the plausible wrong ones.
D_MISTAKES = {
    "The labels are exchanged (or a sign is flipped): D learns to call reals fake. Real is softplus(-a), fake is "
    "softplus(a).": lambda d, fake: sum(part.mean() for part in _real_and_fake(d, fake, 1, -1)),
    "D's fakes carry the label 1. That is what G wants; for D a fake has label 0, softplus(a).": lambda d, fake: sum(
        part.mean() for part in _real_and_fake(d, fake, -1, -1)
    ),
    "You summed over the batch. With the mean a step does not grow with the batch size.": lambda d, fake: sum(
        part.sum() for part in _real_and_fake(d, fake)
    ),
    "Nothing has come from the fakes: the loss of the fakes is missing, or D's answer to them was detached. Detach the fakes "
    "themselves, before D sees them.": lambda d, fake: _real_and_fake(d, fake)[0].mean(),
    "Nothing has come from the reals: the loss of the reals is missing, or D's answer to them was detached.": lambda d, fake: (
        _real_and_fake(d, fake)[1].mean()
    ),
    "That is half of it: add the two means, and do not halve.": lambda d, fake: (
        sum(part.mean() for part in _real_and_fake(d, fake)) / 2
    ),
    "The step is twice as long as it should be: backward() was called twice, or the loss was doubled.": lambda d, fake: (
        2 * sum(part.mean() for part in _real_and_fake(d, fake))
    ),
    "Without a logarithm or softplus this pushes the raw logits apart, without end. Cross-entropy is softplus(-a) and softplus(a).": (
        lambda d, fake: d(fake).mean() - d(REAL).mean()
    ),
    "That is one mean over reals and fakes together; take each batch's mean, then add.": lambda d, fake: torch.cat(
        _real_and_fake(d, fake)
    ).mean(),
}


@exercise(
    "What does D pay for a real one and for a fake, which D does G answer, and what must not leak from one player to the other?",
    "make the fakes, fake = generator(z); D's loss is softplus(-discriminator(real)).mean() and the cost of the fakes, without a way "
    "back into G. When D has moved, it is G's turn.",
    returns_nothing=True,
)
def check_one_turn(one_turn) -> str:
    """one_turn(generator, discriminator, generator_optimizer, discriminator_optimizer, real, z): the five steps, once."""
    players = generator, discriminator = _players()
    befores = [_flat(player) for player in players]
    for parameter in (*generator.parameters(), *discriminator.parameters()):
        parameter.grad = torch.ones_like(parameter)  # left over from something else
    order: list[nn.Module] = []
    optimizers = [_Optimizer(*pair, order) for pair in (players, players[::-1])]
    lost = [LOST]
    discriminator.register_forward_pre_hook(lambda module, seen: lost.extend(map(_where_lost, seen)))
    try:
        one_turn(generator, discriminator, *optimizers, REAL, Z)
    except RuntimeError as error:
        if "does not require grad" in str(error) and order:
            raise Hint(lost[-1]) from None
        if "backward through the graph a second time" in str(error):
            raise Hint(f"{LEAKED_INTO_G} (torch stopped, since D's loss had used up the way back into G.)") from None
        raise
    if order[:2] == [generator, discriminator]:
        raise Hint("G moved before D. It is to answer the D that has just learned.")
    _judge_discriminator(optimizers[1], befores[1])
    _judge_generator(optimizers[0], optimizers[1], befores[0], lost[-1])
    return "D has learned from both batches, G has moved uphill along the new D, and neither left anything in the other."


LEAKED_INTO_G = "Gradients have leaked into G: detach was forgotten. Show D fake.detach() in its own step."


def _judge_discriminator(optimizer: _Optimizer, before: torch.Tensor) -> None:
    """A Hint unless D has taken the right step, and left G without gradients and itself fit for more."""
    discriminator, generator = optimizer.network, optimizer.other
    after = optimizer.after if optimizer.own else _flat(discriminator)
    if optimizer.others and not _same_or_none(optimizer.others[0], [torch.ones_like(each) for each in generator.parameters()]):
        raise Hint(LEAKED_INTO_G)
    _judge_steps("D", optimizer, before, after, ORDER)
    _refuse_left(discriminator)
    right = _stepped(lambda d, fake: sum(part.mean() for part in _real_and_fake(d, fake)), 1)
    if torch.allclose(after, right, atol=1e-6):
        return
    if torch.allclose(after + 0.1, right, atol=1e-6):
        raise Hint("Old gradients were added to D's new ones: call the optimizer's zero_grad() before backward().")
    _name_mistake(after, D_MISTAKES, player=1)
    if torch.allclose(after - before, before - right, atol=1e-6):
        raise Hint("The sign is flipped: D climbs its loss.")
    raise Hint("D's step is not the one that the two cross-entropies give. Check both terms, label 1 and label 0.")


def _refuse_left(discriminator: nn.Module) -> None:
    """A Hint where D is not ready for its next step."""
    if not all(parameter.requires_grad for parameter in discriminator.parameters()):
        raise Hint("D is still frozen and could not learn in the next turn: thaw it with requires_grad_(True).")
    if not all(part.training for part in discriminator.modules()):
        raise Hint("D is left in eval mode: put it back with train(), or dropout and batch normalisation would stay off.")


DETACHED = "The fakes were detached, so the gradient cannot reach G. Freeze D instead."
NO_GRAD = "D was asked under torch.no_grad(), so nothing remembers how the loss hangs on G. Freeze D instead, with requires_grad_(False)."
LOST = "The loss no longer hangs on D's answer: no .detach(), .data or .item() between the two."

G_MISTAKES = {
    "That is the minimax loss, E[log(1 - D)], which saturates (lesson 02). The non-saturating one is -E[log D].": (
        lambda d, fake: -softplus(d(fake)).mean()
    ),
    "The sign is flipped: G learns to be recognised. -log D is softplus(-a).": lambda d, fake: -softplus(-d(fake)).mean(),
    "That is D's loss for fakes, label 0: G learns to be recognised. G's label is 1.": (lambda d, fake: softplus(d(fake)).mean()),
    "You summed over the batch. With the mean a step does not grow with the batch size.": (
        lambda d, fake: softplus(-d(fake)).sum()
    ),
    "The step is twice as long as it should be: backward() was called twice, or the loss was doubled.": (
        lambda d, fake: 2 * softplus(-d(fake)).mean()
    ),
    "Without a logarithm or softplus this pushes the raw logit up, without end. The loss is -log D = softplus(-a).": (
        lambda d, fake: -d(fake).mean()
    ),
}


def _judge_generator(optimizer: _Optimizer, by_d: _Optimizer, before: torch.Tensor, lost: str) -> None:
    """A Hint unless G has taken the right step through the new D, and left nothing in it."""
    generator, discriminator = optimizer.network, optimizer.other
    after = _flat(generator)
    if not torch.equal(_flat(discriminator), by_d.after):
        raise Hint("D's weights have changed after its own step. In G's step D stands still.")
    leaked = not _same_or_none(_gradients(discriminator), by_d.own)
    if leaked and torch.equal(after, before) and lost == DETACHED:
        raise Hint(DETACHED)
    if leaked:
        raise Hint("Gradients have leaked into D: freeze it with requires_grad_(False) while G's loss is computed.")
    _judge_steps("G", optimizer, before, after, ORDER if lost == LOST else lost)
    right = _stepped(lambda d, fake: softplus(-d(fake)).mean(), 0, discriminator)
    if torch.allclose(after, right, atol=1e-6):
        return
    if torch.allclose(after + 0.1, right, atol=1e-6):
        raise Hint("Old gradients were added to G's new ones: call the optimizer's zero_grad() before backward().")
    if torch.allclose(after, _stepped(lambda d, fake: softplus(-d(fake)).mean(), 0), atol=1e-6):
        raise Hint("G answered the D of before: compute its loss after D has moved, by asking D once more.")
    _name_mistake(after, G_MISTAKES, 0, discriminator)
    raise Hint("G's step is not the one that -E[log D(G(z))] gives.")


def _where_lost(fakes: torch.Tensor) -> str:
    """What cuts G off, to go by the fakes that D is shown, and by the moment."""
    if not torch.is_grad_enabled():
        return NO_GRAD
    return LOST if fakes.requires_grad else DETACHED


def _name_mistake(after: torch.Tensor, mistakes: dict, player: int, discriminator: nn.Module | None = None) -> None:
    for hint, make_loss in mistakes.items():
        if torch.allclose(after, _stepped(make_loss, player, discriminator), atol=1e-6):
            raise Hint(hint)


@exercise(
    "Which number stands for the other player's in a simultaneous step, and what does an optimist put in its place?",
    "simultaneous play uses the slope where the players are now; which slope is it where they are expected next?",
)
def check_optimistic(optimistic) -> str:
    """optimistic(theta, psi, theta_before, psi_before, eta): one optimistic turn on V = -ψθ; gives the new θ and the new ψ."""
    theta, psi, theta_before, psi_before = 1.0, 0.5, 0.7, 0.9
    guess_theta, guess_psi = 2 * theta - theta_before, 2 * psi - psi_before
    for eta in (0.1, 0.25):
        found = _pair(optimistic(theta, psi, theta_before, psi_before, eta))
        right = new_theta, new_psi = theta + eta * guess_psi, psi - eta * guess_theta
        mistakes = {
            "That is the step at once, which spirals outward. The numbers before have no say in it.": (theta + eta * psi, psi - eta * theta),
            "That remembers where optimism looks ahead: 2·now - before, not the mean of the two.": (
                theta + eta * (psi + psi_before) / 2, psi - eta * (theta + theta_before) / 2),
            "Both players climb. D wants V = -ψθ large, G wants it small.": (theta - eta * guess_psi, new_psi),
            "Both players descend. G wants V = -ψθ small, D wants it large.": (new_theta, psi + eta * guess_theta),
            "The players have swapped roles: G climbs and D descends.": (theta - eta * guess_psi, psi + eta * guess_theta),
            "The slope of V along θ is -ψ, not -θ: each player's slope is the other's number.": (theta + eta * guess_theta, psi - eta * guess_psi),
            "The step must start from where the players are, not from the guess ahead.": (guess_theta + eta * guess_psi, guess_psi - eta * guess_theta),
            "ψ answers the θ that has just moved. Both move at once: ψ must use the old θ.": (new_theta, psi - eta * (2 * new_theta - theta)),
            "θ answers the ψ that has just moved. Both move at once: θ must use the old ψ.": (theta + eta * (2 * new_psi - psi), new_psi),
            "There the players take turns, and neither looks ahead: 2·now - before.": (theta + eta * (psi - eta * theta), psi - eta * theta),
            "The new ψ comes first. Return the new θ and then the new ψ.": (new_psi, new_theta),
        }  # fmt: skip
        refuse(torch.tensor(found), {hint: torch.tensor(wrong) for hint, wrong in mistakes.items()}, rtol=0, atol=1e-6)
        if not all(math.isclose(*pair, abs_tol=1e-6) for pair in zip(found, right)):
            raise Hint(f"With eta = {eta}, from θ = 1, ψ = 0.5 and before that 0.7 and 0.9, it should go to ({new_theta:.3f}, {new_psi:.3f}), "
                       f"not to ({found[0]:.3f}, {found[1]:.3f}).")  # fmt: skip
    return f"From (1, 0), 1000 turns of 0.1 end at distance {_distance(optimistic):.3f} from the end of the game."


def _pair(result) -> tuple[float, float]:
    if not hasattr(result, "__len__") or isinstance(result, str | dict) or len(result) != 2:
        raise Hint(f"Return two numbers, the new θ and the new ψ, not {described(result)}.")
    return number(result[0]), number(result[1])


def _distance(optimistic) -> float:
    """How far from (0, 0) a thousand optimistic turns end."""
    before = now = (1.0, 0.0)
    for _ in range(1000):
        before, now = now, _pair(optimistic(*now, *before, 0.1))
    return math.hypot(*now)


TURNS, EVERY_Z = 400, torch.linspace(-1, 1, 201).unsqueeze(1)


@exercise(
    "What should reach G and what should reach D in each loop, and which line brings something else?",
    "loop A: does anything reach G at all? Loop B: whom does the optimizer move in G's step? Loop C: which gradients does G's optimizer add up?",
)
def check_mended(loops) -> str:
    """Three loops (g, d, draw_real, draw_z, turns) in which a G of one number must come to the bump at 1, and stay there."""
    if not isinstance(loops, list | tuple) or len(loops) != 3:
        raise Hint(f"Hand in a list of the three loops, [loop_a, loop_b, loop_c], not {described(loops)}.")
    for name, loop in zip("ABC", loops):
        if loop is ...:
            continue
        if not callable(loop):
            raise Hint(f"Loop {name} is {described(loop)}: hand in the function itself, without brackets behind its name.")
        for seed in (0, 1):
            _judge_loop(f"Loop {name}", Answer(loop, returns_nothing=True), seed)
    if left := [name for name, loop in zip("ABC", loops) if loop is ...]:
        raise Hint(f"The loops that you have handed in are mended. Still missing: {', '.join(left)}.")
    return "All three bring G to the data and keep it there, and D says one half."


def _judge_loop(name: str, loop: Callable, seed: int) -> None:
    torch.manual_seed(seed)
    data, means = toys.bump(1.0, 0.5), []
    g, d = (
        nn.Sequential(nn.Linear(1, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1)) for _ in "GD"
    )
    start = _flat(g)

    def draw_real():
        with torch.no_grad():
            means.append(g(EVERY_Z).mean().item())
        return data.sample((128, 1)).cpu()

    loop(g, d, draw_real, lambda: 2 * torch.rand(128, 1) - 1, TURNS)
    if len(means) < TURNS:
        raise Hint(f"{name} drew {len(means)} real batches in {TURNS} turns: every turn needs a fresh one.")
    if torch.equal(_flat(g), start):
        raise Hint(
            f"{name}: after {TURNS} turns G has not moved at all. Follow the gradient of G's loss back to G: where does it end?"
        )
    with torch.no_grad():
        fakes = g(EVERY_Z)
        real_p, fake_p = d(data.sample((4000, 1)).cpu()).sigmoid().mean().item(), d(fakes).sigmoid().mean().item()
    late = torch.tensor(means[TURNS // 2 :])
    if abs(fake_p - 2 / 3) < 0.07 and abs(real_p - 2 / 3) < 0.07:
        raise Hint(
            f"{name}: D says {fake_p:.2f} where it cannot tell, about two thirds. In G's step something still tells D that fakes are real."
        )
    if late.sub(1).abs().mean() > 0.2:
        raise Hint(f"{name}: in the last {TURNS // 2} turns the mean of G's numbers went from {late.min():.2f} to {late.max():.2f}, "
                   "and the data's is 1. Which gradients does G's step follow: only this turn's?")  # fmt: skip
    if not (0.15 < fakes.std() < 0.9 and abs(fake_p - 0.5) < 0.12 and abs(real_p - 0.5) < 0.12):
        raise Hint(
            f"{name} ends with a spread of {fakes.std():.2f} where the data's is 0.5, D(x) {real_p:.2f} and D(G(z)) {fake_p:.2f}."
        )


BATCHES, COVERED, AT_MODES, SPREAD = 2500, 7, 0.7, 0.58


@exercise(
    "Which two networks, which two optimizers, and what does one turn do with a real batch and with fresh z?",
    "build the networks and optimizers as in ring_game and play your one_turn in a loop. Compare the last G with an averaged one by all three "
    "numbers, and think of what makes the last turns calmer.",
)
def check_train(train) -> str:
    """train(draw_real): a G for the ring of eight; 7 modes covered, 70 % of the points at a mode, with a spread of 0.58 σ there."""
    drawn, ring, centres = [0], toys.ring(), toys.ring_centres()

    def draw_real():
        drawn[0] += 1
        if drawn[0] > BATCHES:
            raise Hint(f"draw_real() was called more than {BATCHES} times.")
        return ring.sample((128,))

    torch.manual_seed(0)
    generator = train(draw_real)
    if not isinstance(generator, nn.Module):
        raise Hint(f"Return the trained generator, a network, not {described(generator)}.")
    z = torch.randn(4000, 2, device=centres.device)
    points, again = (Answer(generator)(each) for each in (z, z.flip(0)))
    if not isinstance(points, torch.Tensor) or points.shape != (4000, 2):
        raise Hint(f"From 4000×2 numbers your generator makes {described(points)}, not 4000×2 points.")
    if not torch.allclose(points, again.flip(0), atol=1e-4):
        raise Hint(
            "Your generator gives another point for the same z once the order of the z has changed: each point must come from its own z."
        )
    _judge_ring(points.to(centres.device), drawn[0])
    return f"{_told(points.to(centres.device))}, after {drawn[0]} real batches."


def _judge_ring(points: torch.Tensor, drawn: int) -> None:
    """A Hint unless the points cover the ring's modes as widely as is asked for."""
    centres = toys.ring_centres()
    if not drawn:
        raise Hint("draw_real() was never called: D has not seen the data.")
    asked = f"at least {COVERED}, {AT_MODES:.0%} and {SPREAD} σ are asked for"
    told = f"{_told(points)}, after {drawn} real batches; {asked}"
    near = toys.mode_shares(points, centres, 0.15).sum().item()
    if toys.modes_covered(points, centres, 0.15) < COVERED or near < AT_MODES:
        more = "more turns are allowed" if drawn < 0.8 * BATCHES else "was it a bad moment, and do the rates suit the ring?"
        raise Hint(f"{told}: {more}")
    if not _spread_inside(points) >= SPREAD:
        raise Hint(
            f"{told}. The points sit too close to the centres. Is that so for the last G as well, or does an average of weights do it?"
        )


def _told(points: torch.Tensor) -> str:
    centres = toys.ring_centres()
    covered, near = toys.modes_covered(points, centres, 0.15), toys.mode_shares(points, centres, 0.15).sum().item()
    return f"{covered} of 8 modes covered, {near:.0%} of the points at a mode, spread inside the circles {_spread_inside(points):.2f} σ"


def _spread_inside(points: torch.Tensor) -> float:
    """Of the points within 2σ of a centre: the root mean square of their distance from it along one axis, in σ; nan without any."""
    distance = torch.cdist(points, toys.ring_centres()).min(dim=1).values / 0.15
    return (distance[distance <= 2].square().mean() / 2).sqrt().item()
