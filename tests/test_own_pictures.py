"""Folders of image files, good and bad, and CelebA's layout, all built here."""

import errno
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy
import pytest
import torch
import torchvision
from PIL import Image, ImageOps

from gan_lessons import own_pictures, runtime


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache/own_pictures"


def save(path, width=96, height=80, mode="RGB", seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = numpy.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=numpy.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return pixels


UNREADABLE = "unreadable (damaged or no picture; save them again as JPEG or PNG)"
UNKNOWN_WHITE = "of grey values whose white is unknown (bring them to 0…255, 0…65535, or as floats to 0…1)"


@pytest.fixture
def pictures(tmp_path):
    """Six files that can be used, and four that cannot, in a folder with spaces and Chinese characters."""
    folder = tmp_path / "my pictures 图"
    for number in range(3):
        save(folder / f"{number}.png", seed=number)
    save(folder / "deeper/grey.png", mode="L")
    save(folder / "deeper/CMYK.JPG", mode="CMYK")
    save(folder / "palette.gif", mode="P")
    save(folder / "tiny.png", 20, 90)
    (folder / "text.jpg").write_text("no picture")
    (folder / "empty.png").write_bytes(b"")
    (folder / "half.png").write_bytes((folder / "0.png").read_bytes()[:5000])
    (folder / "notes.txt").write_text("left alone")
    return folder


def test_every_usable_file_is_read_and_the_others_are_named(pictures):
    pixels, reading = own_pictures.folder_pixels(pictures, 32)
    assert pixels.shape == (6, 3, 32, 32) and pixels.dtype == torch.uint8
    assert reading.kept == 6
    assert reading.remarks == {"converted from L": 1, "converted from CMYK": 1, "converted from P": 1}
    assert reading.left_out == {
        "smaller than 32×32 (size=16 takes smaller ones)": ["tiny.png"],
        UNREADABLE: ["empty.png", "half.png", "text.jpg"],
    }
    assert f"3 left out, {UNREADABLE}: empty.png, half.png, text.jpg" in str(reading) and "notes" not in str(reading)
    assert "6 images; 1 of them converted from CMYK;" in str(reading)


def test_the_reading_leads_from_each_picture_to_its_file(pictures):
    pixels, reading = own_pictures.folder_pixels(pictures, 32)
    assert reading.names == ["0.png", "1.png", "2.png", "deeper/CMYK.JPG", "deeper/grey.png", "palette.gif"]
    for picture, name in zip(pixels, reading.names):
        with Image.open(pictures / name) as image:
            square = ImageOps.fit(image.convert("RGB"), (32, 32), Image.Resampling.BOX)
        assert numpy.array_equal(picture.movedim(0, -1), square)
    assert own_pictures.folder_pixels(pictures, 32)[1] == reading  # from the cache


def test_the_middle_square_is_scaled_by_averaging(tmp_path):
    original = save(tmp_path / "in/a.png", 96, 64)
    pixels, _ = own_pictures.folder_pixels(tmp_path / "in", 32)
    square = torch.from_numpy(original[:, 16:80].copy()).movedim(-1, 0).float()
    means = torch.nn.functional.avg_pool2d(square, 2)
    assert (pixels[0].float() - means).abs().max() <= 1


def test_the_second_time_nothing_is_read_again(pictures, monkeypatch):
    first, _ = own_pictures.folder_pixels(pictures, 32)
    monkeypatch.setattr(own_pictures, "_picture", lambda *arguments: pytest.fail("read again"))
    again, reading = own_pictures.folder_pixels(pictures, 32)
    assert torch.equal(first, again) and reading.kept == 6


def test_a_changed_folder_is_read_anew(pictures):
    own_pictures.folder_pixels(pictures, 32)
    save(pictures / "new.png", seed=9)
    assert own_pictures.folder_pixels(pictures, 32)[1].kept == 7


def test_an_interrupted_reading_continues_where_it_was(pictures, cache, monkeypatch):
    whole, account = own_pictures.folder_pixels(pictures, 32)
    for path in cache.iterdir():
        path.unlink()
    monkeypatch.setattr(own_pictures, "SAVE_EVERY", 2)
    real, calls = own_pictures._picture, []

    def interrupted(path, *arguments):
        calls.append(path.name)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(path, *arguments)

    monkeypatch.setattr(own_pictures, "_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        own_pictures.folder_pixels(pictures, 32)
    assert json.loads(next(cache.glob("*.json")).read_text())["done"] == 4
    monkeypatch.setattr(own_pictures, "_picture", lambda path, *arguments: calls.append(path.name) or real(path, *arguments))
    pixels, reading = own_pictures.folder_pixels(pictures, 32)
    assert len(calls) == 6 + 6 and reading == account and torch.equal(pixels, whole)


def test_a_cache_that_lost_pixels_is_made_anew(pictures, cache):
    whole = own_pictures.folder_pixels(pictures, 32)[0].clone()
    path = next(cache.glob("*.pixels"))
    path.write_bytes(path.read_bytes()[:5000])
    assert torch.equal(own_pictures.folder_pixels(pictures, 32)[0], whole)


def test_what_cannot_be_read_at_all_is_said(tmp_path, pictures, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no folder"):
        own_pictures.folder_pixels(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no picture below"):
        own_pictures.folder_pixels(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match=r"Nothing below .* smaller than 1000×1000 \(size=500 takes smaller ones\)"):
        own_pictures.folder_pixels(pictures, 1000)
    monkeypatch.setattr(own_pictures.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10}))
    with pytest.raises(OSError, match="make room"):
        own_pictures.folder_pixels(pictures, 16)


# What is made of each kind of picture


def stored(folder, size=64):
    """The pixels N×size×size×3 and the reading of a folder."""
    pixels, reading = own_pictures.folder_pixels(folder, size)
    return pixels.movedim(1, -1).numpy(), reading


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_photographs_stand_upright(tmp_path, ending):
    quadrants = numpy.zeros((96, 128, 3), numpy.uint8)
    quadrants[:48, 64:, 0] = quadrants[48:, :64, 1] = quadrants[48:, 64:, 2] = 255
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(quadrants).save(tmp_path / f"{orientation}.{ending}", exif=exif)
    pixels, reading = stored(tmp_path)
    assert reading.names == [f"{orientation}.{ending}" for orientation in range(1, 9)]
    assert reading.remarks["turned upright"] == 7
    for picture, name in zip(pixels, reading.names):
        with Image.open(tmp_path / name) as image:
            upright = ImageOps.exif_transpose(image)
        assert numpy.array_equal(picture, ImageOps.fit(upright, (64, 64), Image.Resampling.BOX))
    # EXIF's table: in which corner black, the top left quadrant of what is stored, is to be seen.
    corners = [picture[y, x].max() < 99 for picture in pixels for y, x in [(4, 4), (4, -4), (-4, -4), (-4, 4)]]
    assert [row.index(True) for row in numpy.reshape(corners, (8, 4)).tolist()] == [0, 1, 2, 3, 0, 1, 2, 3]


def transparent(mode, alpha, seed=0):
    """Random colours, also where nothing is to be seen."""
    colours = numpy.random.default_rng(seed).integers(0, 256, (64, 64, len(mode) - 1), dtype=numpy.uint8)
    return Image.fromarray(numpy.concatenate([colours, alpha[..., None]], -1)), colours


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pictures_lie_on_white(tmp_path, mode):
    alpha = numpy.repeat(numpy.array([0, 1, 128, 255], numpy.uint8), 16 * 64).reshape(64, 64)
    picture, colours = transparent(mode, alpha)
    picture.save(tmp_path / "some.png")
    transparent(mode, numpy.full((64, 64), 255, numpy.uint8), 1)[0].save(tmp_path / "whole.png")
    pixels, reading = stored(tmp_path)
    opacity = alpha[..., None] / 255
    expected = numpy.broadcast_to(colours * opacity + 255 * (1 - opacity), (64, 64, 3))
    assert numpy.abs(pixels[0] - expected).max() <= 1 and (pixels[0][alpha == 0] == 255).all()
    assert reading.remarks == {f"converted from {mode}": 2, "transparent and laid on white": 1}


@pytest.mark.parametrize("transparency", [1, bytes([255, 0, 128])])
def test_transparent_palettes_and_key_colours_lie_on_white(tmp_path, transparency):
    palette = Image.new("P", (64, 64), 0)
    palette.putpalette([10, 20, 30, 0, 200, 0, 250, 0, 0])
    palette.paste(1, (0, 0, 64, 32))
    palette.paste(2, (0, 0, 64, 8))
    palette.save(tmp_path / "palette.png", transparency=transparency)
    Image.new("RGB", (64, 64), "lime").save(tmp_path / "rgb.png", transparency=(0, 255, 0))
    with warnings.catch_warnings(action="error"):
        (picture, key), reading = stored(tmp_path)
    assert picture[60, 0].tolist() == [10, 20, 30] and picture[20, 0].tolist() == [255, 255, 255]
    third = [250, 0, 0] if transparency == 1 else [252, 127, 127]
    assert numpy.abs(picture[0, 0] - numpy.array(third)).max() <= 1
    assert (key == 255).all() and reading.remarks["transparent and laid on white"] == 2


def ramp(low, high, kind):
    return numpy.linspace(low, high, 64 * 64).reshape(64, 64).astype(kind)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_16_bits_are_scaled(tmp_path, ending):
    values = ramp(0, 65535, numpy.uint16)
    Image.fromarray(values).save(tmp_path / f"a.{ending}")
    pixels, _ = stored(tmp_path)
    assert numpy.array_equal(pixels[0, ..., 0], numpy.round(values / 257)) and (pixels == pixels[..., :1]).all()


@pytest.mark.parametrize(("values", "factor"), [(ramp(0, 1, numpy.float32), 255), (ramp(0, 255, numpy.float32), 1)])
def test_floats_are_scaled(tmp_path, values, factor):
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert numpy.abs(stored(tmp_path)[0][0, ..., 0] - values * factor).max() <= 0.5


def test_grey_values_of_unknown_range_are_refused_by_name(tmp_path):
    Image.fromarray(ramp(0, 4095, numpy.uint16)).save(tmp_path / "12 bits.png")
    Image.fromarray(ramp(0, 1.97e9, numpy.int32)).save(tmp_path / "32 bits.tif")
    Image.fromarray(ramp(-1, 1, numpy.float32)).save(tmp_path / "signed.tif")
    Image.fromarray(ramp(0, 70_000, numpy.float32)).save(tmp_path / "wide.tif")
    Image.fromarray(numpy.full((64, 64), numpy.nan, numpy.float32)).save(tmp_path / "nan.tif")
    save(tmp_path / "good.png")
    reading = stored(tmp_path)[1]
    assert reading.names == ["good.png"]
    assert reading.left_out == {UNKNOWN_WHITE: ["12 bits.png", "32 bits.tif", "nan.tif", "signed.tif", "wide.tif"]}


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tif"])
def test_of_several_frames_the_first_is_taken(tmp_path, ending):
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if ending == "webp" else {}
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:], **options)
    pixels, reading = stored(tmp_path)
    assert (pixels == [255, 0, 0]).all() and reading.remarks["the first of several frames"] == 1


