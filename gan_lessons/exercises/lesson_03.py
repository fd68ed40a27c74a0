"""The checks of lesson 03, the training game."""

import contextlib
from collections.abc import Iterator

import numpy
import torch
from torch import nn
from torch.nn.functional import softplus

from gan_lessons.exercises import Hint, described, exercise, number, word


@exercise(
    "Follow the walk from the loss backwards, and ask at each net: may it pass, and may it leave something?",
    "draw the chain loss, D, G for each program, cut it where something is detached, and put a padlock where something is frozen.",
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
        raise Hint("Program 3: a frozen D lets the walk pass through, but keeps no gradients itself.")
    if third not in ("G", ...):
        raise Hint("Program 3: freezing is not detaching. The walk still passes through D, and arrives at …?")
    if fourth not in ("error", ...):
        raise Hint("Program 4: D is frozen and G is cut off. The loss depends on nothing that can learn; torch says so.")
    if left := [str(program) for program, each in enumerate(answer, start=1) if each is ...]:
        raise Hint(f"What you have named so far is right. Still without an answer: {', '.join(left)}.")
    return "In program 4 no parameter is left that needs a gradient, and torch refuses to walk."


def _players() -> tuple[nn.Module, nn.Module]:
    """A small G and D, the same at each call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))


def _flat(network: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(network.parameters()).detach().clone()


ORDER = "The order is zero_grad(), backward(), step(); and the loss must hang on D's answers, without .item(), .detach() or no_grad()."


class _Optimizer(torch.optim.SGD):
    """Steps of size 0.1, and remembers for each step whether there was a gradient to follow."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network.parameters(), lr=0.1)
        self.had_gradients: list[bool] = []

    def step(self, closure=None):
        self.had_gradients.append(any(each.grad is not None and bool(each.grad.any()) for each in self.param_groups[0]["params"]))
        return super().step(closure)


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


def _stepped(make_loss, player: int) -> torch.Tensor:
    """The player's weights after one step of size 0.1 down the loss that make_loss(discriminator, fake) gives."""
    players = _players()
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
    "What does D pay for a real one, what for a fake, and where must the walk back through the fakes stop?",
    "D pays softplus(-discriminator(real)).mean() for the reals; add what it pays for the fakes, and take a step down the sum.",
    returns_nothing=True,
)
def check_update_discriminator(update_discriminator) -> str:
    """update_discriminator(discriminator, optimizer, real, fake): one step of D with cross-entropy."""
    generator, discriminator = _players()
    before, generator_before = _flat(discriminator), _flat(generator)
    for parameter in discriminator.parameters():
        parameter.grad = torch.ones_like(parameter)  # left over from something else
    optimizer = _Optimizer(discriminator)
    update_discriminator(discriminator, optimizer, REAL, generator(Z))
    after = _flat(discriminator)
    if not torch.equal(_flat(generator), generator_before):
        raise Hint("G has moved. In D's step G stands still.")
    if any(parameter.grad is not None for parameter in generator.parameters()):
        raise Hint("Gradients have leaked into G: detach was forgotten. Show D fake.detach().")
    _judge_steps("D", optimizer, before, after, ORDER)
    _refuse_left(discriminator)
    right = _stepped(lambda d, fake: sum(part.mean() for part in _real_and_fake(d, fake)), 1)
    if torch.allclose(after, right, atol=1e-6):
        return "D has learned from both batches, and G has no gradients."
    if torch.allclose(after + 0.1, right, atol=1e-6):
        raise Hint("Old gradients were added to the new ones: call optimizer.zero_grad() before backward().")
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


