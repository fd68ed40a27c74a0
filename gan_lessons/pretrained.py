"""The long run of lesson 08, bundled: the generator at its milestones, the discriminator it ended with, cards, directions.

A card tells how a milestone was made and how it scores; tools/pretrain_faces.py writes both.
"""

from pathlib import PurePosixPath

import torch
from torch import Tensor, nn

from gan_lessons import bundle, classifiers, latent, models, runtime

LATENT_SIZE, IMAGE_SHAPE = 100, (3, 64, 64)

# For each named direction the attribute that it is to change, and the values of it that it is to bring.
NAMED_ATTRIBUTES = {
    "glasses": ("glasses", ("glasses", "sunglasses")),
    "long hair": ("hair_length", ("long", "medium")),
    "dark hair": ("hair_colour", ("black", "brown", "chestnut")),
    "pink hair": ("hair_colour", ("pink",)),
    "dark skin": ("skin", ("dark", "brown")),
    "closed eyes": ("eyes", ("closed",)),
    "smile": ("mood", ("happy",)),
}


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


def face_directions() -> dict[str, Tensor]:
    """The directions of z for `NAMED_ATTRIBUTES` by their names, unit vectors of 100 numbers on the CPU.

    Each is `latent.linear_direction` between those of 1000 random faces of the last milestone that have one of the values
    and those that have not, as `classifiers.read_faces` sees them. Raises as `face_generator` does.
    """
    z = torch.randn(1000, LATENT_SIZE, generator=torch.Generator().manual_seed(0))
    seen = classifiers.read_faces(models.run(face_generator(), z.to(runtime.device()))).attributes
    return {
        name: latent.linear_direction(z, torch.tensor([value in values for value in seen[attribute]]))
        for name, (attribute, values) in NAMED_ATTRIBUTES.items()
    }


def milestone_card(turns: int | None = None) -> dict:
    """How the milestone after so many turns, by default the last, was made, and its scores. Raises as `face_generator` does."""
    return bundle.card(f"pretrained_faces/{_milestone(turns)}.json")


def _milestone(turns: int | None) -> int:
    kept = face_milestones()
    if turns is not None and turns not in kept:
        raise ValueError(f"The run was not kept at turn {turns!r}, only at {', '.join(map(str, kept))}.")
    return kept[-1] if turns is None else turns