def test_duplicates_and_too_few_are_said(tmp_path, monkeypatch):
    for number in range(4):
        save(tmp_path / f"in/{number}.png", seed=number % 2)
    reading = stored(tmp_path / "in")[1]
    assert "2 of them the same as an earlier one" in str(reading) and str(reading).endswith("have a thousand or more.")
    monkeypatch.setattr(own_pictures, "FEW", 4)
    assert "few" not in str(reading)


# What is left out, and what is passed over


def test_files_that_pillow_cannot_read_are_named_with_the_way_out(tmp_path):
    foreign = ["a.HEIC", "b.heif", "c.jxl", "d.svg", "e.CR2", "f.dng", "g.mov", "h.mp4", "i.zip", "j.pdf", "k.eps", "l.mpg"]
    for name in [*foreign, "notes.txt", "labels.json", "Thumbs.db", "desktop.ini"]:
        (tmp_path / name).write_bytes(b"as good as any")
    with pytest.raises(FileNotFoundError, match=r"Nothing below .*pillow-heif.*: a\.HEIC, b\.heif; "):
        own_pictures.folder_pixels(tmp_path)
    save(tmp_path / "picture without an ending.png")
    (tmp_path / "picture without an ending.png").rename(tmp_path / "picture")
    (tmp_path / "no picture").write_bytes(b"as good as any")
    _, reading = own_pictures.folder_pixels(tmp_path)
    assert reading.names == ["picture"]
    told = {name: reason for reason, names in reading.left_out.items() for name in names}
    assert sorted(told) == [*foreign, "no picture"]
    assert "unpack" in told["i.zip"] and "export them as JPEG" in told["e.CR2"] and "frames" in told["g.mov"]
    assert own_pictures.folder_pixels(tmp_path)[1] == reading


