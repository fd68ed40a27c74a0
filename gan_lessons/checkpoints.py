"""A game's checkpoint file: safetensors, with JSON in its header, checked as a whole before anybody gets to see a part."""

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from gan_lessons import runtime

FORMAT = "gan_lessons game 3"
ANOTHER = "Build the networks and the game as they were when it was written; or delete the file to begin anew."


class CheckpointError(ValueError):
    """A file is no checkpoint, is damaged, or belongs to another game; nothing was loaded from it."""


def write(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write tensors, and what is to be said about them, whole or not at all. Raises OSError where that cannot be done."""
    tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    game = json.dumps(about)
    header = {"format": FORMAT, "game": game, "sha256": _digest(game, tensors)}
    runtime.write_whole(path, safetensors.torch.save(tensors, header))


def history(path: Path) -> list[list[float]]:
    """The rows of the game's history. Raises FileNotFoundError, or CheckpointError for a file that is no checkpoint."""
    return _opened(path, ["history"])[2]["history"].tolist()


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors, of which none is mapped to the file any more, and what is said about them.

    Raises FileNotFoundError, or CheckpointError for a file that is damaged, no checkpoint, or of another format.
    """
    header, said, tensors = _opened(path)
    if header.get("sha256") != _digest(header["game"], tensors):
        raise CheckpointError(f"{path} is damaged: it is not what was saved. Delete it, or take a copy.")
    return tensors, said


def _opened(path: Path, names: list[str] | None = None) -> tuple[dict[str, str], dict[str, Any], dict[str, Tensor]]:
    """The header, what it says of the game, and the tensors of these names, or all."""
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder. Name the checkpoint's file in it.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            said = _game(path, header)
            # Copies: Windows cannot replace a file that is mapped into memory.
            tensors = {name: file.get_tensor(name).clone() for name in names or file.keys()}
    except safetensors.SafetensorError as error:
        raise CheckpointError(
            f"{path} is no checkpoint that Game.save wrote, or is damaged ({error}). Pickled files (.pt, .pth, .pkl) "
            "are not read, since unpickling runs whatever code they hold."
        ) from None
    return header, said, tensors


def _game(path: Path, header: dict[str, str]) -> dict[str, Any]:
    found = header.get("format", "")
    if not found.startswith(FORMAT.rstrip("0123456789")):
        raise CheckpointError(f"{path} holds tensors, but is no checkpoint that Game.save wrote.")
    if found != FORMAT:
        raise CheckpointError(
            f"{path} is a checkpoint of the format {found!r}, written by another version of this package, which reads "
            f"{FORMAT!r}. Use that version; or delete the file to begin anew."
        )
    try:
        said = json.loads(header["game"])
        if not isinstance(said["turns"], int) or not {"seconds", "settings", "rates"} <= said.keys():
            raise TypeError(f"turns is {said['turns']!r}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged: its header cannot be read ({error}). Delete it, or take a copy.") from None
    return said


def check_settings(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raises CheckpointError where the file's game had other settings, and names both values of each that differs."""
    differ = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    if differ:
        words = (f"{name} is {found.get(name)} in the file and {wanted.get(name)} here" for name in differ)
        raise CheckpointError(f"{path} is of another game: {'; '.join(words)}. {ANOTHER}")


def check_shapes(path: Path, found: dict[str, Tensor], wanted: dict[str, tuple[int, ...]]) -> None:
    """Raises CheckpointError where a tensor is missing, is one too many or has another shape."""
    shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
    for name in [*wanted, *(shapes.keys() - wanted.keys())]:
        if wanted.get(name) != shapes.get(name):
            raise CheckpointError(
                f"{path} does not fit this game: {name} has shape {shapes.get(name)} in the file and "
                f"{wanted.get(name)} here. {ANOTHER}"
            )


def below(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with `name` and a dot, without that."""
    return {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def _digest(game: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(game.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
