"""Train a recipe for digits for a given time, and leave what others need to judge it.

    .venv/bin/python benchmarks/train.py mlp --seconds 60
    .venv/bin/python benchmarks/train.py dcgan --goal 50

writes history.csv, samples.npy (10 000 images, uint8, N×28×28) and result.json into runs/benchmark/<recipe>/, and
prints the turns a second, how much of this machine's measured matrix-product speed they reach, and the scores of
the samples. With a goal it stops as soon as 2000 samples come as near to the test set as that digit Fréchet
distance, judged every 50 turns with the clock stopped. Larger images than 28×28 are scaled down to be scored.
--bfloat16 computes products with 16 bits, which pays on newer GPUs.
"""

import argparse
import io
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.utils.flop_counter import FlopCounterMode

from gan_lessons import classifiers, data, metrics, models, runtime, training

ROOT = Path(__file__).resolve().parent.parent


class Recipe(NamedTuple):
    """Two networks, the game's settings, whether samples come from the weight average or from G itself, and their size."""

    generator: Callable[[], nn.Module]
    discriminator: Callable[[], nn.Module]
    settings: dict
    samples_from_average: bool
    size: int = 28

    def samples(self, game: training.Game, n: int, seed: int) -> Tensor:
        """n images N×1×28×28 in [-1, 1]."""
        z = torch.randn(n, game.latent_size, generator=torch.Generator().manual_seed(seed))
        network = game.average.module if self.samples_from_average else game.generator
        return resized(models.run(network, z.to(runtime.device())), 28)


def dense(sizes: tuple[int, ...], activation: Callable[[], nn.Module]) -> list[nn.Module]:
    """Dense layers of these sizes, each but the last followed by the activation."""
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), activation()]
    return layers[:-1]


def resized(images: Tensor, size: int) -> Tensor:
    if images.shape[-1] == size:
        return images
    return interpolate(images, (size, size), mode="bilinear", antialias=True).clamp(-1, 1)


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


def pytorch_gan_conv_generator() -> nn.Module:
    layers: list[nn.Module] = [nn.Linear(100, 128 * 8 * 8), nn.Unflatten(1, (128, 8, 8)), nn.BatchNorm2d(128)]
    for inputs, outputs in ((128, 128), (128, 64)):
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, 1, 1), nn.BatchNorm2d(outputs, eps=0.8)]
        layers += [nn.LeakyReLU(0.2)]
    return models.initialise(nn.Sequential(*layers, nn.Conv2d(64, 1, 3, 1, 1), nn.Tanh()))


def pytorch_gan_conv_discriminator() -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, 16), (16, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), nn.LeakyReLU(0.2), nn.Dropout2d(0.25)]
        layers += [nn.BatchNorm2d(outputs, eps=0.8)] if inputs > 1 else []
    return models.initialise(nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 2 * 2, 1), nn.Flatten(0)))


DCGAN_ADAM = {"batch_size": 64, "generator_lr": 2e-4, "discriminator_lr": 2e-4, "betas": (0.5, 0.999)}

RECIPES = {
    # What lesson 04 ends with.
    "mlp": Recipe(models.mlp_generator, models.mlp_discriminator, {}, True),
    # What lesson 04 begins with: the tutorial "GAN-01 Generative Adversarial Network", batch 256.
    "tutorial": Recipe(
        tutorial_generator,
        tutorial_discriminator,
        {"batch_size": 256, "generator_lr": 1e-3, "discriminator_lr": 2e-4, "betas": (0.5, 0.999)},
        False,
    ),
    # The networks and hyperparameters of gan.py in PyTorch-GAN (E. Linder-Norén), its BatchNorm's eps of 0.8 included.
    "pytorch-gan": Recipe(pytorch_gan_generator, pytorch_gan_discriminator, DCGAN_ADAM, False),
    # Lesson 07.
    "dcgan": Recipe(models.conv_generator, models.conv_discriminator, {"generator_lr": 8e-3, "discriminator_lr": 2e-3}, True),
    # dcgan.py in PyTorch-GAN: 32×32, upsampling and convolution, dropout in D.
    "pytorch-gan-dcgan": Recipe(pytorch_gan_conv_generator, pytorch_gan_conv_discriminator, DCGAN_ADAM, False, 32),
    # The dcgan of the PyTorch examples: 64×64, 64 maps in G's last hidden layer and in D's first.
    "pytorch-examples-dcgan": Recipe(
        lambda: models.conv_generator(100, (1, 64, 64), 64),
        lambda: models.conv_discriminator((1, 64, 64), 64),
        DCGAN_ADAM,
        False,
        64,
    ),
}


