"""The checks of lesson 04, an MLP GAN on digits."""

import itertools

import torch

from gan_lessons import models
from gan_lessons.exercises import Hint, exercise


@exercise("G gives numbers from -1 to 1. What must be added so that they begin at 0, and what multiplied?")
def check_to_grey(to_grey) -> str:
    """to_grey(images): floats in [-1, 1] to uint8 grey values in 0…255, rounded."""
    ends = to_grey(torch.tensor([-1.0, 1.0]))
    if ends.dtype != torch.uint8:
        raise Hint(f"The values have type {ends.dtype}; an image file wants whole numbers, torch.uint8.")
    if ends.tolist() != [0, 255]:
        raise Hint(f"-1 should become 0 and 1 should become 255, but they became {ends.tolist()}.")
    greys = torch.arange(256, dtype=torch.uint8)
    there_and_back = to_grey(greys.float() / 127.5 - 1)
    wrong = int((there_and_back != greys).sum())
    if wrong:
        raise Hint(f"{wrong} of the 256 grey values do not survive the way there and back: round before you convert.")
    return "All 256 grey values survive the way there and back."


@exercise("a dense layer from m to n units has m·n weights and n biases; add up the four layers.")
def check_parameters(count) -> str:
    """The number of parameters of the textbook generator 100-128-256-512-784."""
    sizes = (100, 128, 256, 512, 784)
    weights = sum(m * n for m, n in itertools.pairwise(sizes))
    biases = sum(sizes[1:])
    if count == weights:
        raise Hint("Those are the weights. Every unit also has a bias.")
    if count == sum(parameter.numel() for parameter in models.mlp_generator().parameters()):
        raise Hint("That is the repaired generator with batch normalisation; the question is about the textbook one.")
    if count != weights + biases:
        raise Hint(f"{count} is not it. The first layer alone has 100·128 + 128 = {100 * 128 + 128}.")
    return f"{weights} weights and {biases} biases; more than two thirds sit in the last layer."


@exercise("for each pair of weights, move the average a little towards G: average = decay·average + (1 - decay)·weight.")
def check_average(update_average) -> str:
    """update_average(average, generator, decay): move the average network's parameters in place."""
    average, generator = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    with torch.no_grad():
        average.weight.fill_(1.0), average.bias.fill_(0.0), generator.weight.fill_(2.0), generator.bias.fill_(10.0)
    update_average(average, generator, 0.9)
    found = average.weight.item(), average.bias.item()
    if generator.weight.item() != 2 or generator.bias.item() != 10:
        raise Hint("G itself has changed. The average follows G; G must not follow the average.")
    if found == (1, 0):
        raise Hint("The average has not moved. Change its parameters in place, for example with lerp_ or copy_.")
    if abs(found[0] - 1.9) < 1e-6:
        raise Hint("The average jumped nine tenths of the way: decay is the share that the old average keeps.")
    if abs(found[0] - 1.1) > 1e-6 or abs(found[1] - 1) > 1e-6:
        raise Hint(f"With decay 0.9, 1 and 2 should give 1.1, and 0 and 10 should give 1; you have {found}.")
    if average.weight.grad_fn is not None or not average.weight.is_leaf:
        raise Hint("The average hangs on G's graph now, which would grow with every turn: work under torch.no_grad().")
    return "The average moves a tenth of the way, and G stays where it is."


@exercise("shuffle once: draw one permutation of the 784 places, and index every image's list of pixels with it.")
def check_shuffled(shuffled) -> str:
    """shuffled(images, order): every image's pixels in the same new order, N×1×28×28."""
    images = torch.arange(3 * 784, dtype=torch.float32).reshape(3, 1, 28, 28)
    order = torch.randperm(784, generator=torch.Generator().manual_seed(5))
    result = shuffled(images, order)
    if result.shape != images.shape:
        raise Hint(f"The result has shape {tuple(result.shape)}; D and G expect {tuple(images.shape)}: reshape it back.")
    if torch.equal(result, images):
        raise Hint("Nothing has moved.")
    if not torch.equal(result.flatten(1).sort().values, images.flatten(1)):
        raise Hint("Pixels went from one image to another, or were lost. The order is one of places within an image.")
    if torch.equal(result.flatten(1)[:, order], images.flatten(1)):
        raise Hint("That is the way back: place i of the result should hold pixel order[i] of the image.")
    if not torch.equal(result.flatten(1), images.flatten(1)[:, order]):
        raise Hint("The images were shuffled, but not by the order given: the same one for every image and every batch.")
    return "The same order for every image. To you it is noise now; to an MLP nothing has changed."
