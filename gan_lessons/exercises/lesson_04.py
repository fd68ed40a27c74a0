"""The checks of lesson 04, an MLP GAN on digits."""

import functools

import torch
from torch import Tensor, nn

from gan_lessons import classifiers, data, metrics, models, runtime, training
from gan_lessons.exercises import Hint, described, exercise, refuse, tensor


@exercise("In which mode does G have to draw, in which mode is it to be left, and what must its images not carry with them?",
          "remember generator.training, switch with generator.eval(), draw under torch.no_grad(), and switch back with generator.train(before).")  # fmt: skip
def check_generate(generate) -> str:
    """generate(generator, z): G's images in evaluation mode, without gradients; the mode is given back."""
    generator, z = _trained_for_a_moment(), torch.linspace(-1, 1, 12).reshape(4, 3)
    right = models.run(generator, z)
    for training_before in (True, False):
        generator.train(training_before)
        before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
        images = generate(generator, z)
        _judge_images(generate.result, tensor(images), right.double())
        if any(not torch.equal(value, before[name]) for name, value in generator.state_dict().items()):
            raise Hint("The images are right, but a look has changed G: in training mode its layers go on collecting.")
        if generator.training != training_before or any(layer.training != training_before for layer in generator):
            mode, other = ("training", "evaluation") if training_before else ("evaluation", "training")
            raise Hint(f"G came in {mode} mode and is left in {other} mode. Give back the mode that you found.")
    if any(not parameter.requires_grad for parameter in generator.parameters()):
        raise Hint("G is left frozen, and could learn no more: torch.no_grad() is enough.")
    return "The same z gives the same image, whatever is drawn beside it, and G is left as it was found."


def _trained_for_a_moment() -> nn.Sequential:
    """A small G with batch normalisation that has collected means and deviations, and has a tanh."""
    torch.manual_seed(3)
    generator = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 4), nn.Tanh())
    with torch.no_grad():
        for _ in range(20):
            generator(1 + 2 * torch.randn(16, 3))
    return generator


def _judge_images(result, images: Tensor, right: Tensor) -> None:
    if images.shape != right.shape:
        raise Hint(f"For 4 z there should be 4 images, a tensor of shape {tuple(right.shape)}; yours has {tuple(images.shape)}.")
    if torch.allclose(images, right.clamp(0, 1), atol=1e-5):
        raise Hint("Everything below 0 has been cut off: G's images reach from -1 to 1.")
    if not torch.allclose(images, right, atol=1e-5):
        raise Hint("Those are not the images of evaluation mode: is G in that mode already when it draws?")
    if isinstance(result, Tensor) and result.requires_grad:
        raise Hint("The images still hang on the graph, which costs memory with every picture kept: draw under torch.no_grad().")


@exercise("How much of the old average stays after a turn, how much comes from G, and which of the two networks may change?",
          "for each pair of parameters the new value is decay·average + (1 - decay)·weight; write it into the average's own parameter.",
          returns_nothing=True)  # fmt: skip
def check_average(update_average) -> str:
    """update_average(average, generator, decay): move the average network's parameters in place."""
    for decay, wanted in ((0.9, (1.1, 1.0)), (0.75, (1.25, 2.5))):
        average, generator = nn.Linear(1, 1), nn.Linear(1, 1)
        with torch.no_grad():
            average.weight.fill_(1.0), average.bias.fill_(0.0), generator.weight.fill_(2.0), generator.bias.fill_(10.0)
        parameters = [*average.parameters(), *generator.parameters()]
        update_average(average, generator, decay)
        _judge_generator(generator, parameters[2:])
        found = average.weight.item(), average.bias.item()
        _judge_average(found, wanted, decay)
        if average.weight.grad_fn is not None or not average.weight.is_leaf:
            raise Hint("The average hangs on G's graph now, which would grow with every turn: work under torch.no_grad().")
        if any(one is not other for one, other in zip(average.parameters(), parameters)):
            raise Hint(
                "The average has new parameters. Whoever holds the old ones no longer sees it move: change those in place."
            )
    return "The average moves a tenth of the way, and G stays where it is."


