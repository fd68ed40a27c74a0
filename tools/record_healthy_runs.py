"""Play the lessons' own games with five seeds each and keep their histories: data/diagnosis/healthy.npz.

They are what `gan_lessons.diagnosis` must leave in peace: 03's bump and its ring, 04's digits (of which 06 plays the first
half), 07's digits and 08's faces, both convolutional, and 08's pretrained networks, played on. Every fourth turn is kept,
in half precision; of digits, at every hundredth turn, also the classes that the digit classifier sees among 200 images of
the averaged G. An hour or two on one core. Run tools/checksums.py afterwards.
"""

import argparse
import io
from collections.abc import Callable
from typing import NamedTuple

import numpy
import torch
from torch import Tensor, nn

from gan_lessons import bundle, classifiers, data, metrics, models, pretrained, runtime, toys
from gan_lessons.training import Game

SEEDS, EVERY, CLASSES_EVERY = 5, 4, 100
FILE = bundle.FOLDER / "diagnosis/healthy.npz"


class Played(NamedTuple):
    """A game, the real batches it is played with, how long, and whether digits can be counted in it."""

    game: Game
    draw: Callable[[int], Tensor]
    turns: int
    digits: bool = False


class Uniform(nn.Module):
    """Standard normal numbers to uniform ones between -1 and 1, which lesson 03's first G starts from."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.erf(z / 2**0.5)


def network(inputs: int, outputs: int, width: int) -> nn.Sequential:
    """The networks of lesson 03."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, outputs)
    )


def bump(seed: int) -> Played:
    """Lesson 03's first game, about single numbers."""
    g, d = nn.Sequential(Uniform(), network(1, 1, 32)), network(1, 1, 32)
    rates = {"generator_lr": 1e-3, "discriminator_lr": 5e-3, "betas": (0.0, 0.99)}
    game = Game(g, d, latent_size=1, batch_size=128, seed=seed, **rates)
    return Played(game, lambda n: toys.bump(1.0, 0.5).sample((n, 1)), 600)


def ring(seed: int) -> Played:
    """Lesson 03's ring of eight."""
    rates = {"generator_lr": 2e-3, "discriminator_lr": 2e-3, "betas": (0.5, 0.99)}
    game = Game(network(2, 2, 64), network(2, 1, 64), latent_size=2, batch_size=128, seed=seed, **rates)
    return Played(game, lambda n: toys.ring(8, 2.0, 0.15).sample((n,)), 1500)


def digits(seed: int) -> Played:
    """Lesson 04's long run; lesson 06 plays its first 1500 turns."""
    return Played(Game(models.mlp_generator(), models.mlp_discriminator(), seed=seed), data.mnist().draw, 3000, True)


def convolutional_digits(seed: int) -> Played:
    """Lesson 07's DCGAN."""
    rates = {"generator_lr": 8e-3, "discriminator_lr": 2e-3}
    return Played(Game(models.conv_generator(), models.conv_discriminator(), seed=seed, **rates), data.mnist().draw, 1200, True)


def faces(seed: int) -> Played:
    """Lesson 08's DCGAN."""
    g = models.conv_generator(100, (3, 64, 64), width=24)
    d = nn.Sequential(models.RandomShift(2), models.spectral_discriminator())
    return Played(Game(g, d, batch_size=32, generator_lr=2e-3, discriminator_lr=2e-3, seed=seed), data.faces().draw, 1800)


def pretrained_faces(seed: int) -> Played:
    """Lesson 08's last game, which goes on from the bundled networks."""
    d = nn.Sequential(models.RandomShift(2), pretrained.face_discriminator())
    rates = {"generator_lr": 2e-4, "discriminator_lr": 2e-4}
    return Played(Game(pretrained.face_generator(), d, batch_size=32, seed=seed + 1, **rates), data.faces().draw, 200)


RECIPES = {
    "03 bump": bump,
    "03 ring": ring,
    "04 digits": digits,
    "07 digits": convolutional_digits,
    "08 faces": faces,
    "08 pretrained": pretrained_faces,
}


def record(name: str, seed: int) -> dict[str, numpy.ndarray]:
    """Play one game; its history, a row every fourth turn, and where there are digits (turn, classes) rows besides."""
    torch.manual_seed(seed)
    game, draw, turns, has_digits = RECIPES[name](seed)
    z, classes = torch.randn(200, game.latent_size, generator=torch.Generator().manual_seed(1)).to(runtime.device()), []
    for turn in game.play(draw, turns):
        if has_digits and turn % CLASSES_EVERY == 0:
            seen = classifiers.read_digits(game.samples(z)).probabilities.argmax(dim=1)
            classes.append((turn, metrics.effective_classes(metrics.class_shares(seen))))
    rows = [row for row in game.history if row.turn % EVERY == 0]
    kept = {f"{name}, seed {seed}": numpy.array(rows, numpy.float16)}
    return kept | ({f"{name}, seed {seed}: classes": numpy.array(classes, numpy.float16)} if classes else {})


def write(runs: dict[str, numpy.ndarray]) -> None:
    """Write all runs into one file."""
    packed = io.BytesIO()
    numpy.savez_compressed(packed, **runs)  # type: ignore[arg-type]
    runtime.write_whole(FILE, packed.getvalue())


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    runs: dict[str, numpy.ndarray] = {}
    for name in RECIPES:
        for seed in range(SEEDS):
            runs |= record(name, seed)
            print(f"{name}, seed {seed}")
    write(runs)


if __name__ == "__main__":
    main()
