"""The checks of lesson 04, an MLP GAN on digits."""

import itertools

import torch
from torch import Tensor, nn

from gan_lessons import models
from gan_lessons.exercises import Hint, described, exercise, number, refuse, tensor


@exercise("G gives numbers from -1 to 1. What must be added so that they begin at 0, and what multiplied?",
          "begin with images + 1; how far do those numbers reach, and how far should they?")  # fmt: skip
def check_to_grey(to_grey) -> str:
    """to_grey(images): floats in [-1, 1] to uint8 grey values in 0…255, rounded."""
    ends = to_grey(torch.tensor([-1.0, 1.0]))
    if not isinstance(ends, Tensor) or ends.dtype != torch.uint8:
        raise Hint(f"An image file wants whole numbers, a tensor of type torch.uint8, not {described(ends)}.")
    if ends.tolist() != [0, 255]:
        raise Hint(f"-1 should become 0 and 1 should become 255, but they became {ends.tolist()}.")
    middle = tensor(to_grey(torch.tensor([-1.0, 0.0, 1.0])), (3,))[1].item()
    if abs(middle - 127.5) > 1:
        raise Hint(f"0 lies in the middle between black and white, and should become 127 or 128, but it became {middle:g}.")
    greys = torch.arange(256, dtype=torch.uint8)
    wrong = int((tensor(to_grey(greys.float() / 127.5 - 1), greys.shape) != greys).sum())
    if wrong:
        raise Hint(f"{wrong} of the 256 grey values do not survive the way there and back. "
                   "From -1 to 1 there are 255 steps; and a number is rounded before it is converted.")  # fmt: skip
    images = torch.linspace(-0.3, 0.6, 2 * 784).reshape(2, 1, 28, 28)  # no pixel of them is black or white
    exact, found = (images.double() + 1) * 127.5, tensor(to_grey(images), images.shape)
    if found.min() == 0 and found.max() == 255:
        raise Hint("Images without black and white come out with both. -1 is black and 1 is white, whatever else is in the image: "
                   "do not stretch each to its own darkest and brightest.")  # fmt: skip
    if (found - exact).abs().max() > 0.501:
        raise Hint(
            "Some grey values are more than half a step away from the exact ones: round to the nearest, neither up nor down."
        )
    return "All 256 grey values survive the way there and back."


@exercise("How many weights has a dense layer from m to n units, what else does each of its units have, and how many such layers are there?",
          "a dense layer from m to n units has m·n weights and n biases.")  # fmt: skip
def check_parameters(answer) -> str:
    """The number of parameters of the textbook generator 100-128-256-512-784."""
    count = number(answer)
    sizes = (100, 128, 256, 512, 784)
    weights = sum(m * n for m, n in itertools.pairwise(sizes))
    biases = sum(sizes[1:])
    refuse(count, {
        "Those are the weights. Every unit also has a bias.": weights,
        "Those are the biases. Every pair of units, one in a layer and one in the next, also has a weight.": biases,
        "That is the repaired generator with batch normalisation; the question is about the textbook one.": (
            sum(parameter.numel() for parameter in models.mlp_generator().parameters())),
    }, rtol=0)  # fmt: skip
    if count != weights + biases:
        raise Hint(f"{count:.10g} is not it. The first layer alone has 100·128 + 128 = {100 * 128 + 128}.")
    return f"{weights} weights and {biases} biases; more than two thirds sit in the last layer."


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
