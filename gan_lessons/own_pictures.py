"""Pictures of your own: a folder of image files, or CelebA, read once into a cache that later runs map into memory.

Reading can be interrupted and continued, and two notebooks may read the same folder at once. Every file that holds a
picture and cannot be used is left out and named, with the reason and the way out.
"""

import errno
import hashlib
import json
import operator
import os
import shutil
import stat
import warnings
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy
import torch
import torchvision
from filelock import FileLock, Timeout
from PIL import ExifTags, Image, ImageOps
from torch import Tensor
from torchvision.datasets.utils import check_integrity
from tqdm.auto import tqdm

from gan_lessons import runtime

VERSION = 2  # of the way pictures are read: with another one all caches are made anew
SAVE_EVERY = 1000  # files; so many are read again at most after an interruption
FEW = 500  # pictures; a GAN learns fewer by heart

# Pillow's plugins for these read no pictures, or start another program to do so.
NO_PICTURES = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
FOREIGN_FOLDERS = {"__MACOSX", "@eaDir"}  # macOS's and Synology's own files: copies, thumbnails

# What may hold pictures, yet is not read here: why, with the way out, and the endings.
ELSEWHERE = {
    "HEIC, which Pillow cannot read (export them as JPEG, or `pip install pillow-heif` and call "
    "pillow_heif.register_heif_opener() before)": ".heic .heif .hif",
    "JPEG XL, which Pillow cannot read (export them as JPEG or PNG)": ".jxl",
    "a camera's raw files (export them as JPEG)": ".arw .cr2 .cr3 .crw .dng .nef .orf .pef .raf .raw .rw2 .srw",
    "vector drawings and documents (export them as PNG)": ".ai .emf .eps .pdf .ps .svg .svgz .wmf",
    "videos (save single frames of them as pictures)": ".3gp .avi .m4v .mkv .mov .mp4 .mpeg .mpg .mts .webm .wmv",
    "archives (unpack them)": ".7z .gz .rar .tar .tgz .zip",
}
WAY_OUT = {ending: reason for reason, endings in ELSEWHERE.items() for ending in endings.split()}


@dataclass
class Reading:
    """What came of reading a folder.

    `kept` pictures, of which `names[i]` is the file of picture i, as a path below the folder. `remarks` counts what was
    done on the way (such as "turned upright"), and `left_out` has the names of what could not be used, by reason.
    """

    kept: int = 0
    remarks: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [f"{self.kept} image" + "s" * (self.kept != 1)]
        parts += [f"{number} of them {remark}" for remark, number in sorted(self.remarks.items())]
        for reason, names in self.left_out.items():
            parts.append(f"{len(names)} left out, {reason}: {_first(names)}")
        few = f" These are few: a GAN learns less than {FEW} pictures by heart; have a thousand or more."
        return "; ".join(parts) + "." + few * (0 < self.kept < FEW)


class _LeftOut(Exception):
    """A file cannot be used; the message is the reason, with the way out."""


def folder_pixels(folder: str | Path, size: int = 64) -> tuple[Tensor, Reading]:
    """Every picture below the folder as uint8 pixels N×3×size×size: centre-cropped to a square, then scaled down.

    Pictures are turned upright as their EXIF data say, and laid on white where they are transparent; of several frames
    the first is taken. Grey values of 16 bits (0…65535) are divided by 257, floats may be 0…1 or 0…255; other ranges are
    left out. So are pictures smaller than size×size, unreadable files, and linked folders. Hidden files and folders are
    passed over. The reading names every file and tells all this.

    The pixels are mapped from a file in the cache folder, made at the first use (12 kB a picture at 64×64), so that they
    need not fit into memory. Raises ValueError for a size below 8, FileNotFoundError for a folder that is not there or
    holds no usable picture, NotADirectoryError for a file, and OSError where the disk is too full.
    """
    size = _checked_size(size)
    folder = _checked_folder(folder)
    names, foreign = _listing(folder)
    place, fingerprint = _fingerprints(folder, names, size)
    cache = runtime.cache_folder() / "own_pictures" / f"{place}-{fingerprint}.pixels"
    cache.parent.mkdir(parents=True, exist_ok=True)
    with _alone(cache.with_name(f"{place}.lock")):
        reading = _cached(folder, names, cache, size)
        missing = {name for group in reading.left_out.values() for name in group}
        reading.names = [name for name in names if name not in missing]
        reading.left_out |= foreign
        if reading.kept == 0:
            raise FileNotFoundError(_nothing(folder, reading))
        return torch.from_numpy(numpy.memmap(cache, numpy.uint8, "c", shape=(reading.kept, 3, size, size))), reading


