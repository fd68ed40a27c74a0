"""Pictures of your own: a folder of image files, or CelebA, read once into a cache that later runs map into memory.

Reading can be interrupted and continued. Files that cannot be used are left out, counted and named.
"""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy
import torch
import torchvision
from PIL import Image, ImageOps
from torch import Tensor
from tqdm.auto import tqdm

from gan_lessons import runtime

SAVE_EVERY = 1000  # images; so many are read again at most after an interruption


@dataclass
class Reading:
    """What came of reading a folder: images kept, what was converted on the way, and the names left out by reason."""

    kept: int = 0
    converted: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"{self.kept} images"]
        parts += [f"{number} of them converted from {mode}" for mode, number in sorted(self.converted.items())]
        for reason, names in self.left_out.items():
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            parts.append(f"{len(names)} left out, {reason}: {', '.join(names[:5])}{more}")
        return "; ".join(parts) + "."


def folder_pixels(folder: str | Path, size: int = 64) -> tuple[Tensor, Reading]:
    """Every image file below the folder as uint8 pixels N×3×size×size: centre-cropped to a square, then scaled down.

    The pixels are mapped from a file in the cache folder, made at the first use (12 kB an image at 64×64), so that
    they need not fit into memory. Images smaller than size×size and unreadable files are left out, which the reading
    tells. Raises FileNotFoundError for a folder that is not there or holds no image, OSError where the disk is too full.
    """
    folder = Path(folder)
    if size < 8:
        raise ValueError(f"Images of {size}×{size} pixels are too small for the networks here: choose at least 8.")
    files = _image_files(folder)
    cache = runtime.cache_folder() / "folders" / f"{_fingerprint(files, size)}.pixels"
    reading, done = _progress(cache, size)
    if done < len(files):
        _check_disk(cache, len(files), size)
        reading = _read(files, folder, cache, size, reading, done)
    if reading.kept == 0:
        raise FileNotFoundError(f"None of the {len(files)} image files below {folder} can be used: {reading}")
    shape = (reading.kept, 3, size, size)
    return torch.from_numpy(numpy.memmap(cache, numpy.uint8, "c", shape=shape)), reading


def celeba_pixels(root: str | Path, size: int = 64) -> tuple[Tensor, dict[str, Tensor], Reading]:
    """The faces of CelebA (Liu et al., 2015), if you have them: uint8 N×3×size×size, and 40 yes-or-no attributes by name.

    `root` holds the folder `celeba` in torchvision's layout, whose download torchvision explains. The 178×218 photographs
    are cropped to the middle 178×178. Raises FileNotFoundError where it is not there, and whatever `folder_pixels` raises.
    """
    try:
        dataset = torchvision.datasets.CelebA(root, split="all", target_type="attr", download=False)
    except RuntimeError as error:
        raise FileNotFoundError(
            f"{Path(root) / 'celeba'} does not hold CelebA as torchvision lays it out ({error}). Get it once with "
            "torchvision.datasets.CelebA(root, download=True), which needs the package gdown and leave to use the "
            "photographs; data.faces() needs no download."
        ) from error
    pixels, reading = folder_pixels(Path(root) / "celeba/img_align_celeba", size)
    missing = {name for names in reading.left_out.values() for name in names}
    kept = torch.tensor([name not in missing for name in dataset.filename])
    attributes = dataset.attr[kept].bool()
    if len(attributes) != len(pixels):
        raise FileNotFoundError(
            f"CelebA lists {len(dataset.filename)} photographs, but {len(pixels) + len(missing)} are there: unpack "
            "img_align_celeba.zip again."
        )
    return pixels, {name: attributes[:, i] for i, name in enumerate(filter(None, dataset.attr_names))}, reading


def _image_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    known = Image.registered_extensions()
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in known and path.is_file())
    if not files:
        raise FileNotFoundError(f"There is no image file below {folder}; expected files such as .jpg, .png or .webp.")
    return files


def _fingerprint(files: list[Path], size: int) -> str:
    """Another one when a file is added, taken away or changed."""
    digest = hashlib.sha256(str(size).encode())
    for path in files:
        status = path.stat()
        digest.update(f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:24]


def _progress(cache: Path, size: int) -> tuple[Reading, int]:
    """How far an earlier reading came: its account, and the number of files done; nothing if pixels were lost since."""
    if not cache.exists() or not cache.with_suffix(".json").exists():
        return Reading(), 0
    state = json.loads(cache.with_suffix(".json").read_text(encoding="utf-8"))
    done = state.pop("done")
    reading = Reading(**state)
    complete = cache.stat().st_size >= reading.kept * 3 * size * size
    return (reading, done) if complete else (Reading(), 0)


def _check_disk(cache: Path, number: int, size: int) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    needed, free = number * 3 * size * size, shutil.disk_usage(cache.parent).free
    print(f"{number} image files are read once, into {needed / 1e9:.2g} GB of {cache.parent}.")
    if needed > free:
        raise OSError(f"{cache.parent} has {free / 1e9:.1f} GB left, but {needed / 1e9:.1f} GB are needed: make room first.")


def _read(files: list[Path], folder: Path, cache: Path, size: int, reading: Reading, done: int) -> Reading:
    """Read the files from the done-th on, and write down how far we are every so often."""
    bytes_each = 3 * size * size
    with open(cache, "r+b" if done else "wb") as target:
        target.truncate(reading.kept * bytes_each)
        target.seek(0, 2)
        bar = tqdm(enumerate(files[done:], done + 1), total=len(files), initial=done, unit="image", desc=folder.name)
        for number, path in bar:
            picture = _picture(path, path.relative_to(folder).as_posix(), size, reading)
            if picture is not None:
                target.write(picture)
                reading.kept += 1
            if number % SAVE_EVERY == 0 or number == len(files):
                target.flush()
                state = json.dumps({"done": number, **asdict(reading)}).encode()
                runtime.write_whole(cache.with_suffix(".json"), state)
    return reading


def _picture(path: Path, name: str, size: int, reading: Reading) -> bytes | None:
    """The image as 3×size×size bytes, or None, with the reason in the reading."""
    try:
        with Image.open(path) as image:
            if min(image.size) < size:
                reading.left_out.setdefault(f"smaller than {size}×{size}", []).append(name)
                return None
            square = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.BOX)
            if image.mode != "RGB":
                reading.converted[image.mode] = reading.converted.get(image.mode, 0) + 1
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        reading.left_out.setdefault("unreadable", []).append(name)
        return None
    return numpy.moveaxis(numpy.asarray(square), -1, 0).tobytes()
