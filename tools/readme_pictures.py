"""Make the README's moving pictures: docs/digits.gif, as lesson 04 recorded it, and docs/faces.gif, a walk of six faces."""

import argparse
import base64
from pathlib import Path

import nbformat
import torch

from gan_lessons import latent, models, plots, pretrained, runtime

ROOT = Path(__file__).resolve().parent.parent
FACES, STOPS, STEPS = 6, 4, 12


def digits() -> bytes:
    """The GIF among the outputs of lesson 04."""
    notebook = nbformat.read(ROOT / "notebooks/04_mlp_gan.ipynb", as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    (picture,) = [output.data["image/gif"] for output in outputs if "image/gif" in output.get("data", {})]
    return base64.b64decode(picture)


def faces() -> bytes:
    """Six codes that go from stop to stop on arcs, as in lesson 09, and come back to where they began."""
    stops = torch.randn(STOPS, FACES, 100, generator=torch.Generator().manual_seed(7)).to(runtime.device())
    codes = torch.cat([latent.path(a, b, STEPS + 1)[:-1] for a, b in zip(stops, stops.roll(-1, dims=0))])
    generator = pretrained.face_generator()
    frames = [plots.enlarged(models.run(generator, z), FACES, scale=2) for z in codes]
    return plots.gif(frames, ([0.8] + [0.12] * (STEPS - 1)) * STOPS, colours=64)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    runtime.write_whole(ROOT / "docs/digits.gif", digits())
    runtime.write_whole(ROOT / "docs/faces.gif", faces())


if __name__ == "__main__":
    main()