@exercise(
    "Through whom must the gradient pass to reach G, and who must not keep any of it?",
    "begin with the loss alone: what does -log D(G(z)) cost, as a softplus of D's logits of the fakes? Then ask what keeps D's "
    "parameters from collecting gradients, and when D needs them again.",
    returns_nothing=True,
)
def check_update_generator(update_generator) -> str:
    """update_generator(discriminator, optimizer, fake): one step of G with the non-saturating loss."""
    generator, discriminator = _players()
    before, discriminator_before = _flat(generator), _flat(discriminator)
    for parameter in generator.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer, lost = _Optimizer(generator), [LOST]
    discriminator.register_forward_pre_hook(lambda module, seen: lost.extend(map(_where_lost, seen)))
    try:
        update_generator(discriminator, optimizer, generator(Z))
    except RuntimeError as error:
        if "does not require grad" in str(error):
            raise Hint(lost[-1]) from None
        raise
    after = _flat(generator)
    if not torch.equal(_flat(discriminator), discriminator_before):
        raise Hint("D's weights have changed. In G's step D stands still.")
    leaked = any(parameter.grad is not None and parameter.grad.any() for parameter in discriminator.parameters())
    if leaked and torch.equal(after, before) and lost[-1] == DETACHED:
        raise Hint(DETACHED)
    if leaked:
        raise Hint("Gradients have leaked into D: freeze it with requires_grad_(False) while the loss is computed.")
    _judge_steps("G", optimizer, before, after, ORDER if lost[-1] == LOST else lost[-1])
    _refuse_left(discriminator)
    right = _stepped(lambda d, fake: softplus(-d(fake)).mean(), 0)
    if torch.allclose(after, right, atol=1e-6):
        return "G has moved uphill along D, and D is as it was."
    if torch.allclose(after + 0.1, right, atol=1e-6):
        raise Hint("Old gradients were added to the new ones: call optimizer.zero_grad() before backward().")
    _name_mistake(after, G_MISTAKES, player=0)
    raise Hint("G's step is not the one that -E[log D(G(z))] gives.")


def _where_lost(fakes: torch.Tensor) -> str:
    """What cuts G off, to go by the fakes that D is shown, and by the moment."""
    if not torch.is_grad_enabled():
        return NO_GRAD
    return LOST if fakes.requires_grad else DETACHED


def _name_mistake(after: torch.Tensor, mistakes: dict, player: int) -> None:
    for hint, make_loss in mistakes.items():
        if torch.allclose(after, _stepped(make_loss, player), atol=1e-6):
            raise Hint(hint)


@exercise("Who moves how often in a turn, on which batches, and when is it G's turn?",
          "write a loop over range(k) for D; which two batches does each of its steps need?")  # fmt: skip
def check_turn(play_turn) -> str:
    """play_turn(k, draw_real, draw_fake, update_discriminator, update_generator): k steps of D, then one of G."""
    for k in (3, 1):
        moves: list[tuple[str, list[int]]] = []
        reals, fakes = iter(range(100)), iter(range(100, 200))

        def update_discriminator(real, fake, moves=moves):
            moves.append(("D", [_drawn(real), _drawn(fake)]))

        def update_generator(fake, moves=moves):
            moves.append(("G", [_drawn(fake)]))

        arguments = (lambda: _batch(next(reals)), lambda: _batch(next(fakes)), update_discriminator, update_generator)
        result = play_turn(k, *arguments)
        _judge_moves(k, moves, result)
    return "With k = 3: D, D, D, G, and every step of D on fresh batches."


def _batch(number: int) -> torch.Tensor:
    """A batch that can be recognised."""
    return torch.full((4, 1), float(number))


def _drawn(batch) -> int:
    """Which batch it is."""
    if not isinstance(batch, torch.Tensor):
        raise Hint(f"A player was given {described(batch)} in place of a batch: draw_real() and draw_fake() give one.")
    return int(batch.flatten()[0])


def _judge_moves(k: int, moves: list[tuple[str, list[int]]], result) -> None:
    order = "".join(move[0] for move in moves)
    if "G" not in order:
        raise Hint(f"With k = {k} the moves were '{order}': G never moved.")
    if order == "DG" * k and k > 1:
        raise Hint(f"With k = {k} the moves were '{order}': G moved after every step of D. Its update comes after the loop.")
    if order == "G" + "D" * k:
        raise Hint("G moved before D. It is to answer the D that has just learned.")
    if order != "D" * k + "G":
        raise Hint(f"With k = {k} the moves were '{order}', but should be '{'D' * k}G'.")
    d_moves = [batches for _, batches in moves[:-1]]
    if any(real >= 100 or fake < 100 for real, fake in d_moves):
        raise Hint("update_discriminator takes the real batch first, then the fake one.")
    if len({real for real, _ in d_moves}) < k:
        raise Hint("D saw the same real batch several times: draw inside the loop.")
    if len({fake for _, fake in d_moves}) < k:
        raise Hint("D saw the same fakes several times: draw inside the loop.")
    (answered,) = moves[-1][1]
    if answered < 100:
        raise Hint("G's update was given a real batch.")
    if answered in {fake for _, fake in d_moves[:-1]}:
        raise Hint("G answered with old fakes: take those of D's last step, or fresh ones.")
    if isinstance(result, torch.Tensor) and _drawn(result) != answered:
        raise Hint("You return another batch than the one that G answered with: keep that in a variable, and return it.")
    if not isinstance(result, torch.Tensor):
        raise Hint(f"Return the batch of fakes that G answered with, not {described(result)}.")