def celeba_pixels(root: str | Path, size: int = 64) -> tuple[Tensor, dict[str, Tensor], Reading]:
    """The faces of CelebA (Liu et al., 2015), if you have them: uint8 N×3×size×size, and 40 yes-or-no attributes by name.

    `root` holds the folder `celeba` in torchvision's layout, whose download torchvision explains. The 178×218 photographs
    are cropped to the middle 178×178; attributes belong to them by their file names. Raises FileNotFoundError where files
    are missing, changed or too many, naming them, and whatever `folder_pixels` raises.
    """
    base = Path(root).expanduser() / "celeba"
    try:
        dataset = torchvision.datasets.CelebA(base.parent, split="all", target_type="attr", download=False)
    except RuntimeError as error:
        raise FileNotFoundError(_what_celeba_lacks(base)) from error
    folder = base / "img_align_celeba"
    rows = {name: row for row, name in enumerate(dataset.filename)}
    _same_names(rows, _listing(folder)[0], folder)  # before the minutes that the reading takes
    pixels, reading = folder_pixels(folder, size)
    attributes = dataset.attr[[rows[name] for name in reading.names]].bool()
    return pixels, {name: attributes[:, i] for i, name in enumerate(filter(None, dataset.attr_names))}, reading


def _what_celeba_lacks(base: Path) -> str:
    faults = [] if (base / "img_align_celeba").is_dir() else ["the folder img_align_celeba is missing (unpack its zip)"]
    for _, md5, name in torchvision.datasets.CelebA.file_list:
        if not name.endswith(".zip") and not check_integrity(base / name, md5):
            there = (base / name).exists()
            faults.append(f"{name} is " + ("not the original (did a program change its line ends?)" if there else "missing"))
    return (
        f"{base} does not hold CelebA as torchvision lays it out: {'; '.join(faults)}. Get it once with "
        "torchvision.datasets.CelebA(root, download=True), which needs the package gdown and leave to use the "
        "photographs; data.faces() needs no download."
    )


def _same_names(listed: Collection[str], there: list[str], folder: Path) -> None:
    missing, extra = sorted(set(listed) - set(there)), sorted(set(there) - set(listed))
    faults = [f"CelebA lists {_first(missing)}, which {folder} does not hold: unpack img_align_celeba.zip again"] * bool(missing)
    faults += [f"{folder} holds {_first(extra)}, which CelebA does not list: move it elsewhere"] * bool(extra)
    if faults:
        raise FileNotFoundError("; ".join(faults) + ".")


