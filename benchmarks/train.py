#!/usr/bin/env python
"""Train a recipe for digits for a given time, and leave what others need to judge it.

    .venv/bin/python benchmarks/train.py lesson --seconds 60

writes history.csv and samples.npy (10 000 images, uint8, N×28×28) into runs/benchmark/<recipe>/, and prints the
turns played and how much of this machine's measured matrix-product speed they reach.
"""

import argparse
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from gan_lessons import data, models, runtime, training

ROOT = Path(__file__).resolve().parent.parent


class Recipe(NamedTuple):
    """Two networks, the game's settings, and whether samples come from the weight average or from G itself."""

    generator: Callable[[], nn.Module]
    discriminator: Callable[[], nn.Module]
    settings: dict
    samples_from_average: bool


def dense(sizes: tuple[int, ...], activation: Callable[[], nn.Module]) -> list[nn.Module]:
    """Dense layers of these sizes, each but the last followed by the activation."""
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), activation()]
    return layers[:-1]


def tutorial_generator() -> nn.Module:
    return nn.Sequential(*dense((100, 128, 256, 512, 784), nn.ReLU), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))


def tutorial_discriminator() -> nn.Module:
    return nn.Sequential(nn.Flatten(), *dense((784, 512, 256, 128, 1), nn.ReLU), nn.Flatten(0))


def pytorch_gan_generator() -> nn.Module:
    layers: list[nn.Module] = [nn.Linear(100, 128), nn.LeakyReLU(0.2)]
    for inputs, outputs in ((128, 256), (256, 512), (512, 1024)):
        layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs, eps=0.8), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(1024, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))


def pytorch_gan_discriminator() -> nn.Module:
    return nn.Sequential(nn.Flatten(), *dense((784, 512, 256, 1), lambda: nn.LeakyReLU(0.2)), nn.Flatten(0))


RECIPES = {
    # What lesson 04 ends with.
    "lesson": Recipe(models.mlp_generator, models.mlp_discriminator, {}, True),
    # What lesson 04 begins with: the tutorial "GAN-01 Generative Adversarial Network", batch 256.
    "tutorial": Recipe(
        tutorial_generator,
        tutorial_discriminator,
        {"batch_size": 256, "generator_lr": 1e-3, "discriminator_lr": 2e-4, "betas": (0.5, 0.999)},
        False,
    ),
    # The networks and hyperparameters of gan.py in PyTorch-GAN (E. Linder-Norén), its BatchNorm's eps of 0.8 included.
    "pytorch-gan": Recipe(
        pytorch_gan_generator,
        pytorch_gan_discriminator,
        {"batch_size": 64, "generator_lr": 2e-4, "discriminator_lr": 2e-4, "betas": (0.5, 0.999)},
        False,
    ),
}


def turn_flops(recipe: Recipe, digits: data.Images) -> int:
    """Floating-point operations of the matrix products in one turn."""
    game = training.Game(recipe.generator(), recipe.discriminator(), **recipe.settings)
    with FlopCounterMode(display=False) as counter:
        next(game.play(digits.draw, 1))
    return counter.get_total_flops()


def synchronise() -> None:
    if runtime.device().type == "cuda":
        torch.cuda.synchronize()


def peak_flops(size: int = 2048, repeats: int = 10) -> float:
    """Operations a second of a float32 product of two size×size matrices: the best of three rounds."""
    a, b = (torch.randn(size, size, device=runtime.device()) for _ in range(2))
    a @ b
    seconds = []
    for _ in range(3):
        synchronise()
        started = time.perf_counter()
        for _ in range(repeats):
            a @ b
        synchronise()
        seconds.append(time.perf_counter() - started)
    return repeats * 2 * size**3 / min(seconds)


def train(recipe: Recipe, digits: data.Images, seconds: float, seed: int) -> tuple[training.Game, float]:
    """Play for so many seconds; gives the game and the seconds it took."""
    torch.manual_seed(seed)
    game = training.Game(recipe.generator(), recipe.discriminator(), seed=seed, **recipe.settings)
    started = time.perf_counter()
    for _ in game.play(digits.draw, until=10**9):
        if time.perf_counter() - started >= seconds:
            break
    synchronise()
    return game, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="default: runs/benchmark/<recipe>")
    options = parser.parse_args()
    recipe, digits = RECIPES[options.recipe], data.mnist()
    folder = options.out or ROOT / "runs/benchmark" / options.recipe
    flops, peak = turn_flops(recipe, digits), peak_flops()

    game, seconds = train(recipe, digits, options.seconds, options.seed)

    network = game.average.module if recipe.samples_from_average else game.generator
    torch.manual_seed(options.seed + 1)
    content = io.BytesIO()
    numpy.save(content, data.to_pixels(training.generate(network, game.noise(10_000))).squeeze(1).cpu().numpy())
    runtime.write_whole(folder / "samples.npy", content.getvalue())
    game.history.write_csv(folder / "history.csv", turns_per_epoch=len(digits) / game.settings["batch_size"])
    speed = flops * game.turns / seconds
    result = {
        "recipe": options.recipe, "seed": options.seed, "machine": runtime.report(), "seconds": round(seconds, 1),
        "turns": game.turns, "ms_per_turn": round(1000 * seconds / game.turns, 2),
        "gflops_per_second": round(speed / 1e9, 1), "matrix_product_gflops_per_second": round(peak / 1e9, 1),
        "share_of_peak": round(speed / peak, 3),
    }  # fmt: skip
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    runtime.write_whole(folder / "result.json", text.encode())
    print(text, end="")


if __name__ == "__main__":
    main()
