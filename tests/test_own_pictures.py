"""Folders of image files, good and bad, and CelebA's layout, all built here."""

import json

import numpy
import pytest
import torch
import torchvision
from PIL import Image

from gan_lessons import own_pictures, runtime


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache/folders"


def save(path, width=96, height=80, mode="RGB", seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = numpy.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=numpy.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return pixels


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
    assert reading.kept == 6 and reading.converted == {"L": 1, "CMYK": 1, "P": 1}
    assert reading.left_out == {"smaller than 32×32": ["tiny.png"], "unreadable": ["empty.png", "half.png", "text.jpg"]}
    assert "3 left out, unreadable: empty.png, half.png, text.jpg" in str(reading) and "notes" not in str(reading)


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
    with pytest.raises(FileNotFoundError, match="no image file"):
        own_pictures.folder_pixels(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="None of the 10 image files"):
        own_pictures.folder_pixels(pictures, 1000)
    with pytest.raises(ValueError, match="at least 8"):
        own_pictures.folder_pixels(pictures, 4)
    monkeypatch.setattr(own_pictures.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10}))
    with pytest.raises(OSError, match="make room"):
        own_pictures.folder_pixels(pictures, 16)


NAMES = [f"Attribute_{i}" for i in range(40)]


@pytest.fixture
def celeba(tmp_path, monkeypatch):
    """Eight photographs in CelebA's real layout; torchvision's checksums are of the real files, so they are not asked."""
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
    monkeypatch.setattr(torchvision.datasets.CelebA, "_check_integrity", lambda self: (base / "list_attr_celeba.txt").exists())
    return tmp_path


def test_celeba_is_read_with_its_attributes(celeba):
    pixels, attributes, reading = own_pictures.celeba_pixels(celeba, 64)
    assert pixels.shape == (8, 3, 64, 64) and reading.kept == 8
    assert list(attributes) == NAMES
    assert attributes["Attribute_4"].tolist() == [(number + 4) % 3 != 0 for number in range(1, 9)]


def test_a_broken_photograph_takes_its_attributes_along(celeba):
    (celeba / "celeba/img_align_celeba/000003.jpg").write_bytes(b"broken")
    pixels, attributes, reading = own_pictures.celeba_pixels(celeba, 64)
    assert len(pixels) == 7 and reading.left_out == {"unreadable": ["000003.jpg"]}
    assert attributes["Attribute_0"].tolist() == [number % 3 != 0 for number in (1, 2, 4, 5, 6, 7, 8)]


def test_missing_celeba_and_missing_photographs_are_said(celeba, tmp_path):
    (celeba / "celeba/img_align_celeba/000005.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="lists 8 photographs, but 7 are there"):
        own_pictures.celeba_pixels(celeba)
    (celeba / "celeba/list_attr_celeba.txt").unlink()
    with pytest.raises(FileNotFoundError, match="gdown"):
        own_pictures.celeba_pixels(tmp_path)