def test_what_no_picture_plugin_reads_is_no_picture_under_another_name_either(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%EndComments\nshowpage\n")
    (tmp_path / "b.jpg").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
    save(tmp_path / "good.png")
    assert own_pictures.folder_pixels(tmp_path)[1].left_out == {UNREADABLE: ["a.jpg", "b.jpg"]}


def test_hidden_and_foreign_folders_are_passed_over(tmp_path):
    for name in [".ipynb_checkpoints/a-checkpoint.png", "__MACOSX/a.png", ".hidden.png", "deeper/.git/a.png", "@eaDir/a.png"]:
        save(tmp_path / ".pictures" / name)
    (tmp_path / ".pictures/._a.jpg").write_bytes(b"resource fork")
    save(tmp_path / ".pictures/a.png")
    reading = own_pictures.folder_pixels(tmp_path / ".pictures")[1]  # a folder that is asked for by name is read
    assert reading.names == ["a.png"] and reading.left_out == {}


@pytest.mark.skipif(os.name == "nt", reason="links and pipes as POSIX has them")
def test_links_and_pipes(tmp_path):
    save(tmp_path / "elsewhere/b.png")
    save(tmp_path / "in/a.png", seed=1)
    (tmp_path / "in/album").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/b.png").symlink_to(tmp_path / "elsewhere/b.png")
    (tmp_path / "in/loop.png").symlink_to("loop.png")
    (tmp_path / "in/dangling.png").symlink_to("nothing.png")
    os.mkfifo(tmp_path / "in/pipe.png")
    reading = own_pictures.folder_pixels(tmp_path / "in")[1]
    assert reading.names == ["a.png", "b.png"]
    assert reading.left_out["a linked folder (read it by itself)"] == ["album"]
    assert reading.left_out["no ordinary file"] == ["pipe.png"]
    assert reading.left_out["cannot be opened (No such file or directory)"] == ["dangling.png"]
    assert sum(map(len, reading.left_out.values())) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf_8(tmp_path):
    for name in (b"caf\xe9", b"th\xe9"):
        save(tmp_path / os.fsdecode(b"in/" + name + b".png"))
    (tmp_path / os.fsdecode(b"in/th\xe9.png")).write_bytes(b"broken")
    for _ in range(2):
        reading = own_pictures.folder_pixels(tmp_path / "in")[1]
        assert reading.names == [os.fsdecode(b"caf\xe9.png")]
        assert "th\N{REPLACEMENT CHARACTER}.png" in str(reading).encode().decode()


@pytest.fixture
def nobodys_folder(monkeypatch):
    """An empty folder in which root, too, meets closed doors."""
    if os.name == "nt":
        pytest.skip("needs POSIX permissions")
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(runtime, "cache_folder", lambda: Path(folder) / "cache")
        yield Path(folder) / "in"
        for path in [Path(folder, "in"), *(Path(folder, "in") / name for name in ("closed", "listed"))]:
            path.chmod(0o700)
    os.seteuid(user)


def test_closed_files_and_folders_are_named(nobodys_folder):
    for name in ["good.png", "closed.png", "closed/a.png", "listed/b.png"]:
        save(nobodys_folder / name)
    (nobodys_folder / "closed.png").chmod(0)
    (nobodys_folder / "closed").chmod(0)
    (nobodys_folder / "listed").chmod(0o444)
    reading = own_pictures.folder_pixels(nobodys_folder)[1]
    assert reading.names == ["good.png"]
    assert reading.left_out == {
        "cannot be opened (Permission denied)": ["closed.png", "listed/b.png"],
        "a folder that cannot be opened (Permission denied)": ["closed"],
    }
    nobodys_folder.chmod(0)
    with pytest.raises(FileNotFoundError, match=r"a folder that cannot be opened \(Permission denied\): \."):
        own_pictures.folder_pixels(nobodys_folder)


def test_a_file_that_vanishes_is_named(pictures, monkeypatch):
    listing = own_pictures._listing
    monkeypatch.setattr(own_pictures, "_listing", lambda folder: (["a gone.png", *listing(folder)[0]], {}))
    reading = own_pictures.folder_pixels(pictures, 32)[1]
    assert reading.kept == 6 and reading.left_out["cannot be opened (No such file or directory)"] == ["a gone.png"]


def damaged(count, kinds=("PNG", "JPEG", "GIF", "WEBP", "TIFF", "AVIF", "BMP", "BLP", "ICO", "PPM", "TGA", "JPEG2000")):
    """Pictures of these kinds, each cut off or with bytes changed: the same ones every time."""
    chance = random.Random(3)
    colours = numpy.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=numpy.uint8)
    for kind in kinds:
        file = io.BytesIO()
        Image.fromarray(colours).convert("P" if kind == "BLP" else "RGB").save(file, kind)
        for number in range(count):
            content = bytearray(file.getvalue())
            if number % 4 == 0:
                del content[chance.randrange(len(content)) :]
            for _ in range(number % 4 * 3):
                content[chance.randrange(min(len(content), 300))] = chance.choice([0, 255, chance.randrange(256)])
            yield f"{kind}{number}.png", bytes(content)