CENTRES = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
NEAR, FAR = torch.tensor([[0.0, 0.4]]), torch.tensor([[30.0, 30.0]])


def _two(n: int, m: int, right: float, up: float = 0.0) -> list[tuple[int, torch.Tensor]]:
    """So many samples at the first centre, and so many a bit beside the second."""
    return [(n, CENTRES[:1]), (m, CENTRES[1:2] + torch.tensor([[right, up]]))]


LIMIT = _two(97, 3, 0.0)

# (how many samples lie at which points, centres, std, modes covered, the numbers that mistakes give, with their hints)
COUNTS: list[tuple[list[tuple[int, torch.Tensor]], torch.Tensor, float, int, dict[float, str]]] = [
    (_two(50, 50, 0.0), CENTRES, 0.1, 2,
     {100: "You counted the samples that are near. How many modes have enough of them?", 3: "A mode without a sample was counted."}),
    (_two(50, 50, 0.29), CENTRES, 0.1, 2,
     {1: "A mode 2.9 standard deviations away from its samples was refused: the limit is a distance of 3 · std."}),
    ([(50, CENTRES[:1]), (50, FAR)], CENTRES, 0.1, 1,
     {2: "Samples far away from every centre were counted: they belong to no mode."}),
    (_two(50, 50, 0.4), CENTRES, 0.1, 1,
     {2: "Samples 4 standard deviations away were counted. Near is a distance (not its square) of at most 3 · std."}),
    (_two(50, 50, 2.5), CENTRES, 1.0, 2,
     {1: "With a std of 1, samples at a distance of 2.5 were refused: the limit is 3 · std, whatever std is."}),
    (_two(50, 50, 0.2, 0.2), CENTRES, 0.1, 2,
     {1: "Samples 0.2 to the right of and 0.2 above their centre, which is a distance of 0.28, were refused: the distance is the "
         "root of the sum of squares, not the sum."}),
    (_two(50, 50, 0.25, 0.25), CENTRES, 0.1, 1,
     {2: "The limit is a circle, not a square: use the distance (torch.cdist), not each coordinate."}),
    (_two(990, 10, 0.0), CENTRES, 0.1, 1, {2: "A mode with 1 % of the samples was counted: at least 3 % are asked for."}),
    (_two(19, 1, 0.0), CENTRES, 0.1, 2, dict.fromkeys(
        (0, 1), "A mode with one sample of 20, which is 5 %, was refused: at least 3 % of all samples are asked for, which is a share "
        "of 0.03, not a number of samples.")),
    ([*_two(50, 2, 0.0), (48, FAR)], CENTRES, 0.1, 1,
     {2: "The 3 % are of all samples. You divided by those that are near a mode."}),
    ([(100, CENTRES[:1])], torch.cat([CENTRES, NEAR]), 0.2, 1,
     {2: "One sample was counted for two modes. It counts for its nearest only."}),
    (LIMIT, CENTRES, 0.1, 2,
     {1: "A mode with 3 samples of 100 was refused, and at least 3 % are asked for: that many are enough. (Taken out of a float32 "
         "tensor, 3/100 lies a little below Python's 0.03. Compare counts, or compare inside the tensor.)"}),
]  # fmt: skip


@contextlib.contextmanager
def _double_precision() -> Iterator[None]:
    """Divide whole numbers in float64, in which 3/100 is Python's 0.03; the float32 that is nearest to it lies below."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@exercise("Which centre does a sample belong to, when does it count for it, and when does a centre have enough of them?",
          "torch.cdist(samples, centres).min(dim=1) gives each sample's distance to its nearest centre, and which that is.")  # fmt: skip
def check_count_modes(count_modes) -> str:
    """count_modes(samples, centres, std): modes with at least 3 % of all samples within 3 std of the centre."""
    for parts, centres, std, right, mistakes in COUNTS:
        samples = torch.cat([point.repeat(n, 1) for n, point in parts])
        found = number(count_modes(samples, centres, std), "How many modes are covered?")
        if found == right - 1 and parts == LIMIT:
            with _double_precision():
                found = number(count_modes(samples, centres, std))
        if found != right:
            told = ", ".join(f"{n} at ({point[0, 0]:g}, {point[0, 1]:g})" for n, point in parts)
            lies = f"Centres lie at {centres.tolist()}, std is {std}, and of the samples {told}."
            raise Hint(f"{mistakes.get(found, lies)} (Covered: {right}; you found {found:g}.)")
    return "Near means a circle, a share is of all samples, and every sample counts once at most."
