"""The two bundled classifiers, which read generated images: one of digits, one of the cartoon faces."""

import functools
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_lessons import bundle, models

# ---------------------------------------------------------------------------------------------- networks


def digit_classifier() -> nn.Sequential:
    """A small convolutional classifier of digits, images N×1×28×28 in [-1, 1] to 10 logits.

    Its last layer but one gives 64 features; `read_digits` gives both.
    """
    return _classifier((1, 28, 28), (32, 64, 64), 64, 10)


def face_classifier(outputs: int) -> nn.Sequential:
    """A small convolutional classifier of faces, images N×3×64×64 in [-1, 1] to logits, those of all attributes in a row.

    Its last layer but one gives 128 features; `read_faces` gives both.
    """
    return _classifier((3, 64, 64), (32, 64, 64, 128), 128, outputs)


def _classifier(image_shape: tuple[int, int, int], widths: tuple[int, ...], features: int, outputs: int) -> nn.Sequential:
    """Convolutions that keep the size, each followed by a halving, then two dense layers."""
    channels, _, size = image_shape
    layers: list[nn.Module] = []
    for inputs, width in zip((channels, *widths), widths):
        layers += [nn.Conv2d(inputs, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)]
        size //= 2
    layers += [nn.Flatten(), nn.Linear(widths[-1] * size**2, features), nn.ReLU(), nn.Linear(features, outputs)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


# ---------------------------------------------------------------------------------------------- readings


class DigitReading(NamedTuple):
    """What the classifier sees in N images: `features` N×64, and `probabilities` N×10 of the ten digits."""

    features: Tensor
    probabilities: Tensor


def read_digits(images: Tensor) -> DigitReading:
    """Read digits (float N×1×28×28 in [-1, 1]) with the bundled classifier (data/digit_classifier/card.json).

    Raises ValueError for images of another shape or outside the range.
    """
    _check_images(images, "digits", (1, 28, 28))
    classifier = _digit_classifier()
    features = models.run(classifier[:-1], images)
    return DigitReading(features, models.run(classifier[-1:], features).softmax(dim=1))


@functools.cache
def _digit_classifier() -> nn.Sequential:
    return bundle.weights(digit_classifier(), "digit_classifier/weights.safetensors")


class FaceReading(NamedTuple):
    """What the classifier sees in N faces: `features` N×128, and for each attribute a list of N values in words."""

    features: Tensor
    attributes: dict[str, list[str]]


def read_faces(images: Tensor) -> FaceReading:
    """Read cartoon faces (float N×3×64×64 in [-1, 1]) with the bundled classifier (data/face_classifier/card.json).

    The attributes and their values are those of `data.faces()`. It answers for any image, faces or not.
    Raises ValueError for images of another shape or outside the range.
    """
    _check_images(images, "faces", (3, 64, 64))
    values, classifier = _face_card()["values"], _face_classifier()
    features = models.run(classifier[:-1], images)
    logits = models.run(classifier[-1:], features).split([len(words) for words in values.values()], dim=1)
    answers = {name: part.argmax(dim=1).tolist() for name, part in zip(values, logits)}
    return FaceReading(features, {name: [values[name][index] for index in answers[name]] for name in values})


def face_accuracies() -> dict[str, float]:
    """For each attribute the share of the test faces that `read_faces` reads rightly, from 0 to 1."""
    return _face_card()["test_accuracy"]


def _check_images(images: Tensor, what: str, shape: tuple[int, int, int]) -> None:
    if images.dim() != 4 or tuple(images.shape[1:]) != shape or len(images) == 0:
        wanted = "×".join(map(str, shape))
        raise ValueError(f"The classifier reads {what} of shape N×{wanted}, not {tuple(images.shape)}.")
    if not images.is_floating_point() or not images.abs().max() <= 1.001:
        raise ValueError(f"Expected floats in [-1, 1], got {images.dtype} with the largest at {images.abs().max().item():g}.")


@functools.cache
def _face_card() -> dict:
    return bundle.card("face_classifier/card.json")


@functools.cache
def _face_classifier() -> nn.Sequential:
    return bundle.weights(face_classifier(sum(map(len, _face_card()["values"].values()))), "face_classifier/weights.safetensors")
