"""The bundled cartoon faces: what is in the files, that it is true of the pixels, and how it is made."""

import csv
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy
import pytest
import torch

from gan_lessons import bundle, data, runtime

ROOT = Path(__file__).resolve().parent.parent
FILES = ("faces/faces.npz", "faces/faces_128.npz", "faces/attributes.csv")
VALUES = {
    "hair_length": {"bald", "short", "medium", "long", "tied up"},
    "eyes": {"open", "closed", "wink", "hidden"},
    "eye_colour": {"black", "blue", "brown", "green", "violet", "hidden"},
    "glasses": {"none", "glasses", "sunglasses"},
    "mood": {"happy", "neutral", "sad"},
    "mouth": {"closed", "open", "tongue out"},
} | {name: {"yes", "no"} for name in ("beard", "freckles", "flowers", "earrings")}


def all_faces(size=64):
    """The faces for training and those for the test, together."""
    train, test = data.faces("train", size), data.faces("test", size)
    both = {name: train.attributes[name] + test.attributes[name] for name in train.attributes}
    return data.Faces(torch.cat([train.pixels, test.pixels]), both)


@pytest.fixture(scope="module")
def faces():
    return all_faces()


@pytest.fixture(scope="module")
def pixels(faces):
    """The faces as numpy likes them, N×64×64×3, wide enough to subtract."""
    return faces.pixels.movedim(1, -1).cpu().numpy().astype(numpy.int16)


def colours(name):
    """A table of named colours out of the script that draws with them: names, and their RGB values."""
    table = re.search(rf"const {name} = {{(.*?)}};", (ROOT / "tools/make_faces.mjs").read_text(), re.DOTALL)[1]
    named = dict(re.findall(r"(\w+): '([0-9a-f]{6})'", table))
    return list(named), numpy.array([list(bytes.fromhex(code)) for code in named.values()])


def nearest(pixels, name):
    """For each pixel, N×3, the name of the colour in that table that is nearest to it."""
    names, table = colours(name)
    return numpy.array(names)[numpy.abs(pixels[:, None] - table).sum(2).argmin(1)]


def test_there_are_ten_thousand_at_each_size(faces):
    assert len(faces) == 10_000 and faces.pixels.shape == (10_000, 3, 64, 64)
    assert faces.pixels.dtype == torch.uint8 and faces.pixels.device.type == runtime.device().type
    assert faces.pixels.min() < 20 and faces.pixels.max() > 250
    assert all_faces(32).pixels.shape == (10_000, 3, 32, 32)
    assert data.faces("test", 128).pixels.shape == (1000, 3, 128, 128)
    assert len(data.faces()) == 9000 and len(data.faces("test")) == 1000
    with pytest.raises(ValueError, match="no split 'all': choose 'train' or 'test'"):
        data.faces("all")


def test_no_face_is_there_twice(faces):
    for pixels in (faces.pixels, all_faces(32).pixels):
        assert len({face.tobytes() for face in pixels.cpu().numpy()}) == 10_000


def test_32_is_the_mean_of_64(faces):
    small, large = all_faces(32), faces
    means = torch.nn.functional.avg_pool2d(large.pixels[::20].double(), 2)
    rounding = means - small.pixels[::20]
    assert rounding.min() >= -0.5 and rounding.max() < 0.5
    assert small.attributes == large.attributes


def test_64_is_the_mean_of_128(faces):
    """But for what the palettes of two packings, and the edges of two drawings, differ by."""
    large = data.faces("test", 128)
    means = torch.nn.functional.avg_pool2d(large.pixels.double(), 2)
    difference = (means - faces.pixels[9000:]).abs()
    assert difference.mean() < 1 and (difference > 32).double().mean() < 1e-4
    assert large.attributes == {name: values[9000:] for name, values in faces.attributes.items()}


@pytest.mark.parametrize("block", [1, 2, 4])
def test_means_are_those_that_torch_takes_rounded(block):
    pixels = numpy.random.default_rng(0).integers(0, 256, (2, 3, 8, 8), numpy.uint8)
    wanted = torch.nn.functional.avg_pool2d(torch.from_numpy(pixels).double(), block)
    assert numpy.array_equal(data._means(pixels, block), (wanted + 0.5).floor().numpy())


def test_means_of_the_lightest_pixels_do_not_overflow():
    assert (data._means(numpy.full((1, 8, 8), 255, numpy.uint8), 4) == 255).all()


