"""Play the games that `gan_lessons.diagnosis` is tested on and keep their histories: data/diagnosis/tested.npz.

Healthy ones, which it must leave in peace: the lessons' own, with five seeds each, 03's bump and its ring, 04's digits (of
which 06 plays the first half), 07's digits and 08's faces, both convolutional, and 08's pretrained networks, played on. Ill
ones: lesson 05's failures on the ring with other seeds and on a ring of five, and two of them on digits.

Every fourth turn is kept, in half precision; of healthy digits, at every hundredth turn, also the classes that the digit
classifier sees among 200 images of the averaged G. Of the long games, 04's, 07's and 08's faces, only the first seed is
played as long as the lesson does, the others a third of that: a quarter of an hour on one quiet core. Started as
`python -m tools.record_tested_runs`; run tools/checksums.py afterwards.
"""

import argparse
import functools
import io
from collections.abc import Callable
from typing import NamedTuple

import numpy
import torch
from torch import Tensor, nn

from gan_lessons import bundle, classifiers, data, failures, metrics, models, pretrained, runtime, toys
from gan_lessons.history import History
from gan_lessons.training import Game
from tools import record_diagnosis_runs

SEEDS, EVERY, CLASSES_EVERY = 5, 4, 100
ILL_SEEDS = (200, 201, 202)
RINGS = {"ring of 8": (toys.ring(8, 2.0, 0.15), ILL_SEEDS), "ring of 5": (toys.ring(5, 1.5, 0.2), ILL_SEEDS[:1])}
FILE = bundle.FOLDER / "diagnosis/tested.npz"


class Played(NamedTuple):
    """A game, the real batches it is played with, how long the lesson plays it, and whether digits can be counted in it."""

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
    game = Game(
        g, d, latent_size=1, batch_size=128, generator_lr=1e-3, discriminator_lr=5e-3, betas=(0.0, 0.99), seed=seed
    )  # fmt: skip
    return Played(game, lambda n: toys.bump(1.0, 0.5).sample((n, 1)), 600)


def ring(seed: int) -> Played:
    """Lesson 03's ring of eight."""
    g, d = network(2, 2, 64), network(2, 1, 64)
    game = Game(
        g, d, latent_size=2, batch_size=128, generator_lr=2e-3, discriminator_lr=2e-3, betas=(0.5, 0.99), seed=seed
    )  # fmt: skip
    return Played(game, lambda n: toys.ring(8, 2.0, 0.15).sample((n,)), 1500)


def digits(seed: int) -> Played:
    """Lesson 04's long run; lesson 06 plays its first 1500 turns."""
    return Played(Game(models.mlp_generator(), models.mlp_discriminator(), seed=seed), data.mnist().draw, 3000, True)


def convolutional_digits(seed: int) -> Played:
    """Lesson 07's DCGAN."""
    g, d = models.conv_generator(), models.conv_discriminator()
    return Played(Game(g, d, generator_lr=8e-3, discriminator_lr=2e-3, seed=seed), data.mnist().draw, 1200, True)


def faces(seed: int) -> Played:
    """Lesson 08's DCGAN."""
    g = models.conv_generator(100, (3, 64, 64), width=24)
    d = nn.Sequential(models.RandomShift(2), models.spectral_discriminator())
    return Played(Game(g, d, batch_size=32, generator_lr=2e-3, discriminator_lr=2e-3, seed=seed), data.faces().draw, 1800)


def pretrained_faces(seed: int) -> Played:
    """Lesson 08's last game, which goes on from the bundled networks."""
    d = nn.Sequential(models.RandomShift(2), pretrained.face_discriminator())
    game = Game(pretrained.face_generator(), d, batch_size=32, generator_lr=2e-4, discriminator_lr=2e-4, seed=seed + 1)
    return Played(game, data.faces().draw, 200)


RECIPES = {
    "03 bump": bump,
    "03 ring": ring,
    "04 digits": digits,
    "07 digits": convolutional_digits,
    "08 faces": faces,
    "08 pretrained": pretrained_faces,
}
LONG = ("04 digits", "07 digits", "08 faces")


def one_picture(seed: int) -> Played:
    """Lesson 05's G without batch normalisation, and Adam as torch ships it."""
    layers = [layer for layer in models.mlp_generator(widths=(64, 128, 256)) if not isinstance(layer, nn.BatchNorm1d)]
    game = Game(nn.Sequential(*layers), models.mlp_discriminator(widths=(256, 128)), betas=(0.9, 0.999), seed=seed)
    return Played(game, data.mnist().draw, 300)


def unscaled_digits(seed: int) -> Played:
    """Pixels from 0 to 255; as rows of numbers, since a game refuses such images."""
    g, d = models.mlp_generator(widths=(64, 128, 256)), models.mlp_discriminator(widths=(256, 128))
    game = Game(nn.Sequential(g, nn.Flatten()), nn.Sequential(nn.Unflatten(1, (1, 28, 28)), d), seed=seed)
    digits = data.mnist()
    return Played(game, lambda n: (digits.draw(n).flatten(1) + 1) * 127.5, 300)


ILL_DIGITS = {"one picture": one_picture, "unscaled data": unscaled_digits}


def play_healthy(name: str, seed: int) -> dict[str, numpy.ndarray]:
    """One healthy game: its history, and where there are digits also rows of (turn, classes)."""
    torch.manual_seed(seed)
    game, draw, turns, has_digits = RECIPES[name](seed)
    turns = turns // 3 if seed and name in LONG else turns
    z, classes = torch.randn(200, game.latent_size, generator=torch.Generator().manual_seed(1)).to(runtime.device()), []
    for turn in game.play(draw, turns):
        if has_digits and turn % CLASSES_EVERY == 0:
            seen = classifiers.read_digits(game.samples(z)).probabilities.argmax(dim=1)
            classes.append((turn, metrics.effective_classes(metrics.class_shares(seen))))
    counted = {f"classes: {name}, seed {seed}": numpy.array(classes, numpy.float16)} if classes else {}
    return {f"healthy: {name}, seed {seed}": kept(game.history)} | counted


def play_ill_digits(name: str, seed: int) -> dict[str, numpy.ndarray]:
    """One failure on digits."""
    torch.manual_seed(seed)
    game, draw, turns, _ = ILL_DIGITS[name](seed)
    for _ in game.play(draw, turns):
        pass
    return {f"{name}: digits, seed {seed}": kept(game.history)}


def play_rings() -> dict[str, numpy.ndarray]:
    """The runs of lesson 05's diagnosis with other seeds on both rings."""
    played = {}
    for place, (ring, seeds) in RINGS.items():
        for number, (name, _, _, changes) in enumerate(record_diagnosis_runs.runs(), start=1):
            for seed in seeds:
                draw = functools.partial(lambda ring, n: ring.sample((n,)), ring)
                history = failures.play(**changes, draw=draw, turns=1000, seed=seed).history
                played[f"{name}: {place}, as run {number}, seed {seed}"] = kept(history)
    return played


def kept(history: History) -> numpy.ndarray:
    """Every fourth row."""
    return numpy.array([row for row in history if row.turn % EVERY == 0], numpy.float16)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    runs = play_rings()
    for name in ILL_DIGITS:
        for seed in ILL_SEEDS:
            runs |= play_ill_digits(name, seed)
    for name in RECIPES:
        for seed in range(SEEDS):
            runs |= play_healthy(name, seed)
            print(f"{name}, seed {seed}")
    packed = io.BytesIO()
    numpy.savez_compressed(packed, **runs)  # type: ignore[arg-type]
    runtime.write_whole(FILE, packed.getvalue())


if __name__ == "__main__":
    main()