def _judge_generator(generator: nn.Linear, parameters: list[nn.Parameter]) -> None:
    if generator.weight.item() != 2 or generator.bias.item() != 10:
        raise Hint("G itself has changed. The average follows G; G must not follow the average.")
    if any(one is not other or not one.requires_grad for one, other in zip(generator.parameters(), parameters)):
        raise Hint(
            "G is left frozen, or with new parameters, and could learn no more. Leave G as it is; torch.no_grad() is enough."
        )


def _judge_average(found: tuple[float, float], wanted: tuple[float, float], decay: float) -> None:
    refuse(torch.tensor(found), {
        "The average has not moved. Change its parameters in place, for example with lerp_ or copy_.": torch.tensor([1.0, 0.0]),
        f"The average jumped {decay:.0%} of the way: decay is the share that the old average keeps.": (
            torch.tensor([1 + decay, 10 * decay])),
        "The weights have moved as they should, but the biases have not: go through all parameters().": torch.tensor([wanted[0], 0]),
    }, atol=1e-5)  # fmt: skip
    if abs(found[0] - wanted[0]) > 1e-5 or abs(found[1] - wanted[1]) > 1e-5:
        raise Hint(f"With decay {decay}, 1 and 2 should give {wanted[0]:g}, and 0 and 10 should give {wanted[1]:g}; "
                   f"you have {found[0]:g} and {found[1]:g}.")  # fmt: skip


BUILDS = ("default", "He's weights", "normalised")
PAIR, EQUAL = ("normalised", 0.0), 1e-3  # the build and β₁ that the lesson praises; the rate of both players


@exercise("The sentence names two changes. Which game has both, which ones lack exactly one, and how many seeds does each need?",
          "three kinds of games at D's rate 0.001: normalised with β₁ = 0, normalised with β₁ = 0.5, default with β₁ = 0; each from the same three seeds.")  # fmt: skip
def check_games(games) -> str:
    """games(): tuples of a build's name, seed, β₁ and D's rate that show whether the pair is needed at equal rates."""
    listed = games()
    if not isinstance(listed, list | tuple) or not listed:
        raise Hint(f"A list of games is expected, not {described(listed)}.")
    seeds: dict[tuple[str, float], list[int]] = {}
    for each in listed:
        name, seed, beta1, rate = _judge_listed(each)
        if rate != EQUAL:
            raise Hint(f"In one game D's rate is {rate:g}. The question is about equal rates, and G's is 0.001.")
        seeds.setdefault((name, float(beta1)), []).append(seed)
    _judge_controls(seeds)
    return f"{len(listed)} games. If one change alone does as well as both at equal rates, the sentence was about rates, too."


def _judge_listed(each) -> tuple[str, int, float, float]:
    if not isinstance(each, list | tuple) or len(each) != 4:
        raise Hint(f"Each game is a tuple of four, a name, a seed, β₁ and D's rate; one is {described(each)}.")
    name, seed, beta1, rate = each
    if name not in BUILDS:
        raise Hint(f"A game begins with a name out of makers, {', '.join(BUILDS)}; one begins with {described(name)}.")
    if type(seed) is not int or not all(type(number) in (int, float) for number in (beta1, rate)):
        raise Hint(f"Behind the name come a whole number, β₁ and D's rate; one game is {tuple(each)}.")
    if beta1 not in (0, 0.5):
        raise Hint(f"In one game β₁ is {beta1:g}. The lesson compares 0.5 with 0; a third value would be another question.")
    return name, seed, beta1, rate


def _judge_controls(seeds: dict[tuple[str, float], list[int]]) -> None:
    if PAIR not in seeds:
        raise Hint("The pair itself, normalised with β₁ = 0, is missing: what are the others to be compared with?")
    if ("normalised", 0.5) not in seeds:
        raise Hint("Batch normalisation alone is missing: what if β₁ had stayed at 0.5?")
    if ("default", 0.0) not in seeds:
        raise Hint("β₁ = 0 alone is missing: what if G had been left as torch's default makes it?")
    for (name, beta1), chosen in seeds.items():
        if len(set(chosen)) < len(chosen):
            raise Hint(f"{name} with β₁ = {beta1:g} is played twice from one seed. It would be the same game again.")
        if len(chosen) < 3:
            raise Hint(
                f"{name} with β₁ = {beta1:g} is played from {len(chosen)} seed(s). A difference can be luck: take three or more."
            )
        if set(chosen) != set(seeds[PAIR]):
            raise Hint("The seeds differ from one kind of game to another. Take the same ones, so that nothing else differs.")


