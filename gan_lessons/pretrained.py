"""The long run of lesson 08, bundled: the generator at its milestones, the discriminator it ended with, and cards.

A card tells how a milestone was made and how it scores; tools/pretrain_faces.py writes both.
"""

from pathlib import PurePosixPath

from torch import nn

from gan_lessons import bundle, models

LATENT_SIZE, IMAGE_SHAPE = 100, (3, 64, 64)


def new_face_generator() -> nn.Sequential:
    """The generator of the run before its first turn: z of shape N×100 to faces N×3×64×64 in [-1, 1]."""
    return models.conv_generator(LATENT_SIZE, IMAGE_SHAPE, 24)


def new_face_discriminator() -> nn.Sequential:
    """The discriminator of the run before its first turn: faces N×3×64×64 in [-1, 1] to N logits."""
    return models.spectral_discriminator(IMAGE_SHAPE, 16)


def face_milestones() -> list[int]:
    """The numbers of turns after which the run was kept, in order."""
    names = (PurePosixPath(name) for name in bundle.checksums())  # so that a missing file is missed
    return sorted(int(name.stem) for name in names if name.parent.name == "pretrained_faces" and name.suffix == ".json")


def face_generator(turns: int | None = None) -> nn.Sequential:
    """The run's generator (weight average) after so many turns, by default the last: ready on the device, in eval mode.

    Raises ValueError where the run has no such milestone; FileNotFoundError or ValueError for a missing or damaged file.
    """
    return bundle.weights(new_face_generator(), f"pretrained_faces/{_milestone(turns)}.safetensors")


def face_discriminator() -> nn.Sequential:
    """The run's discriminator, as it was at the last milestone, on the device, in eval mode. Raises as `face_generator` does."""
    return bundle.weights(new_face_discriminator(), "pretrained_faces/discriminator.safetensors")


def milestone_card(turns: int | None = None) -> dict:
    """How the milestone after so many turns, by default the last, was made, and its scores. Raises as `face_generator` does."""
    return bundle.card(f"pretrained_faces/{_milestone(turns)}.json")


def _milestone(turns: int | None) -> int:
    kept = face_milestones()
    if turns is not None and turns not in kept:
        raise ValueError(f"The run was not kept at turn {turns!r}, only at {', '.join(map(str, kept))}.")
    return kept[-1] if turns is None else turns