def turn_flops(recipe: Recipe, digits: data.Images) -> int:
    """Floating-point operations of the matrix products in one turn."""
    game = training.Game(recipe.generator(), recipe.discriminator(), **recipe.settings)
    with FlopCounterMode(display=False) as counter:
        next(game.play(digits.draw, 1))
    return counter.get_total_flops()


def synchronise() -> None:
    """Wait until the device has done what it was given; a CPU has."""
    if runtime.device().type != "cpu":
        torch.get_device_module(runtime.device()).synchronize()


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


def train(
    recipe: Recipe, digits: data.Images, seconds: float, seed: int, goal: float | None
) -> tuple[training.Game, float, float | None]:
    """Play for so many seconds, or until the goal; gives the game, its seconds, and the last distance measured."""
    torch.manual_seed(seed)
    game = training.Game(recipe.generator(), recipe.discriminator(), seed=seed, **recipe.settings)
    distance, paused, started = None, 0.0, time.perf_counter()
    for turn in game.play(digits.draw, until=10**9):
        if goal is not None and turn % 50 == 0:
            synchronise()
            stopped = time.perf_counter()
            distance = frechet(recipe.samples(game, 2000, seed=1))
            paused += time.perf_counter() - stopped
            if distance <= goal:
                break
        if time.perf_counter() - started - paused >= seconds:
            break
    synchronise()
    return game, time.perf_counter() - started - paused, distance


def frechet(images: Tensor) -> float:
    real = data.to_floats(data.mnist("test").pixels)
    return metrics.frechet_distance(classifiers.read_digits(real).features, classifiers.read_digits(images).features)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--goal", type=float, help="stop at this digit Fréchet distance of 2000 samples")
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="default: runs/benchmark/<recipe>")
    options = parser.parse_args()
    recipe, digits = RECIPES[options.recipe], data.mnist()
    if options.bfloat16:
        recipe = recipe._replace(
            generator=lambda make=recipe.generator: models.Bfloat16(make()),
            discriminator=lambda make=recipe.discriminator: models.Bfloat16(make()),
        )
    if recipe.size != 28:
        pixels = torch.cat([data.to_pixels(resized(data.to_floats(part), recipe.size)) for part in digits.pixels.split(1000)])
        digits = data.Images(pixels, digits.labels, digits.classes)
    folder = options.out or ROOT / "runs/benchmark" / options.recipe
    flops, peak = turn_flops(recipe, digits), peak_flops()

    game, seconds, distance = train(recipe, digits, options.seconds, options.seed, options.goal)

    samples = recipe.samples(game, 10_000, seed=options.seed + 1)
    content = io.BytesIO()
    numpy.save(content, data.to_pixels(samples).squeeze(1).cpu().numpy())
    runtime.write_whole(folder / "samples.npy", content.getvalue())
    game.history.write_csv(folder / "history.csv", turns_per_epoch=len(digits) / game.batch_size)
    speed = flops * game.turns / seconds
    result = {
        "recipe": options.recipe, "seed": options.seed, "bfloat16": options.bfloat16,
        "machine": runtime.report(), "seconds": round(seconds, 1),
        "turns": game.turns, "turns_per_second": round(game.turns / seconds, 1),
        "gflops_per_second": round(speed / 1e9, 1), "matrix_product_gflops_per_second": round(peak / 1e9, 1),
        "share_of_peak": round(speed / peak, 3), "goal": options.goal,
        "goal_reached": None if options.goal is None else distance is not None and distance <= options.goal,
        "scores": {name: round(value, 3) for name, value in metrics.score_digits(samples)._asdict().items()},
    }  # fmt: skip
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    runtime.write_whole(folder / "result.json", text.encode())
    print(text, end="")


if __name__ == "__main__":
    main()
