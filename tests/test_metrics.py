"""The measures, held against torchmetrics, prdc and closed forms, and the bundled digit classifier."""

import json
import math

import numpy
import prdc
import pytest
import safetensors.torch
import torch
from scipy.spatial.distance import cdist
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from gan_lessons import bundle, classifiers, data, metrics


class FirstPixels(torch.nn.Module):
    """The "features" of images N×1×1×d are their pixels: so torchmetrics sees exactly the features we give."""

    num_features = 6

    def forward(self, images):
        return images.flatten(1)


def two_sets(n=300, m=400, size=6):
    torch.manual_seed(0)
    mix = torch.randn(size, size)
    return torch.randn(n, size) @ mix, torch.randn(m, size) @ mix * 1.3 + 0.5


def as_images(features):
    return features.reshape(len(features), 1, 1, -1)


# ------------------------------------------------------------------------------------------ Fréchet


def test_frechet_distance_is_that_of_torchmetrics():
    real, fake = two_sets()
    oracle = FrechetInceptionDistance(feature=FirstPixels(), normalize=True, input_img_size=(1, 1, 6)).set_dtype(torch.float64)
    oracle.update(as_images(real), real=True)
    oracle.update(as_images(fake), real=False)
    assert metrics.frechet_distance(real, fake) == pytest.approx(oracle.compute().item(), rel=1e-5)


def test_frechet_distance_in_one_dimension_is_that_of_the_closed_form():
    real, fake = torch.randn(50, 1), 2 + 3 * torch.randn(60, 1)
    closed_form = (real.mean() - fake.mean()) ** 2 + (real.std() - fake.std()) ** 2
    assert metrics.frechet_distance(real, fake) == pytest.approx(closed_form.item(), rel=1e-5)


def test_frechet_distance_of_a_set_to_itself_is_zero_and_does_not_know_which_is_real():
    real, fake = two_sets()
    assert metrics.frechet_distance(real, real) == pytest.approx(0, abs=1e-6)
    assert metrics.frechet_distance(real, fake) == pytest.approx(metrics.frechet_distance(fake, real), rel=1e-9)


def test_frechet_distance_with_dead_features_and_fewer_images_than_features():
    torch.manual_seed(0)
    real, fake = torch.randn(20, 64), torch.randn(30, 64)
    real[:, :10] = fake[:, :10] = 0
    means, covariances = zip(*((each.double().mean(0), each.double().T.cov()) for each in (real, fake)))
    # The oracle takes the root of a symmetric matrix, which has the trace of the root of the product.
    values, vectors = numpy.linalg.eigh(covariances[0].numpy())
    left = vectors * numpy.sqrt(values.clip(min=0)) @ vectors.T
    squares = numpy.linalg.eigvalsh(left @ covariances[1].numpy() @ left).clip(min=0)
    expected = (means[0] - means[1]).square().sum() + sum(covariances).trace() - 2 * numpy.sqrt(squares).sum()
    assert metrics.frechet_distance(real, fake) == pytest.approx(expected.item(), rel=1e-4)


# ------------------------------------------------------------------------------------------- kernel


def test_kernel_distance_is_that_of_torchmetrics():
    real, fake = two_sets(300, 300)
    oracle = KernelInceptionDistance(feature=FirstPixels(), subsets=1, subset_size=300, normalize=True)
    oracle.update(as_images(real), real=True)
    oracle.update(as_images(fake), real=False)
    mean, _ = oracle.compute()
    assert metrics.kernel_distance(real, fake) == pytest.approx(mean.item(), rel=1e-4)


def test_kernel_distance_in_chunks_is_that_of_all_pairs():
    real, fake = two_sets(1203, 1100)
    kernel = lambda x, y: (x.double() @ y.double().T / 6 + 1) ** 3
    within = lambda k: (k.sum() - k.diagonal().sum()) / (len(k) * (len(k) - 1))
    whole = within(kernel(real, real)) + within(kernel(fake, fake)) - 2 * kernel(real, fake).mean()
    assert metrics.kernel_distance(real, fake) == pytest.approx(whole.item(), rel=1e-5)


def test_kernel_distance_of_one_distribution_is_zero_on_average():
    torch.manual_seed(0)
    distances = torch.tensor([metrics.kernel_distance(torch.randn(50, 4), torch.randn(50, 4)) for _ in range(400)])
    assert abs(distances.mean()) < 4 * distances.std() / 20
    assert distances.min() < 0 < distances.max()


# --------------------------------------------------------------------------------- precision, recall


@pytest.mark.parametrize("neighbours", [1, 3, 5])
def test_precision_and_recall_are_those_of_prdc(neighbours, capsys):
    real, fake = two_sets(1100, 1300)
    oracle = prdc.compute_prdc(real.numpy(), fake.numpy(), nearest_k=neighbours)
    precision, recall = metrics.precision_recall(real, fake, neighbours)
    assert precision == pytest.approx(oracle["precision"], abs=2e-3)
    assert recall == pytest.approx(oracle["recall"], abs=2e-3)


