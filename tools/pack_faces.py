"""Make the cartoon faces: data/faces/faces_128.npz and attributes.csv, drawn by tools/make_faces.mjs.

Needs node and npm, which install the pinned drawing packages into a temporary folder; --offline takes them from npm's
own cache or fails. Three minutes on one core for the bundled ten thousand. Run tools/checksums.py afterwards.

faces_128.npz holds, for each face, the 56 colours it is reduced to (`palettes`, uint8 N×56×3) and which of them each
pixel has (`indices`, uint8 N×128×128): packed, half the size of the packed pixels.
"""

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy
from PIL import Image

from gan_lessons.runtime import write_whole

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("@dicebear/core@9.4.3", "@dicebear/collection@9.4.3", "@resvg/resvg-js@2.6.2")
SIZE, COLOURS, FLAT = 128, 56, 4


def program(name: str) -> str:
    """The path of node or npm (on Windows npm is npm.cmd). Ends the program, with a sentence, where there is none."""
    return shutil.which(name) or sys.exit(f"Drawing the faces needs {name}: install Node.js 20 or newer.")


def render(count: int, seed: int, offline: bool) -> tuple[numpy.ndarray, bytes]:
    """The faces, uint8 N×128×128×3, and the CSV file of their attributes."""
    node, npm = program("node"), program("npm")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # A package file of its own: otherwise npm installs into the next folder above that has one.
        (folder / "package.json").write_text('{"private": true, "type": "module"}', encoding="utf-8")
        quietly = ["--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run([npm, "install", *quietly, *["--offline"] * offline, *PACKAGES], cwd=folder, check=True)
        shutil.copy(ROOT / "tools/make_faces.mjs", folder)
        command = [node, "make_faces.mjs", "--count", str(count), "--seed", str(seed)]
        subprocess.run(command, cwd=folder, check=True)
        pixels = numpy.fromfile(folder / "pixels.raw", numpy.uint8)
        return pixels.reshape(count, SIZE, SIZE, 3), (folder / "attributes.csv").read_bytes()


def with_palette(face: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    """A face, 128×128×3, as its palette, 56×3 (the commonest colour first), and indices into it, 128×128."""
    colours, place, counts = numpy.unique(face.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    # Skin, hair, background and outline are kept exactly: otherwise pale skin and a peach background become one.
    flat = colours[numpy.argsort(-counts, kind="stable")[:FLAT]]
    # The others are picked far apart and then moved to the means of what they stand for: that keeps small things,
    # such as lips and earrings, in their colour, which a median cut does not.
    reduced = Image.fromarray(face).quantize(COLOURS - FLAT, Image.Quantize.MAXCOVERAGE, kmeans=1)
    others = numpy.array(reduced.getpalette(), numpy.uint8).reshape(-1, 3)[: COLOURS - FLAT]
    palette = numpy.zeros((COLOURS, 3), numpy.uint8)
    palette[: len(flat) + len(others)] = numpy.concatenate([flat, others])
    # All numbers here are whole and small enough for floats to be exact.
    a, b = colours.astype(numpy.float32), palette.astype(numpy.float32)
    distances = numpy.square(b).sum(1) - 2 * a @ b.T  # squared, but for what is the same for all of the palette
    indices = distances.argmin(1)[place.ravel()].reshape(SIZE, SIZE)
    # The order costs nothing and makes the file a tenth smaller.
    order = numpy.argsort(-numpy.bincount(indices.ravel(), minlength=COLOURS), kind="stable")
    return palette[order], numpy.argsort(order).astype(numpy.uint8)[indices]


def npz(**arrays: numpy.ndarray) -> bytes:
    """What numpy.savez_compressed writes, but the same to the byte each time: without the date."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            numpy.lib.format.write_array(member, numpy.ascontiguousarray(array), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return packed.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="how many faces (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="default %(default)s")
    parser.add_argument("--into", type=Path, default=ROOT / "data/faces", metavar="FOLDER", help="default data/faces")
    parser.add_argument("--offline", action="store_true", help="take the packages from npm's own cache or fail")
    options = parser.parse_args()
    faces, attributes = render(options.count, options.seed, options.offline)
    palettes, indices = map(numpy.stack, zip(*map(with_palette, faces)))
    restored = palettes[numpy.arange(len(faces))[:, None, None], indices]
    error = numpy.mean([numpy.square(a - b.astype(float)).mean() for a, b in zip(faces, restored)])
    content = npz(palettes=palettes, indices=indices)
    write_whole(options.into / "faces_128.npz", content)
    write_whole(options.into / "attributes.csv", attributes)
    decibels = 10 * numpy.log10(255**2 / error)
    print(f"{len(faces)} faces, {len(content) / 1e6:.1f} MB, {decibels:.1f} dB from what was drawn; now run tools/checksums.py")


if __name__ == "__main__":
    main()
