"""The bundled digits, and what is said when a file or an image is not as it should be."""

import gzip
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from gan_lessons import bundle, data

ROOT = Path(__file__).resolve().parent.parent
RAW = "MNIST/raw/train-images-idx3-ubyte"


@pytest.fixture
def own_bundle(monkeypatch):
    """A copy of the bundled files, nothing unpacked yet, and a cache folder, where any user can reach them."""
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "checkout" / "data"
        (folder / "MNIST/raw").mkdir(parents=True)
        (Path(base) / "cache").mkdir()
        os.chmod(base, 0o755)
        os.chmod(Path(base) / "cache", 0o777)
        shutil.copy(bundle.FOLDER / "SHA256SUMS", folder)
        for part in data.MNIST_PARTS:
            shutil.copy(bundle.FOLDER / f"MNIST/raw/{part}-ubyte.gz", folder / "MNIST/raw")
        monkeypatch.setattr(bundle, "FOLDER", folder)
        monkeypatch.setenv("XDG_CACHE_HOME", str(Path(base) / "cache"))
        yield folder


@pytest.fixture
def read_only(own_bundle):
    (own_bundle / "MNIST/raw").chmod(0o555)
    yield
    (own_bundle / "MNIST/raw").chmod(0o755)


@pytest.fixture
def unprivileged():
    """Runs a test as nobody where root runs the tests, since root can write into read-only folders."""
    if os.name == "nt":
        pytest.skip("needs POSIX permissions")
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


def test_digits_are_mnist():
    train, test = data.mnist("train"), data.mnist("test")
    assert train.pixels.shape == (60_000, 1, 28, 28) and test.pixels.shape == (10_000, 1, 28, 28)
    # The class counts of the original distribution.
    assert train.labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert test.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # Mean and standard deviation that everyone normalises MNIST with.
    scaled = train.pixels.double() / 255
    assert scaled.mean().item() == pytest.approx(0.1307, abs=5e-5) and scaled.std().item() == pytest.approx(0.3081, abs=5e-5)


def test_readme_lists_the_checksums():
    readme = (bundle.FOLDER / "README.md").read_text()
    packed = {name: checksum for name, checksum in bundle.checksums().items() if name.endswith(".gz")}
    assert len(packed) == 4
    for name, checksum in packed.items():
        assert f"| `{Path(name).name}` | `{checksum}` |" in readme


def test_draw_is_a_batch_of_real_images():
    pixels = torch.arange(4, dtype=torch.uint8).reshape(4, 1, 1, 1)
    images = data.Images(pixels, torch.arange(4), ("a", "b", "c", "d"))
    batch = images.draw(4000)
    counts = data.to_pixels(batch).flatten().bincount(minlength=4)
    assert batch.shape == (4000, 1, 1, 1) and counts.min() > 850  # 1000 each expected, 27 the standard deviation


@given(st.lists(st.integers(0, 255), min_size=1, max_size=30))
@settings(deadline=None)
def test_pixels_survive_the_way_to_floats_and_back(values):
    pixels = torch.tensor(values, dtype=torch.uint8).reshape(1, 1, 1, -1)
    floats = data.to_floats(pixels)
    assert floats.min() >= -1 and floats.max() <= 1
    assert torch.equal(data.to_pixels(floats), pixels)


def test_range_ends():
    assert data.to_floats(torch.tensor([[[[0, 255]]]], dtype=torch.uint8)).flatten().tolist() == [-1, 1]
    assert data.to_pixels(torch.tensor([-7.0, 7.0])).tolist() == [0, 255]


@pytest.mark.parametrize(
    ("pixels", "error", "says"),
    [
        (torch.zeros(2, 1, 4, 4), TypeError, "Expected uint8 pixels .* got torch.float32"),
        (torch.zeros(2, 4, 4, dtype=torch.uint8), ValueError, r"N×C×H×W .* got \(2, 4, 4\)"),
        (torch.zeros(2, 2, 4, 4, dtype=torch.uint8), ValueError, r"C 1 or 3, got \(2, 2, 4, 4\)"),
        (torch.zeros(0, 1, 4, 4, dtype=torch.uint8), ValueError, r"N, H and W at least 1 .* got \(0, 1, 4, 4\)"),
    ],
)
def test_wrong_pixels_are_refused_at_the_door(pixels, error, says):
    with pytest.raises(error, match=says):
        data.to_floats(pixels)
    with pytest.raises(error, match=says):
        data.Images(pixels, torch.zeros(len(pixels)), ())


@pytest.mark.parametrize("make", [lambda p: data.Faces(p, {}), lambda p: data.Images(p, torch.zeros(2), ()), data.to_floats])
def test_what_is_no_tensor_is_told_how_to_become_one(make):
    with pytest.raises(TypeError, match=r"Expected a tensor of uint8 pixels .* got a numpy.ndarray; torch.as_tensor\(pixels\)"):
        make(torch.zeros(2, 1, 4, 4, dtype=torch.uint8).numpy())


def test_sets_are_equal_where_they_are_the_same():
    pixels = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    for make in (lambda: data.Faces(pixels, {"hair": ["long", "short"]}), lambda: data.Images(pixels, torch.zeros(2), ())):
        one, other = make(), make()
        assert one in [one] and one != other and len({one, other, one}) == 2