def _first(names: list[str]) -> str:
    return ", ".join(map(_printable, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _printable(name: str) -> str:
    """Names from old archives may be no UTF-8, which cannot be printed."""
    return os.fsencode(name).decode("utf-8", "replace")


def _checked_size(size: int) -> int:
    try:
        whole = operator.index(size)
    except TypeError:
        whole = 0
    if whole < 8:
        raise ValueError(f"size must be a whole number of at least 8, the side of the square pictures, not {size!r}.")
    return whole


def _checked_folder(folder: str | Path) -> Path:
    if str(folder).strip() == "":
        raise ValueError("The folder has no name: give the path of the folder that holds your pictures.")
    folder = Path(folder).expanduser()
    if folder.is_file():
        what_to_do = "unpack it and give the folder" if folder.suffix.lower() in WAY_OUT else "give the folder it is in"
        raise NotADirectoryError(f"{_printable(str(folder))} is a file: {what_to_do}.")
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {_printable(str(folder.absolute()))}.")
    return folder


def _listing(folder: Path) -> tuple[list[str], dict[str, list[str]]]:
    """The files to be read, as paths below the folder, and what cannot be read here, by reason."""
    formats = set(_formats())
    known = {ending for ending, kind in Image.registered_extensions().items() if kind in formats} | {""}
    files: list[str] = []
    left_out: dict[str, list[str]] = {}

    def refuse(path: str | Path, reason: str) -> None:
        left_out.setdefault(reason, []).append(Path(path).relative_to(folder).as_posix())

    def unreadable(error: OSError) -> None:
        refuse(error.filename, f"a folder that cannot be opened ({error.strerror})")

    for place, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in FOREIGN_FOLDERS)
        for path in (Path(place, name) for name in folders if os.path.islink(Path(place, name))):
            refuse(path, "a linked folder (read it by itself)")
        for path in (Path(place, name) for name in sorted(names) if not name.startswith(".")):
            ending = path.suffix.lower()
            if ending in known:
                files.append(path.relative_to(folder).as_posix())
            elif ending in WAY_OUT:
                refuse(path, WAY_OUT[ending])
    if not files:
        raise FileNotFoundError(_nothing(folder, Reading(left_out=left_out)))
    return sorted(files), left_out


def _nothing(folder: Path, reading: Reading) -> str:
    if reading.left_out:
        return f"Nothing below {_printable(str(folder))} can be used: {reading}"
    return f"There is no picture below {_printable(str(folder))}; expected files such as .jpg, .png or .webp."


def _formats() -> list[str]:
    Image.init()
    return [kind for kind in Image.OPEN if kind not in NO_PICTURES]


def _fingerprints(folder: Path, names: list[str], size: int) -> tuple[str, str]:
    """One for the folder read at this size, and one for its files: another when one is added, taken away or changed."""
    place = hashlib.sha256(os.fsencode(os.path.realpath(folder)) + f"\0{size}".encode())
    files = hashlib.sha256(str(VERSION).encode())
    for name in names:
        size_and_time = (0, 0)
        with suppress(OSError):  # gone by now, or in a folder that only lists: the reading will name it
            status = (folder / name).stat()
            size_and_time = (status.st_size, status.st_mtime_ns)
        files.update(os.fsencode(name) + f"\0{size_and_time}\0".encode())
    return place.hexdigest()[:16], files.hexdigest()[:16]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Whoever comes second waits. The system opens the lock when a process ends, however it ends."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("Another notebook is reading these pictures: waiting for it.", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _cached(folder: Path, names: list[str], cache: Path, size: int) -> Reading:
    """The reading's account, after what is missing in the cache was read."""
    reading, done, checksum = _progress(cache, size)
    if done == 0:
        _discard(cache)
    if done < len(names):
        _check_disk(cache, len(names) - done, size)
        try:
            _read(folder, names, cache, size, reading, done, checksum)
        except KeyboardInterrupt:
            print(f"The reading was interrupted; the next call goes on, {SAVE_EVERY} files back at most.", flush=True)
            raise
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise OSError(
                error.errno,
                f"While the pictures were read, the room for {cache.parent} was used up: make some; the next call goes "
                f"on, {SAVE_EVERY} files back at most",
            ) from None
    return reading


def _progress(cache: Path, size: int) -> tuple[Reading, int, int]:
    """How far an earlier reading came: its account, the files done and the pixels' checksum; nothing if one is damaged."""
    try:
        state = json.loads(cache.with_suffix(".json").read_bytes())
        reading, done, checksum = Reading(**state["reading"]), state["done"], state["checksum"]
        if _checksum(cache, reading.kept * 3 * size * size) == checksum:
            return reading, done, checksum
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return Reading(), 0, 0


def _checksum(path: Path, length: int) -> int:
    """CRC-32 of the first bytes."""
    checksum = 0
    with open(path, "rb") as file:
        while length > 0 and (block := file.read(min(length, 1 << 20))):
            checksum = zlib.crc32(block, checksum)
            length -= len(block)
    return checksum


def _discard(cache: Path) -> None:
    """Remove what was damaged, and the caches of this folder as it was before."""
    place = cache.stem.split("-")[0]
    for old in cache.parent.glob(f"*{place}-*"):
        try:
            old.unlink()
        except PermissionError as error:  # on Windows, a file that somebody has mapped
            if old == cache:
                raise PermissionError(f"{cache} is damaged and in use: shut down the other notebooks' kernels.") from error


def _check_disk(cache: Path, number: int, size: int) -> None:
    needed, free = number * 3 * size * size, shutil.disk_usage(cache.parent).free
    print(f"{number} image files are read once, into {_amount(needed)} of {cache.parent}.")
    if needed > free:
        raise OSError(f"{cache.parent} has {_amount(free)} left, but {_amount(needed)} are needed: make room first.")


def _amount(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.3g} {unit}" if number < 1000 else f"{number:.0f} {unit}"
        number /= 1000
    raise AssertionError


def _read(folder: Path, names: list[str], cache: Path, size: int, reading: Reading, done: int, checksum: int) -> None:
    """Read the files from the done-th on into the cache and the reading, and write down how far we are every so often."""
    with open(cache, "r+b" if done else "wb") as target:
        target.truncate(reading.kept * 3 * size * size)
        target.seek(0, os.SEEK_END)
        bar = tqdm(names[done:], total=len(names), initial=done, unit="file", desc=_printable(folder.name))
        for number, name in enumerate(bar, done + 1):
            try:
                picture, remarks = _picture(folder / name, size)
            except _LeftOut as reason:
                reading.left_out.setdefault(str(reason), []).append(name)
            else:
                target.write(picture)
                checksum = zlib.crc32(picture, checksum)
                reading.kept += 1
                for remark in remarks:
                    reading.remarks[remark] = reading.remarks.get(remark, 0) + 1
            if number % SAVE_EVERY == 0 or number == len(names):
                # Pixels first: an account never tells of more than the disk holds.
                target.flush()
                os.fsync(target.fileno())
                if number == len(names):
                    _remark_duplicates(cache, size, reading)
                _save(cache, reading, number, checksum)


def _save(cache: Path, reading: Reading, done: int, checksum: int) -> None:
    account = {"kept": reading.kept, "remarks": reading.remarks, "left_out": reading.left_out}
    state = {"done": done, "checksum": checksum, "reading": account}
    runtime.write_whole(cache.with_suffix(".json"), json.dumps(state).encode())


def _remark_duplicates(cache: Path, size: int, reading: Reading) -> None:
    with open(cache, "rb") as file:
        different = {hashlib.sha256(file.read(3 * size * size)).digest() for _ in range(reading.kept)}
    if len(different) < reading.kept:
        reading.remarks["the same as an earlier one"] = reading.kept - len(different)


def _picture(path: Path, size: int) -> tuple[bytes, list[str]]:
    """The picture as 3×size×size bytes, and what was done to it. Raises _LeftOut."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # to open a pipe would wait for ever
            raise _LeftOut("no ordinary file")
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=_formats()) as image:
            if min(image.size) < size:
                raise _LeftOut(f"smaller than {size}×{size}" + f" (size={size // 2} takes smaller ones)" * (size >= 16))
            picture, remarks = _rgb(image)
            square = ImageOps.fit(picture, (size, size), Image.Resampling.BOX)
    except _LeftOut:
        raise
    except MemoryError as error:
        error.add_note(f"This happened while {path} was read.")
        raise
    except Image.DecompressionBombError:
        raise _LeftOut(f"larger than {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} million pixels (scale them down)") from None
    except (FileNotFoundError, PermissionError) as error:
        raise _LeftOut(f"cannot be opened ({error.strerror})") from None
    except Exception:  # damaged files make decoders raise anything
        raise _LeftOut("unreadable (damaged or no picture; save them again as JPEG or PNG)") from None
    return numpy.moveaxis(numpy.asarray(square), -1, 0).tobytes(), remarks


def _rgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """The first frame upright, in 8-bit RGB and on white, with what was done to it."""
    remarks = ["turned upright"] if image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9) else []
    image.load()
    picture = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        picture = _eight_bit(picture)
    if image.mode != "RGB":
        remarks.append(f"converted from {image.mode}")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        if numpy.asarray(picture)[..., 3].min() < 255:
            remarks.append("transparent and laid on white")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    picture = picture.convert("RGB")
    if getattr(image, "is_animated", False):
        remarks.append("the first of several frames")
    return picture, remarks


def _eight_bit(picture: Image.Image) -> Image.Image:
    """Grey values of 16 bits or floats as 8 bits. Raises _LeftOut for a range that tells nothing about black and white."""
    values = numpy.asarray(picture)
    low, high = values.min(), values.max()
    if picture.mode == "F" and low >= 0 and high <= 255:
        scaled = values * (255 if high <= 1 else 1)
    elif picture.mode != "F" and low >= 0 and 4096 <= high <= 65535:  # below are cameras of 12 bits, or 8 in 16
        scaled = values / 257
    else:
        raise _LeftOut("of grey values whose white is unknown (bring them to 0…255, 0…65535, or as floats to 0…1)")
    return Image.fromarray(numpy.round(scaled).astype(numpy.uint8))