@exercise("The order names 784 places. In which form is an image a list of 784 places, and what does the network expect back?",
          "images.flatten(1) has a row of 784 pixels for each image; which of its two dimensions is the order about?")  # fmt: skip
def check_shuffled(shuffled) -> str:
    """shuffled(images, order): every image's pixels in the same new order, N×1×28×28."""
    images = torch.arange(3 * 784, dtype=torch.float32).reshape(3, 1, 28, 28)
    order = torch.randperm(784, generator=torch.Generator().manual_seed(5))
    result = tensor(shuffled(images, order))
    if result.numel() != images.numel():
        raise Hint(f"There are {result.numel()} numbers in the result, and {images.numel()} in the images. The order is one of the "
                   "784 places of an image, and every image keeps its own pixels: flatten each by itself.")  # fmt: skip
    if result.shape != images.shape:
        raise Hint(f"The result has shape {tuple(result.shape)}; D and G expect {tuple(images.shape)}: reshape it back.")
    if torch.equal(result, images.double()):
        raise Hint("Nothing has moved.")
    pixels, before = result.flatten(1), images.flatten(1).double()
    if not torch.equal(pixels.sort().values, before):
        raise Hint("Pixels went from one image to another, or were lost. The order is one of places within an image.")
    if torch.equal(pixels[:, order], before):
        raise Hint("That is the way back: place i of the result should hold pixel order[i] of the image.")
    if not torch.equal(pixels, before[:, order]):
        raise Hint("The images were shuffled, but not by the order given: the same one for every image and every batch.")
    return "The same order for every image. To you it is noise now; to an MLP nothing has changed."


FAR, CLASSES, TURNS = 320, 5.5, 300  # the digit Fréchet distance, the effective classes, and the turns to get there


@exercise("Which settings has the lesson compared, and with which of them did G draw more kinds of digits?",
          "the figure of the three rates says in which direction to go from training.Game's own 0.002 and 0.0004.")  # fmt: skip
def check_quicker_game(quicker_game) -> str:
    """quicker_game(): a training.Game of dense layers that comes near enough to real digits, with enough classes, in TURNS turns."""
    runtime.seed_everything(0)
    game = quicker_game()
    _judge_game(game)
    try:
        for _ in game.play(data.mnist().draw, TURNS):
            pass
    except training.Diverged:
        raise Hint("That game has diverged: the rates are too high.") from None
    with runtime.RandomStream(7):
        images = models.run(game.generator, game.noise(2000))
    fake = classifiers.read_digits(images)
    distance = metrics.frechet_distance(_real_features(), fake.features)
    classes = metrics.effective_classes(metrics.class_shares(fake.probabilities.argmax(dim=1)))
    came = f"After {TURNS} turns its distance is {distance:.0f}, with {classes:.1f} effective classes"
    if distance > FAR or classes < CLASSES:
        raise Hint(f"{came}; the bar is {FAR} or less, with {CLASSES} or more. Change one thing at a time, and keep what helps.")
    return f"{came}."


def _judge_game(game) -> None:
    if not isinstance(game, training.Game):
        raise Hint(f"A training.Game is expected, made anew and not yet played, not {described(game)}.")
    if game.turns:
        raise Hint(f"That game has played {game.turns} turns already: make a new one, and let the check play it.")
    if game.batch_size > 64:
        raise Hint(f"Batches of {game.batch_size} would look at more images than the lesson's games: 64 at most.")
    layers = [*game.generator.modules(), *game.discriminator.modules()]
    if any(isinstance(layer, nn.modules.conv._ConvNd) for layer in layers):
        raise Hint("Convolutions come in lesson 07: here both players are made of dense layers.")
    if (
        size := sum(parameter.numel() for layer in (game.generator, game.discriminator) for parameter in layer.parameters())
    ) > 3e6:
        raise Hint(f"Both players together have {size:,} parameters; stay below 3 million, so that a turn stays quick.")


@functools.cache
def _real_features() -> Tensor:
    return classifiers.read_digits(data.to_floats(data.mnist("test").pixels[:2000])).features