def test_precision_and_recall_take_apart_what_is_missing_and_what_is_wrong():
    torch.manual_seed(0)
    left, right, nowhere = torch.randn(500, 2), torch.randn(500, 2) + 100, torch.randn(500, 2) - 100
    both = torch.cat([left, right])
    precision, recall = metrics.precision_recall(both, left + 0.01)
    assert precision > 0.95 and 0.45 < recall < 0.55  # half of the data is never drawn
    precision, recall = metrics.precision_recall(left, torch.cat([left + 0.01, nowhere]))
    assert 0.45 < precision < 0.55 and recall > 0.95  # half of the samples are nonsense


@pytest.mark.parametrize("measure", [metrics.frechet_distance, metrics.kernel_distance, metrics.precision_recall])
def test_bad_features_are_refused_by_name(measure):
    good = torch.randn(10, 3)
    with pytest.raises(ValueError, match=r"\(10, 3\) and \(10, 4\)"):
        measure(good, torch.randn(10, 4))
    with pytest.raises(ValueError, match="flatten"):
        measure(good, torch.randn(10, 1, 3))
    with pytest.raises(ValueError, match="1 fake rows"):
        measure(good, torch.randn(1, 3))
    with pytest.raises(ValueError, match="fake features hold NaN"):
        measure(good, good * float("nan"))


# ------------------------------------------------------------------------------------------ coverage


def test_class_shares_and_the_effective_number_of_classes():
    shares = metrics.class_shares(torch.tensor([0, 0, 1, 3]), classes=4)
    assert shares.tolist() == [0.5, 0.25, 0, 0.25]
    assert metrics.effective_classes(shares) == pytest.approx(2**1.5)  # entropy 1.5 bits
    assert metrics.effective_classes(torch.full((10,), 0.1)) == pytest.approx(10)
    assert metrics.effective_classes(torch.tensor([0.0, 1.0])) == pytest.approx(1)


def test_bad_labels_and_shares_are_refused():
    for labels in (torch.tensor([0, 10]), torch.tensor([-1]), torch.tensor([0.5]), torch.tensor([], dtype=torch.int64)):
        with pytest.raises(ValueError, match="whole numbers from 0 to 9"):
            metrics.class_shares(labels)
    with pytest.raises(ValueError, match="they add up to 2"):
        metrics.effective_classes(torch.tensor([1.0, 1.0]))


# -------------------------------------------------------------------------------- nearest neighbours


def test_nearest_neighbours_in_chunks_are_those_that_scipy_finds(monkeypatch):
    pixels = torch.randint(0, 256, (1400, 3, 64, 64), dtype=torch.uint8)
    images = torch.rand(20, 3, 64, 64) * 2 - 1
    for image, index in enumerate((7, 700, 1399)):  # early, in the middle and last
        images[image] = pixels[index] / 127.5 - 1
    chunks, to_floats = [], data.to_floats
    monkeypatch.setattr(data, "to_floats", lambda part: chunks.append(len(part)) or to_floats(part))
    distances, indices = metrics.nearest_neighbours(images, pixels)
    assert len(chunks) > 2 and sum(chunks) == 1400, "one chunk alone cannot tell whether chunks are put together rightly"
    every = cdist(images.flatten(1), pixels.flatten(1) / 127.5 - 1) / math.sqrt(3 * 64 * 64)
    assert indices.tolist() == every.argmin(axis=1).tolist() and indices[:3].tolist() == [7, 700, 1399]
    assert numpy.allclose(distances, every.min(axis=1), atol=2e-3)


def test_neighbours_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        metrics.nearest_neighbours(torch.zeros(2, 1, 4, 4), torch.zeros(5, 1, 4, 3, dtype=torch.uint8))


# -------------------------------------------------------------------------------------------- digits


def test_the_classifier_is_as_good_as_its_card_says():
    test = data.mnist("test")
    reading = classifiers.read_digits(data.to_floats(test.pixels))
    accuracy = (reading.probabilities.argmax(dim=1) == test.labels).float().mean().item()
    card = json.loads((bundle.FOLDER / "digit_classifier/card.json").read_text())
    assert accuracy == pytest.approx(card["test_accuracy"]["digit"], abs=3e-4) and accuracy >= 0.99
    assert reading.features.shape == (10_000, 64)
    assert (bundle.FOLDER / "digit_classifier/weights.safetensors").stat().st_size < 1_000_000