def test_damaged_files_never_end_the_reading(tmp_path):
    contents = dict(damaged(24))
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    Image.new("RGB", (64, 64)).save(tmp_path / "good.png")
    reading = own_pictures.folder_pixels(tmp_path)[1]
    assert "good.png" in reading.names and len(reading.left_out[UNREADABLE]) > 50
    left_out = [name for names in reading.left_out.values() for name in names]
    assert sorted(reading.names + left_out) == sorted([*contents, "good.png"])


def test_whatever_a_decoder_raises_names_the_file(pictures, monkeypatch):
    opened = Image.open

    def failing(path, **keywords):
        if Path(path).name == "1.png":
            raise error
        return opened(path, **keywords)

    monkeypatch.setattr(Image, "open", failing)
    for error in (RuntimeError("decoder"), EOFError(), RecursionError(), OverflowError()):
        save(pictures / "new.png", seed=id(error))
        assert "1.png" in own_pictures.folder_pixels(pictures, 32)[1].left_out[UNREADABLE]
    error = Image.DecompressionBombError()
    save(pictures / "new.png", seed=7)
    left_out = own_pictures.folder_pixels(pictures, 32)[1].left_out
    assert left_out["larger than 179 million pixels (scale them down)"] == ["1.png"]
    for error in (MemoryError(), KeyboardInterrupt()):
        save(pictures / "new.png", seed=id(error))
        with pytest.raises(type(error)):
            own_pictures.folder_pixels(pictures, 32)


