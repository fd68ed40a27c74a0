"""The checks of lesson 03, the training game."""

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
    first, second, third, fourth = (word(each, ("G", "D", "both", "error")) for each in answer)
    if first != "both":
        raise Hint("Program 1: nothing stops the walk, and nothing is frozen. It leaves gradients wherever it passes.")
    if second != "D":
        raise Hint("Program 2: the fakes are detached, so the walk ends there. Which player lies before that point?")
    if third == "both":
        raise Hint("Program 3: a frozen D lets the walk pass through, but keeps no gradients itself.")
    if third != "G":
        raise Hint("Program 3: freezing is not detaching. The walk still passes through D, and arrives at …?")
    if fourth != "error":
        raise Hint("Program 4: D is frozen and G is cut off. The loss depends on nothing that can learn; torch says so.")
    return "In program 4 no parameter is left that needs a gradient, and torch refuses to walk."


def _players() -> tuple[nn.Module, nn.Module]:
    """A small G and D, the same at each call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))


def _flat(network: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(network.parameters()).detach().clone()


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
    "D has only seen reals: the loss of the fakes is missing.": lambda d, fake: _real_and_fake(d, fake)[0].mean(),
    "D has only seen fakes: the loss of the reals is missing.": lambda d, fake: _real_and_fake(d, fake)[1].mean(),
    "That is half of it: add the two means, and do not halve.": lambda d, fake: (
        sum(part.mean() for part in _real_and_fake(d, fake)) / 2
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
    update_discriminator(discriminator, torch.optim.SGD(discriminator.parameters(), lr=0.1), REAL, generator(Z))
    after = _flat(discriminator)
    if not torch.equal(_flat(generator), generator_before):
        raise Hint("G has moved. In D's step G stands still.")
    if any(parameter.grad is not None for parameter in generator.parameters()):
        raise Hint("Gradients have leaked into G: detach was forgotten. Show D fake.detach().")
    if torch.equal(after, before):
        raise Hint(
            "D has not moved: after the loss come zero_grad(), backward() and step(), with the optimizer that is handed in."
        )
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

G_MISTAKES = {
    "That is the minimax loss, E[log(1 - D)], which saturates (lesson 02). The non-saturating one is -E[log D].": (
        lambda d, fake: -softplus(d(fake)).mean()
    ),
    "The sign is flipped: G learns to be recognised. -log D is softplus(-a).": lambda d, fake: -softplus(-d(fake)).mean(),
    "That is D's loss for fakes, label 0: G learns to be recognised. G's label is 1.": (lambda d, fake: softplus(d(fake)).mean()),
    "You summed over the batch. With the mean a step does not grow with the batch size.": (
        lambda d, fake: softplus(-d(fake)).sum()
    ),
    "Without a logarithm or softplus this pushes the raw logit up, without end. The loss is -log D = softplus(-a).": (
        lambda d, fake: -d(fake).mean()
    ),
}


@exercise(
    "Through whom must the gradient pass to reach G, and who must not keep any of it?",
    "the loss is softplus(-discriminator(fake)).mean(), and D is frozen while it is computed.",
    returns_nothing=True,
)
def check_update_generator(update_generator) -> str:
    """update_generator(discriminator, optimizer, fake): one step of G with the non-saturating loss."""
    generator, discriminator = _players()
    before, discriminator_before = _flat(generator), _flat(discriminator)
    for parameter in generator.parameters():
        parameter.grad = torch.ones_like(parameter)
    try:
        update_generator(discriminator, torch.optim.SGD(generator.parameters(), lr=0.1), generator(Z))
    except RuntimeError as error:
        if "does not require grad" in str(error):
            raise Hint(DETACHED) from None
        raise
    after = _flat(generator)
    if not torch.equal(_flat(discriminator), discriminator_before):
        raise Hint("D's weights have changed. In G's step D stands still.")
    leaked = any(parameter.grad is not None and parameter.grad.any() for parameter in discriminator.parameters())
    if leaked and torch.equal(after, before):
        raise Hint(DETACHED)
    if leaked:
        raise Hint("Gradients have leaked into D: freeze it with requires_grad_(False) while the loss is computed.")
    _refuse_left(discriminator)
    if torch.equal(after, before):
        raise Hint(
            "G has not moved: after the loss come zero_grad(), backward() and step(), with the optimizer that is handed in."
        )
    right = _stepped(lambda d, fake: softplus(-d(fake)).mean(), 0)
    if torch.allclose(after, right, atol=1e-6):
        return "G has moved uphill along D, and D is as it was."
    if torch.allclose(after + 0.1, right, atol=1e-6):
        raise Hint("Old gradients were added to the new ones: call optimizer.zero_grad() before backward().")
    _name_mistake(after, G_MISTAKES, player=0)
    raise Hint("G's step is not the one that -E[log D(G(z))] gives.")


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
        result = play_turn(
            k,
            lambda: _batch(next(reals)),
            lambda: _batch(next(fakes)),
            lambda real, fake: moves.append(("D", [_drawn(real), _drawn(fake)])),
            lambda fake: moves.append(("G", [_drawn(fake)])),
        )
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
    if not isinstance(result, torch.Tensor) or _drawn(result) != answered:
        raise Hint(f"Return the batch of fakes that G answered with, not {described(result)}.")


CENTRES = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
NEAR, FAR = torch.tensor([[0.0, 0.4]]), torch.tensor([[30.0, 30.0]])


def _two(n: int, m: int, right: float, up: float = 0.0) -> list[tuple[int, torch.Tensor]]:
    """So many samples at the first centre, and so many a bit beside the second."""
    return [(n, CENTRES[:1]), (m, CENTRES[1:2] + torch.tensor([[right, up]]))]


# (how many samples lie at which points, centres, std, modes covered, the numbers that mistakes give, with their hints)
COUNTS: list[tuple[list[tuple[int, torch.Tensor]], torch.Tensor, float, int, dict[int, str]]] = [
    (_two(50, 50, 0.0), CENTRES, 0.1, 2,
     {100: "You counted the samples that are near. How many modes have enough of them?", 3: "A mode without a sample was counted."}),
    (_two(50, 50, 0.25), CENTRES, 0.1, 2,
     {1: "A mode 2.5 standard deviations away from its samples was refused: the limit is 3 standard deviations, not one."}),
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
        (0, 1), "A mode with one sample of 20, which is 5 %, was refused: the 3 % are a share, not a number of samples.")),
    ([*_two(50, 2, 0.0), (48, FAR)], CENTRES, 0.1, 1,
     {2: "The 3 % are of all samples. You divided by those that are near a mode."}),
    ([(100, CENTRES[:1])], torch.cat([CENTRES, NEAR]), 0.2, 1,
     {2: "One sample was counted for two modes. It counts for its nearest only."}),
]  # fmt: skip


@exercise("Which centre does a sample belong to, when does it count for it, and when does a centre have enough of them?",
          "torch.cdist(samples, centres).min(dim=1) gives each sample's distance to its nearest centre, and which that is.")  # fmt: skip
def check_count_modes(count_modes) -> str:
    """count_modes(samples, centres, std): modes with at least 3 % of all samples within 3 std of the centre."""
    for parts, centres, std, right, mistakes in COUNTS:
        samples = torch.cat([point.repeat(n, 1) for n, point in parts])
        found = number(count_modes(samples, centres, std), "How many modes are covered?")
        if found != right:
            told = ", ".join(f"{n} at ({point[0, 0]:g}, {point[0, 1]:g})" for n, point in parts)
            lies = f"Centres lie at {centres.tolist()}, std is {std}, and of the samples {told}."
            raise Hint(f"{mistakes.get(int(found), lies)} (Covered: {right}; you found {found:g}.)")
    return "Near means a circle, a share is of all samples, and every sample counts once at most."