def test_other_wrong_input_is_refused():
    pixels = torch.zeros(3, 1, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"3 images but labels of shape \(2,\)"):
        data.Images(pixels, torch.zeros(2), ())
    with pytest.raises(ValueError, match="at least one image, not 0"):
        data.Images(pixels, torch.zeros(3), ()).draw(0)
    with pytest.raises(TypeError, match="float images"):
        data.to_pixels(pixels)
    with pytest.raises(ValueError, match="no split 'validation': choose 'train' or 'test'"):
        data.mnist("validation")


def test_unpacks_once_and_leaves_nothing_else(own_bundle):
    data.mnist("test")
    names = sorted(path.name for path in (own_bundle / "MNIST/raw").iterdir())
    assert names == sorted(f"{part}-ubyte{end}" for part in data.MNIST_PARTS for end in ("", ".gz"))
    before = (own_bundle / RAW).stat().st_mtime_ns
    data.mnist("train")
    assert (own_bundle / RAW).stat().st_mtime_ns == before


def test_damaged_unpacked_file_is_unpacked_again(own_bundle):
    data.mnist("test")
    (own_bundle / RAW).write_bytes(b"damaged")
    assert len(data.mnist("train")) == 60_000


def test_a_file_that_changes_while_python_runs_is_noticed(own_bundle):
    data.mnist("test")
    path = own_bundle / f"{RAW}.gz"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)  # as long as it was
    with pytest.raises(ValueError, match="train-images-idx3-ubyte.gz is damaged"):
        data.mnist("test")


def test_files_are_hashed_once_a_process(own_bundle, monkeypatch):
    data.mnist("test")
    data.mnist("test")  # what was unpacked is looked at here for the first time
    hashed = []
    monkeypatch.setattr(bundle.hashlib, "sha256", hashed.append)
    data.mnist("train")
    assert hashed == []


@pytest.mark.parametrize("damage", [b"", b"no gzip at all", "truncated", "one bit"])
def test_damaged_bundle_is_named_with_the_way_out(own_bundle, damage):
    path = own_bundle / f"{RAW}.gz"
    content = bytearray(path.read_bytes())
    if damage == "one bit":
        content[5000] ^= 1
    path.write_bytes(content[:9000] if damage == "truncated" else content if damage == "one bit" else damage)
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte.gz is damaged .* `git checkout -- data/MNIST/raw/train-im"):
        data.mnist()
    assert not (own_bundle / RAW).exists()


def test_missing_bundle_is_named_with_the_way_out(own_bundle):
    (own_bundle / f"{RAW}.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"train-images-idx3-ubyte.gz is missing. Restore it with `git checkout"):
        data.mnist()
    (own_bundle / "SHA256SUMS").unlink()
    with pytest.raises(FileNotFoundError, match="SHA256SUMS is missing: GAN Lessons runs from a clone"):
        data.mnist()


def test_read_only_checkout_unpacks_into_the_cache(read_only, own_bundle, unprivileged):
    assert len(data.mnist("test")) == 10_000
    unpacked = own_bundle.parent.parent / "cache/gan_lessons" / RAW
    assert gzip.decompress((own_bundle / f"{RAW}.gz").read_bytes()) == unpacked.read_bytes()
    assert not (own_bundle / RAW).exists()


@pytest.mark.slow
def test_no_network_is_said_plainly(tmp_path, monkeypatch):
    def refuse(*arguments, **keywords):
        raise socket.gaierror("no network in this test")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(ConnectionError, match=r"FashionMNIST is not on this machine .* Run this once with a network"):
        data.torchvision_images(torchvision.datasets.FashionMNIST)


def test_only_a_download_that_failed_is_called_so(monkeypatch):
    class Downloaded:
        classes, targets, data = ["cat"], [0], torch.zeros(1, 4, 4, dtype=torch.uint8)

        def __init__(self, root, train, download):
            pass

    def full(*arguments):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(data, "_images", full)
    with pytest.raises(RuntimeError, match="^CUDA out of memory$"):
        data.torchvision_images(Downloaded)


def test_downloaded_colour_images_get_their_channels_first(tmp_path, monkeypatch):
    class LikeCIFAR10:
        classes = ["cat", "dog"]
        targets = [0, 1]
        data = torch.arange(2 * 4 * 5 * 3, dtype=torch.uint8).reshape(2, 4, 5, 3).numpy()

        def __init__(self, root, train, download):
            pass

    images = data.torchvision_images(LikeCIFAR10)
    assert images.pixels.shape == (2, 3, 4, 5) and images.classes == ("cat", "dog")
    assert images.pixels[1, 2, 3, 4] == LikeCIFAR10.data[1, 3, 4, 2]


@pytest.mark.slow
def test_two_notebooks_unpacking_at_once(own_bundle):
    code = (
        "import sys, pathlib; from gan_lessons import bundle, data; bundle.FOLDER = pathlib.Path(sys.argv[1]); "
        "print(len(data.mnist()), int(data.mnist().pixels.sum()))"
    )
    command = [sys.executable, "-c", code, str(own_bundle)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)]
    assert [run.communicate()[0].split()[0] for run in runs] == ["60000", "60000"]