def test_what_pillow_warns_of_is_not_shown(tmp_path, monkeypatch):
    save(tmp_path / "large.png", 64, 64)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)  # from here on a warning, from twice as many on an error
    with warnings.catch_warnings(record=True) as shown:
        assert own_pictures.folder_pixels(tmp_path)[1].kept == 1
    assert shown == []


# What is asked for wrongly


def test_the_folder_is_checked_at_the_door(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    save(tmp_path / "mine/a.png")
    assert own_pictures.folder_pixels("~/mine")[1].names == ["a.png"]
    for nothing in ("", " "):
        with pytest.raises(ValueError, match="The folder has no name"):
            own_pictures.folder_pixels(nothing)
    with pytest.raises(NotADirectoryError, match=r"a\.png is a file: give the folder it is in"):
        own_pictures.folder_pixels("~/mine/a.png")
    (tmp_path / "pics.zip").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match=r"pics\.zip is a file: unpack it"):
        own_pictures.folder_pixels(tmp_path / "pics.zip")


@pytest.mark.parametrize("size", [64.0, "64", (64, 64), None, 0, -1, 7])
def test_the_size_is_a_whole_number(pictures, size):
    with pytest.raises(ValueError) as caught:
        own_pictures.folder_pixels(pictures, size)
    assert str(caught.value).endswith(f"of at least 8, the side of the square pictures, not {size!r}.")