def test_scores_know_digits_from_noise_and_one_class_from_ten():
    train = data.mnist()
    real = metrics.score_digits(data.to_floats(train.pixels[:2000]))
    assert real.frechet < 3 and real.precision > 0.8 and real.recall > 0.8
    assert real.effective_classes > 9.9 and real.sure > 0.95
    sevens = metrics.score_digits(data.to_floats(train.pixels[train.labels == 7][:2000]))
    assert sevens.precision > 0.8 and sevens.recall < 0.3 and sevens.effective_classes < 1.2
    assert sevens.frechet > 20 * real.frechet and sevens.kernel > 10 * real.kernel
    noise = metrics.score_digits(torch.rand(2000, 1, 28, 28) * 2 - 1)
    assert noise.precision < 0.05 and noise.frechet > 20 * real.frechet


def test_scores_of_digits_are_those_of_a_table_by_hand(monkeypatch):
    """Of ten images the classifier is sure of two: at least 95 %, not more than half."""
    surest = torch.tensor([0.99, 0.96, 0.94, 0.9, 0.8, 0.7, 0.6, 0.55, 0.51, 0.4])
    probabilities = torch.zeros(10, 10)
    for image, probability in enumerate(surest):
        probabilities[image] = (1 - probability) / 9
        probabilities[image, image // 5] = probability  # five zeros and five ones
    real, fake = two_sets(20, 10)
    monkeypatch.setattr(metrics, "read_digits", lambda images: classifiers.DigitReading(fake, probabilities))
    monkeypatch.setattr(metrics, "_test_features", lambda: real)
    scores = metrics.score_digits(torch.zeros(10, 1, 28, 28))
    assert scores.sure == pytest.approx(0.2) and scores.effective_classes == pytest.approx(2)
    oracle = prdc.compute_prdc(real.numpy(), fake.numpy(), nearest_k=3)
    assert (scores.precision, scores.recall) == pytest.approx((oracle["precision"], oracle["recall"]))
    assert scores.precision != scores.recall
    assert str(scores).endswith("2.0 classes, 20% sure")


def test_what_is_no_digit_is_refused():
    with pytest.raises(ValueError, match=r"N×1×28×28, not \(5, 1, 32, 32\)"):
        classifiers.read_digits(torch.zeros(5, 1, 32, 32))
    with pytest.raises(ValueError, match="largest at 255"):
        classifiers.read_digits(torch.full((5, 1, 28, 28), 255.0))


# ------------------------------------------------------------------------------------------- faces


def test_the_face_classifier_is_as_good_as_its_card_says():
    test = data.faces("test")
    reading = classifiers.read_faces(data.to_floats(test.pixels))
    assert reading.features.shape == (1000, 128) and list(reading.attributes) == list(test.attributes)
    for name, accuracy in classifiers.face_accuracies().items():
        right = sum(found == true for found, true in zip(reading.attributes[name], test.attributes[name])) / len(test)
        assert right == pytest.approx(accuracy, abs=3e-3) and accuracy > 0.95, name
    assert (bundle.FOLDER / "face_classifier/weights.safetensors").stat().st_size < 1_500_000


def test_face_scores_know_faces_from_noise_and_one_kind_from_all():
    train = data.faces()
    real = metrics.score_faces(data.to_floats(train.pixels[:1000]))
    assert real.precision > 0.85 and real.recall > 0.85
    bald = [index for index, length in enumerate(train.attributes["hair_length"]) if length == "bald"]
    one_kind = metrics.score_faces(data.to_floats(train.pixels[bald]))
    assert one_kind.precision > 0.85 and one_kind.recall < 0.3 and one_kind.frechet > 5 * real.frechet
    noise = metrics.score_faces(torch.rand(1000, 3, 64, 64) * 2 - 1)
    assert noise.precision < 0.05 and noise.frechet > 20 * real.frechet and noise.kernel > 20 * real.kernel


def test_what_is_no_face_is_refused():
    with pytest.raises(ValueError, match=r"reads faces of shape N×3×64×64, not \(5, 3, 32, 32\)"):
        classifiers.read_faces(torch.zeros(5, 3, 32, 32))
    with pytest.raises(ValueError, match="largest at 255"):
        classifiers.read_faces(torch.full((5, 3, 64, 64), 255.0))


def test_a_damaged_classifier_is_named(tmp_path, monkeypatch):
    (tmp_path / "data/digit_classifier").mkdir(parents=True)
    monkeypatch.setattr(bundle, "FOLDER", tmp_path / "data")
    (tmp_path / "data/SHA256SUMS").write_text("0" * 64 + "  digit_classifier/weights.safetensors\n")
    with pytest.raises(FileNotFoundError, match="weights.safetensors is missing"):
        bundle.path("digit_classifier/weights.safetensors")
    weights = safetensors.torch.save({"a": torch.from_numpy(numpy.zeros(1))})
    (tmp_path / "data/digit_classifier/weights.safetensors").write_bytes(weights)
    with pytest.raises(ValueError, match="is damaged"):
        bundle.path("digit_classifier/weights.safetensors")
