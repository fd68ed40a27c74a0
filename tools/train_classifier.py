"""Train one of the classifiers by which lessons judge images: data/digit_classifier or data/face_classifier.

Writes weights.safetensors and card.json there, which tells how long it took: a few minutes on one CPU core. Shifted
copies of the images make it robust; the test images are used only to be reported. Run tools/checksums.py afterwards.
"""

import argparse
import json
import time
from typing import NamedTuple

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from gan_lessons import bundle, classifiers, data, models, runtime

SEED, BATCH_SIZE, SHIFT = 0, 128, 2


class Task(NamedTuple):
    """What is read from images: `values` of each attribute; pixels, and for each image the index of each value."""

    values: dict[str, list[str]]
    train_pixels: Tensor
    train_labels: Tensor  # N×attributes
    test_pixels: Tensor
    test_labels: Tensor

    def logits(self, classifier: nn.Module, images: Tensor) -> tuple[Tensor, ...]:
        return classifier(images).split([len(values) for values in self.values.values()], dim=1)


def digits() -> Task:
    train, test = data.mnist(), data.mnist("test")
    return Task(
        {"digit": [str(digit) for digit in range(10)]},
        train.pixels, train.labels[:, None], test.pixels, test.labels[:, None],
    )  # fmt: skip


def faces() -> Task:
    train, test = data.faces(), data.faces("test")
    values = {name: sorted(set(words)) for name, words in train.attributes.items()}

    def labels(faces: data.Faces) -> Tensor:
        columns = [[values[name].index(word) for word in words] for name, words in faces.attributes.items()]
        return torch.tensor(columns, device=runtime.device()).T

    return Task(values, train.pixels, labels(train), test.pixels, labels(test))


def shifted(images: Tensor) -> Tensor:
    """The batch moved by up to SHIFT pixels in each direction; what comes in from outside repeats the edge."""
    down, right = torch.randint(0, 2 * SHIFT + 1, (2,)).tolist()
    height, width = images.shape[2:]
    return pad(images, [SHIFT] * 4, mode="replicate")[..., down : down + height, right : right + width]


def train(classifier: nn.Module, task: Task, epochs: int, highest_lr: float, smoothing: float) -> None:
    per_epoch = len(task.train_pixels) // BATCH_SIZE
    optimizer = torch.optim.AdamW(classifier.parameters(), highest_lr, weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, highest_lr, epochs * per_epoch)
    for epoch in range(epochs):
        for batch in torch.randperm(len(task.train_pixels), device=runtime.device()).split(BATCH_SIZE)[:per_epoch]:
            images = shifted(data.to_floats(task.train_pixels[batch])).contiguous(memory_format=torch.channels_last)
            answers = zip(task.logits(classifier, images), task.train_labels[batch].unbind(dim=1))
            parts = [cross_entropy(logits, labels, label_smoothing=smoothing) for logits, labels in answers]
            loss = torch.stack(parts).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {epochs}: loss of the last batch {loss.item():.4f}", flush=True)


@torch.no_grad()
def accuracies(classifier: nn.Module, task: Task) -> dict[str, float]:
    """For each attribute the share of the test images that are read rightly."""
    answers = [task.logits(classifier, data.to_floats(part)) for part in task.test_pixels.split(100)]
    found = {}
    for name, logits, labels in zip(task.values, zip(*answers), task.test_labels.unbind(dim=1)):
        found[name] = round((torch.cat(logits).argmax(dim=1) == labels).float().mean().item(), 4)
    return found


ABOUT = {
    "digits": {
        "what": "A classifier of handwritten digits; lessons judge generated digits by its 64 features and its 10 probabilities.",
        "architecture": "gan_lessons.classifiers.digit_classifier",
        "data": "MNIST, 60 000 training images, shifted by up to two pixels",
    },
    "faces": {
        "what": "A classifier of the cartoon faces' attributes; lessons judge generated faces by its 128 features and its answers.",
        "architecture": "gan_lessons.classifiers.face_classifier",
        "data": "the 9 000 cartoon faces for training, shifted by up to two pixels",
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", choices=ABOUT)
    images = parser.parse_args().images
    runtime.seed_everything(SEED)
    started = time.monotonic()
    if images == "digits":
        classifier, task, epochs, highest_lr, smoothing = classifiers.digit_classifier(), digits(), 6, 4e-3, 0.0
    else:
        # Smoothed labels keep it from being surer than sure, which would tear its features apart.
        task, epochs, highest_lr, smoothing = faces(), 12, 2e-3, 0.1
        classifier = classifiers.face_classifier(sum(map(len, task.values.values())))
    # 16-bit products are twice as fast on processors that have them.
    train(models.Bfloat16(classifier.to(runtime.device())), task, epochs, highest_lr, smoothing)
    classifier.eval()
    weights = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in classifier.state_dict().items()}
    # What is reported is what is shipped: the rounded weights.
    classifier.load_state_dict(weights)
    card = {
        **ABOUT[images],
        "test_accuracy": accuracies(classifier, task),
        "values": task.values,
        "command": f"tools/train_classifier.py {images}",
        "seed": SEED, "epochs": epochs, "batch_size": BATCH_SIZE, "highest_lr": highest_lr, "label_smoothing": smoothing,
        "machine": runtime.report(), "seconds": round(time.monotonic() - started),
        "weights": "half precision",
    }  # fmt: skip
    folder = bundle.FOLDER / f"{images.removesuffix('s')}_classifier"
    tensors = {name: tensor.contiguous().cpu() for name, tensor in weights.items()}
    runtime.write_whole(folder / "weights.safetensors", safetensors.torch.save(tensors))
    runtime.write_whole(folder / "card.json", (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode())
    print(f"test accuracy {card['test_accuracy']}, {card['seconds']} s; now run tools/checksums.py")


if __name__ == "__main__":
    main()