def test_the_disk_is_asked_for_what_is_missing_alone(pictures, cache, monkeypatch, capsys):
    monkeypatch.setattr(own_pictures, "SAVE_EVERY", 8)
    interrupt_at(9, monkeypatch)
    monkeypatch.setattr(own_pictures.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 2 * 3 * 32 * 32}))
    with pytest.raises(OSError, match=r"has 6\.14 kB left, but 30\.7 kB are needed"):
        own_pictures.folder_pixels(pictures, 32)
    monkeypatch.undo()
    monkeypatch.setattr(runtime, "cache_folder", lambda: cache.parent)
    monkeypatch.setattr(own_pictures, "SAVE_EVERY", 8)
    interrupt_at(9, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        own_pictures.folder_pixels(pictures, 32)
    assert "interrupted; the next call goes on" in capsys.readouterr().out
    monkeypatch.setattr(own_pictures.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 2 * 3 * 32 * 32}))
    assert own_pictures.folder_pixels(pictures, 32)[1].kept == 6
    assert "2 image files are read once, into 6.14 kB" in capsys.readouterr().out


def test_a_disk_that_fills_on_the_way_is_said_and_the_reading_goes_on(pictures, cache, monkeypatch):
    whole = own_pictures.folder_pixels(pictures, 32)[0].clone()
    for path in cache.iterdir():
        path.unlink()
    monkeypatch.setattr(own_pictures, "SAVE_EVERY", 4)
    calls = []

    def full(file):
        calls.append(file)
        if len(calls) == 3:  # pixels, account, pixels
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"room for .*own_pictures was used up: make some; the next call goes on") as caught:
        own_pictures.folder_pixels(pictures, 32)
    assert caught.value.errno == errno.ENOSPC
    assert json.loads(next(cache.glob("*.json")).read_text())["done"] == 4
    assert torch.equal(own_pictures.folder_pixels(pictures, 32)[0], whole)


def interrupt_at(call, monkeypatch):
    """The call-th picture is not read but interrupted, this once."""
    real, calls = own_pictures._picture, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == call:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(own_pictures, "_picture", interrupted)


# The cache


@pytest.mark.parametrize("account", [b"", b"{}", b"[]", b'{"done": 10, "checksum": 0, "reading": {"colour": 1}}', b"\xff"])
def test_a_damaged_account_is_made_anew(pictures, cache, account):
    whole, reading = own_pictures.folder_pixels(pictures, 32)
    next(cache.glob("*.json")).write_bytes(account)
    again, same = own_pictures.folder_pixels(pictures, 32)
    assert torch.equal(again, whole) and same == reading


def test_zeroed_pixels_are_made_anew(pictures, cache):
    whole = own_pictures.folder_pixels(pictures, 32)[0].clone()
    path = next(cache.glob("*.pixels"))
    path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(own_pictures.folder_pixels(pictures, 32)[0], whole)


