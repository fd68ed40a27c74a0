"""Make the README's moving picture, docs/faces.gif: faces turn into other faces, then come out of grey as the long run learns."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from gan_lessons import latent, models, plots, pretrained, runtime

ROOT = Path(__file__).resolve().parent.parent
FACES, COLUMNS, STOPS, STEPS = 12, 6, 3, 8


def learning(codes: Tensor) -> Iterator[tuple[Tensor, float]]:
    """What the run draws from these codes at each milestone, and for how many seconds to show it."""
    for turns in pretrained.face_milestones():
        yield models.run(pretrained.face_generator(turns), codes), 0.5


def walking(stops: Tensor) -> Iterator[tuple[Tensor, float]]:
    """What the finished generator draws on arcs from stop to stop and back to the first, as in lesson 09."""
    generator = pretrained.face_generator()
    for here, there in zip(stops, stops.roll(-1, dims=0)):
        for step, codes in enumerate(latent.path(here, there, STEPS + 1)[:-1]):
            yield models.run(generator, codes), 0.15 if step else 1.0


def faces() -> bytes:
    """The whole film, as an endless GIF that begins with finished faces: programs that do not move it show these."""
    stops = torch.randn(STOPS, FACES, 100, generator=torch.Generator().manual_seed(7)).to(runtime.device())
    images, seconds = zip(*walking(stops), *learning(stops[0]))
    return plots.gif([plots.enlarged(each, COLUMNS, scale=2) for each in images], list(seconds), colours=64)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    runtime.write_whole(ROOT / "docs/faces.gif", faces())


if __name__ == "__main__":
    main()