def test_palettes_become_pixels_at_the_size_asked_for():
    palettes = numpy.array([[[0, 10, 20], [100, 110, 120]]], numpy.uint8)
    indices = numpy.array([[[0, 1, 1, 1], [1, 1, 1, 1], [0, 0, 1, 0], [0, 0, 1, 1]]], numpy.uint8)
    assert data._from_palettes(palettes, indices, 4)[0, :, 0].tolist() == [
        [0, 100, 100, 100],
        [10, 110, 110, 110],
        [20, 120, 120, 120],
    ]
    assert data._from_palettes(palettes, indices, 2)[0, 0].tolist() == [[75, 100], [0, 75]]


def test_every_face_has_every_attribute_and_the_words_are_known(faces):
    expected = VALUES | {
        "hair_colour": set(colours("HAIR_COLOURS")[0]),
        "skin": set(colours("SKINS")[0]),
        "background": set(colours("BACKGROUNDS")[0]),
    }
    styles = set(faces.attributes["hair_style"])
    assert len(styles) == 44 and all(re.fullmatch(r"[0-4]\d", style) for style in styles)
    assert {name: set(values) for name, values in faces.attributes.items() if name != "hair_style"} == expected
    for name, values in faces.attributes.items():
        assert len(values) == 10_000 and min(Counter(values).values()) >= 190, name


def test_attributes_do_not_contradict_each_other(faces):
    of = {name: numpy.array(values) for name, values in faces.attributes.items()}
    sunglasses = of["glasses"] == "sunglasses"
    assert ((of["eyes"] == "hidden") == sunglasses).all() and ((of["eye_colour"] == "hidden") == sunglasses).all()
    assert not ((of["beard"] == "yes") & (of["flowers"] == "yes")).any()
    assert all(len(set(of["hair_length"][of["hair_style"] == style])) == 1 for style in set(of["hair_style"]))


def test_background_and_skin_are_the_colours_of_the_pixels(faces, pixels):
    assert (nearest(pixels[:, 0, 63], "BACKGROUNDS") == faces.attributes["background"]).all()  # a corner
    assert (nearest(pixels[:, 62, 38], "SKINS") == faces.attributes["skin"]).all()  # the neck


def test_hair_has_the_colour_it_is_said_to_have(faces, pixels):
    haired = numpy.array(faces.attributes["hair_length"]) != "bald"
    named = numpy.array(faces.attributes["hair_colour"])[haired]
    # Brown and chestnut come close to each other, and some partings lie where we look.
    assert (nearest(pixels[haired][:, 8, 33], "HAIR_COLOURS") == named).mean() > 0.98


def test_hair_beside_the_neck_is_medium_or_long(faces, pixels):
    beside = numpy.abs(pixels[:, 46:, :16] - pixels[:, :1, 63:]).sum(3) > 60
    lengths = numpy.array(faces.attributes["hair_length"])
    bearded = numpy.array(faces.attributes["beard"]) == "yes"
    share = {length: beside[(lengths == length) & ~bearded].mean() for length in VALUES["hair_length"]}
    assert max(share["bald"], share["short"], share["tied up"]) < 0.06 < 0.2 < share["medium"] < share["long"]


def test_sunglasses_are_black_and_flowers_white_where_they_sit(faces, pixels):
    sunglasses = numpy.array(faces.attributes["glasses"]) == "sunglasses"
    assert ((pixels[:, 36, 30].max(1) < 60) == sunglasses).all()
    flowers = numpy.array(faces.attributes["flowers"]) == "yes"
    assert ((pixels[:, 30, 10].min(1) > 240) == flowers).all()


def test_the_other_attributes_are_seen_where_they_belong(faces, pixels):
    """The mean face with it and the mean face without it differ most there, and hardly at all at a typical pixel."""
    yes = {"beard": "yes", "earrings": "yes", "freckles": "yes", "glasses": "glasses", "mouth": "open", "eyes": "open"}
    places = {  # rows and columns
        "beard": (44, 60, 24, 56),
        "earrings": (35, 50, 5, 16),
        "freckles": (36, 46, 17, 45),
        "glasses": (28, 42, 18, 50),
        "mouth": (44, 52, 30, 46),
        "eyes": (28, 40, 18, 50),
    }
    for name, (top, bottom, left, right) in places.items():
        has = numpy.array(faces.attributes[name]) == yes[name]
        difference = numpy.abs(pixels[has].mean(0) - pixels[~has].mean(0)).sum(2)
        row, column = numpy.unravel_index(difference.argmax(), difference.shape)
        assert top <= row < bottom and left <= column < right, (name, row, column)
        assert difference.max() > 10 * numpy.median(difference), name