def test_pixels_lost_after_an_interruption_are_read_again(pictures, cache, monkeypatch):
    whole = own_pictures.folder_pixels(pictures, 16)[0].clone()
    save(pictures / "new.png", seed=9)
    monkeypatch.setattr(own_pictures, "SAVE_EVERY", 4)
    interrupt_at(6, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        own_pictures.folder_pixels(pictures, 16)
    path = next(cache.glob("*.pixels"))
    path.write_bytes(bytes(path.stat().st_size))
    pixels, reading = own_pictures.folder_pixels(pictures, 16)
    assert torch.equal(pixels[[name != "new.png" for name in reading.names]], whole)


def test_caches_of_another_way_of_reading_and_of_the_folder_as_it_was_are_not_kept(pictures, cache, monkeypatch):
    own_pictures.folder_pixels(pictures, 32)
    old = next(cache.glob("*.pixels"))
    (cache / f".{old.stem}.json.half").write_bytes(b"what a killed process leaves")
    own_pictures.folder_pixels(pictures, 16)
    monkeypatch.setattr(own_pictures, "VERSION", own_pictures.VERSION + 1)
    own_pictures.folder_pixels(pictures, 32)
    assert not old.exists() and len(list(cache.glob("*.pixels"))) == len(list(cache.glob("*.json"))) == 2


def test_a_mapped_cache_is_never_written_to(pictures, cache):
    """Whoever has mapped the pixels keeps them, though the cache was found damaged and made anew."""
    mapped = own_pictures.folder_pixels(pictures, 32)[0]
    whole = mapped.clone()
    next(cache.glob("*.json")).write_bytes(b"")
    again = own_pictures.folder_pixels(pictures, 32)[0]
    again.zero_()
    assert torch.equal(mapped, whole) and torch.equal(own_pictures.folder_pixels(pictures, 32)[0], whole)


READER = """
import hashlib, sys, time
from pathlib import Path
from gan_lessons import own_pictures, runtime

folder, cache, pause_at, reached, go = sys.argv[1:]
runtime.cache_folder = lambda: Path(cache)
own_pictures.SAVE_EVERY = 4
real, calls = own_pictures._picture, []

def slow(*arguments):
    calls.append(arguments)
    if len(calls) == int(pause_at):
        Path(reached).touch()
        while not Path(go).exists():
            time.sleep(0.01)
    return real(*arguments)

own_pictures._picture = slow
pixels, reading = own_pictures.folder_pixels(folder, 32)
print(len(calls), reading.kept, hashlib.sha256(pixels.numpy().tobytes()).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [False, True])
def test_two_processes_read_the_same_folder_at_once(pictures, tmp_path, stopped):
    """The second waits while the first reads; where the first is killed meanwhile, it goes on in its place."""
    expected = own_pictures.folder_pixels(pictures, 32)[0].numpy().tobytes()
    marks = [str(tmp_path / name) for name in ("reached", "go")]

    def start(pause_at):
        command = [sys.executable, "-c", READER, pictures, tmp_path / "cache of both", str(pause_at), *marks]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)

    with start(6) as first:
        try:
            assert "10 image files" in first.stdout.readline()
            while not Path(marks[0]).exists():
                assert first.poll() is None
            with start(0) as second:
                assert second.stdout.readline() == "Another notebook is reading these pictures: waiting for it.\n"
                if stopped:
                    first.kill()
                else:
                    Path(marks[1]).touch()
                told = [first.stdout.read().splitlines()[-1:], second.stdout.read().splitlines()[-1:]]
        finally:
            first.kill()  # where the test failed it would wait for ever
    right = f"6 {hashlib.sha256(expected).hexdigest()}"
    assert told == ([[], [f"6 {right}"]] if stopped else [[f"10 {right}"], [f"0 {right}"]])


NAMES = [f"Attribute_{i}" for i in range(40)]


@pytest.fixture
def celeba(tmp_path, monkeypatch):
    """Eight photographs in CelebA's real layout; torchvision is told the checksums of these files."""
    base = tmp_path / "celeba"
    for number in range(1, 9):
        save(base / f"img_align_celeba/{number:06}.jpg", 178, 218, seed=number)
    rows = [" ".join("1" if (number + i) % 3 else "-1" for i in range(40)) for number in range(1, 9)]
    lines = [f"{number:06}.jpg {row}" for number, row in enumerate(rows, 1)]
    (base / "list_attr_celeba.txt").write_text("8\n" + " ".join(NAMES) + "\n" + "\n".join(lines) + "\n")
    (base / "identity_CelebA.txt").write_text("".join(f"{n:06}.jpg {n}\n" for n in range(1, 9)))
    (base / "list_bbox_celeba.txt").write_text(
        "8\nx_1 y_1 width height\n" + "".join(f"{n:06}.jpg 1 1 9 9\n" for n in range(1, 9))
    )
    marks = " ".join(f"mark{i}" for i in range(10))
    rows = "".join(f"{n:06}.jpg " + " ".join(["1"] * 10) + "\n" for n in range(1, 9))
    (base / "list_landmarks_align_celeba.txt").write_text(f"8\n{marks}\n{rows}")
    (base / "list_eval_partition.txt").write_text("".join(f"{n:06}.jpg {n % 3}\n" for n in range(1, 9)))
    sums = [("", hashlib.md5(path.read_bytes()).hexdigest(), path.name) for path in sorted(base.glob("*.txt"))]
    monkeypatch.setattr(torchvision.datasets.CelebA, "file_list", [*sums, ("", "", "img_align_celeba.zip")])
    return tmp_path


def test_celeba_is_read_with_its_attributes(celeba):
    pixels, attributes, reading = own_pictures.celeba_pixels(celeba, 64)
    assert pixels.shape == (8, 3, 64, 64) and reading.kept == 8
    assert list(attributes) == NAMES
    assert attributes["Attribute_4"].tolist() == [(number + 4) % 3 != 0 for number in range(1, 9)]


def test_a_broken_photograph_takes_its_attributes_along(celeba):
    (celeba / "celeba/img_align_celeba/000003.jpg").write_bytes(b"broken")
    (celeba / "celeba/img_align_celeba/._000003.jpg").write_bytes(b"what macOS adds")
    pixels, attributes, reading = own_pictures.celeba_pixels(celeba, 64)
    assert len(pixels) == 7 and reading.left_out == {UNREADABLE: ["000003.jpg"]}
    assert attributes["Attribute_0"].tolist() == [number % 3 != 0 for number in (1, 2, 4, 5, 6, 7, 8)]


def test_celebas_photographs_are_told_apart_by_name(celeba):
    folder = celeba / "celeba/img_align_celeba"
    (folder / "000003.jpg").rename(folder / "000009.jpg")
    with pytest.raises(FileNotFoundError, match=r"lists 000003\.jpg, which .* holds 000009\.jpg, which CelebA does not list"):
        own_pictures.celeba_pixels(celeba)
    (folder / "000009.jpg").rename(folder / "000003.jpg")
    save(folder / "my holidays.jpg", 178, 218)
    with pytest.raises(FileNotFoundError, match=r"holds my holidays\.jpg, .* move it elsewhere") as caught:
        own_pictures.celeba_pixels(celeba)
    assert "unpack" not in str(caught.value)


def test_a_changed_list_is_named(celeba):
    path = celeba / "celeba/list_eval_partition.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(FileNotFoundError, match=r"lays it out: list_eval_partition\.txt is not the original .*line ends\?\)\. "):
        own_pictures.celeba_pixels(celeba)


def test_missing_celeba_and_missing_photographs_are_said(celeba, monkeypatch):
    monkeypatch.setenv("HOME", str(celeba))
    monkeypatch.setenv("USERPROFILE", str(celeba))
    (celeba / "celeba/img_align_celeba/000005.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"CelebA lists 000005\.jpg, which .* does not hold: unpack"):
        own_pictures.celeba_pixels("~")
    (celeba / "celeba/list_attr_celeba.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"list_attr_celeba\.txt is missing\. .*gdown"):
        own_pictures.celeba_pixels(celeba)