def test_colours_survive_the_palette(faces, pixels):
    """Pale skin does not become its peach background. Full lips are a few dozen pixels: they stay red on pale skin instead of turning brown or violet."""
    assert (pixels[:, 62, 38] != pixels[:, 0, 63]).any(1).all()
    pale = numpy.array(faces.attributes["skin"]) == "pale"
    mouths = pixels[pale][:, 44:52, 30:46].reshape(pale.sum(), -1, 3)
    reddest = mouths[numpy.arange(len(mouths)), (mouths[..., 0] - mouths[..., 1]).argmax(1)]
    filled = reddest[reddest[:, 1] < 75]
    assert len(filled) > 1000 and (filled[:, 0] - filled[:, 2]).min() > 60


def test_card_has_the_counts(faces):
    card = (bundle.FOLDER / "README.md").read_text()
    for name, values in faces.attributes.items():
        line = re.search(rf"^\| `{name}` \| (.*) \|$", card, re.MULTILINE)[1]
        if name == "hair_style":
            assert line.startswith(f"{len(set(values))} styles")
        else:
            assert dict(re.findall(r"([a-z][a-z ]*[a-z]) (\d+)", line)) == {v: str(n) for v, n in Counter(values).items()}


def test_draws_real_faces(faces):
    drawn = faces.draw(3)
    assert drawn.shape == (3, 3, 64, 64) and drawn.min() >= -1 and drawn.max() <= 1
    for face in data.to_pixels(drawn):
        assert (faces.pixels == face).flatten(1).all(1).sum() == 1


def test_files_are_small_and_carry_no_date():
    for name, most in zip(FILES, (10e6, 20e6, 1e6)):
        assert (bundle.FOLDER / name).stat().st_size < most
    for name in FILES[:2]:
        with zipfile.ZipFile(bundle.FOLDER / name) as archive:
            assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("size", [28, 256, "64", None])
def test_another_size_is_refused_with_the_way_out(size):
    with pytest.raises(ValueError, match=rf"no faces of size {size!r}: choose 128, 64 or 32; .*interpolate"):
        data.faces(size=size)


def test_faces_that_do_not_fit_together_are_refused():
    pixels = torch.zeros(3, 3, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match="3 faces but 2 values of the attribute 'mood'"):
        data.Faces(pixels, {"skin": ["tan"] * 3, "mood": ["sad"] * 2})
    with pytest.raises(TypeError, match="Expected uint8 pixels"):
        data.Faces(pixels.float(), {})
    with pytest.raises(ValueError, match="at least one image, not 0"):
        data.Faces(pixels, {}).draw(0)


@pytest.fixture
def own_bundle(tmp_path, monkeypatch):
    """A copy of the bundled faces that a test may damage."""
    folder = tmp_path / "checkout/data"
    (folder / "faces").mkdir(parents=True)
    for name in ("SHA256SUMS", *FILES):
        shutil.copy(bundle.FOLDER / name, folder / name)
    monkeypatch.setattr(bundle, "FOLDER", folder)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_missing_and_damaged_files_are_named_with_the_way_out(own_bundle, name):
    size = 128 if "128" in name else 64
    content = bytearray((own_bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (own_bundle / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} is damaged .* `git checkout -- data/{name}`"):
        data.faces(size=size)
    (own_bundle / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} is missing. Restore it with `git checkout -- data/{name}`"):
        data.faces(size=size)


@pytest.mark.slow
def test_drawn_anew_they_are_the_same_to_the_byte_and_those_bundled(faces, tmp_path):
    tool = runpy.run_path(str(ROOT / "tools/pack_faces.py"))
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("needs node and npm")
    (tmp_path / "package.json").write_text("{}")
    install = ["npm", "install", "--offline", "--no-audit", "--no-fund", *tool["PACKAGES"]]
    if subprocess.run(install, cwd=tmp_path, capture_output=True).returncode:
        pytest.skip("the drawing packages are not in npm's cache: tools/pack_faces.py puts them there")
    for into in ("once", "again"):
        command = [sys.executable, ROOT / "tools/pack_faces.py", "--offline", "--count", "150", "--into", tmp_path / into]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    for name in ("faces_128.npz", "attributes.csv"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    with open(tmp_path / "once/attributes.csv", newline="") as file:
        for i, row in enumerate(csv.DictReader(file)):
            assert row == {name: values[i] for name, values in faces.attributes.items()}
    with numpy.load(tmp_path / "once/faces_128.npz") as packed:
        drawn = data._from_palettes(packed["palettes"], packed["indices"], 128)
    # Another machine may round the edges of a shape otherwise.
    assert numpy.abs(drawn - data.faces(size=128).pixels[:150].cpu().numpy().astype(int)).mean() < 0.5
