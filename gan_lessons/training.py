"""The training game: the two updates, the loop that alternates them and its checkpoints."""

import json
import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gan_lessons import models, runtime
from gan_lessons.history import History, Record
from gan_lessons.losses import Losses, non_saturating

CHECKPOINT_FORMAT = "gan_lessons game 1"


class Diverged(ArithmeticError):
    """A loss became NaN or infinite; the message says at which turn and what to try."""


class CheckpointError(ValueError):
    """A file is no checkpoint, is damaged, or belongs to another game; nothing was loaded from it."""


# ---------------------------------------------------------------------------------- the two updates


def update_discriminator(
    discriminator: nn.Module, optimizer: torch.optim.Optimizer, real: Tensor, fake: Tensor, losses: Losses
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of D on a real and a fake batch of equal shape; G is left alone.

    Returns the loss and the logits of both batches, all from before the step.
    Raises Diverged, with nothing changed, where the loss is not finite.
    """
    real_logits = discriminator(real)
    fake_logits = discriminator(fake.detach())  # the gradient stops here: G is not to learn from this
    loss = losses.discriminator(real_logits, fake_logits)
    _descend(optimizer, loss, "discriminator")
    return loss, real_logits, fake_logits


def update_generator(discriminator: nn.Module, optimizer: torch.optim.Optimizer, fake: Tensor, losses: Losses) -> Tensor:
    """One step of G, through D, on a fake batch that still hangs on G's graph; D is left alone.

    Returns the loss from before the step. Raises Diverged, with nothing changed, where it is not finite.
    """
    with frozen(discriminator):
        loss = losses.generator(discriminator(fake))
    _descend(optimizer, loss, "generator")
    return loss


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Gradients flow through the network inside this block, but none is kept for its parameters."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor, player: str) -> None:
    if not math.isfinite(loss.item()):
        raise Diverged(f"The {player}'s loss became {loss.item()}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# ---------------------------------------------------------------------------------------- the game


class Game:
    """Two networks, their optimizers, a weight average of G, the history, and a random stream of their own.

    `average` is an exponential moving average of G's weights; `turns` is how many turns have been played.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        latent_size: int = 100,
        batch_size: int = 64,
        generator_lr: float = 2e-3,
        discriminator_lr: float = 4e-4,
        betas: tuple[float, float] = (0.0, 0.999),
        losses: Losses = non_saturating,
        average_decay: float = 0.995,
        seed: int = 0,
    ):
        if batch_size < 2:
            raise ValueError(f"batch_size is {batch_size}; batch normalisation needs at least 2 images to compare.")
        self.generator = generator.to(runtime.device())
        self.discriminator = discriminator.to(runtime.device())
        self.generator_optimizer = torch.optim.Adam(generator.parameters(), generator_lr, betas, fused=True)
        self.discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), discriminator_lr, betas, fused=True)
        self.average = AveragedModel(self.generator, multi_avg_fn=get_ema_multi_avg_fn(average_decay), use_buffers=True).eval()
        self.losses = losses
        self.settings = {"latent_size": latent_size, "batch_size": batch_size, "average_decay": average_decay}
        self.random = runtime.RandomStream(seed)
        self.history = History()
        self.turns = 0

    def play(self, draw: Callable[[int], Tensor], until: int) -> Iterator[int]:
        """Play turns until `until` have been played in all; gives each turn's number, counted from 1.

        `draw(n)` gives n real images, of the generator's shape and range. An interrupt (the kernel's stop
        button, Ctrl-C) waits until the turn and the caller's loop body are done, and raises KeyboardInterrupt;
        playing on from there gives, on a CPU, bit for bit what an uninterrupted run gives.
        Raises Diverged for a loss that is not finite, ValueError for real images of the wrong shape or type.
        """
        while self.turns < until:
            with interrupts_held_back() as interrupts:
                self._turn(draw)
            yield self.turns
            if interrupts:
                raise KeyboardInterrupt

    def _turn(self, draw: Callable[[int], Tensor]) -> None:
        self.generator.train(), self.discriminator.train()
        try:
            with self.random:
                real = draw(self.settings["batch_size"])
                fake = self.generator(self.noise(self.settings["batch_size"]))
                _check_real(real, fake)
                discriminator_loss, real_logits, fake_logits = update_discriminator(
                    self.discriminator, self.discriminator_optimizer, real, fake, self.losses
                )
                generator_loss = update_generator(self.discriminator, self.generator_optimizer, fake, self.losses)
        except Diverged as error:
            raise Diverged(
                f"{error} at turn {self.turns + 1}. The history and the weight average hold the {self.turns} turns "
                "before it. Make the networks and the game anew with lower learning rates, or load a checkpoint; "
                "and see that the real images lie in [-1, 1]."
            ) from None
        self.average.update_parameters(self.generator)
        probabilities = (logits.detach().sigmoid().mean().item() for logits in (real_logits, fake_logits))
        self.history.append(Record(self.turns + 1, *probabilities, generator_loss.item(), discriminator_loss.item()))
        self.turns += 1

    def noise(self, n: int) -> Tensor:
        """n latent vectors from the standard normal distribution: n×latent_size, on the device."""
        return torch.randn(n, self.settings["latent_size"], device=runtime.device())

    def samples(self, z: Tensor) -> Tensor:
        """The weight average's images for z of shape N×latent_size: float N×C×H×W in [-1, 1]."""
        return models.run(self.average.module, z)

    # -------------------------------------------------------------------------------- checkpoints

    def save(self, path: str | Path) -> None:
        """Write a checkpoint (safetensors, with JSON in its header), whole or not at all."""
        with interrupts_held_back() as interrupts:
            tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in self._tensors().items()}
            header = {"format": CHECKPOINT_FORMAT, "game": json.dumps({"turns": self.turns, **self.settings})}
            runtime.write_whole(path, safetensors.torch.save(tensors, header))
        if interrupts:
            raise KeyboardInterrupt

    def load(self, path: str | Path) -> None:
        """Continue where the checkpoint was written: networks, optimizers, average, random state, history.

        Raises FileNotFoundError, or CheckpointError for a file that is damaged, no checkpoint, or of a game
        with other networks or settings; the game is then as it was.
        """
        tensors, about = _read_checkpoint(path)
        turns = about.pop("turns")
        if about != self.settings:
            raise CheckpointError(f"{path} was written by a game with {about}, but this game has {self.settings}.")
        self._check_fit(path, tensors)
        with interrupts_held_back() as interrupts:
            for name, network in self._networks().items():
                network.load_state_dict(_below(name, tensors))
            for name, optimizer in self._optimizers().items():
                _load_optimizer(optimizer, _below(name, tensors))
            self.random.load_state(_below("random", tensors))
            self.history[:] = [Record(int(row[0]), *row[1:]) for row in tensors["history"].tolist()]
            self.turns = turns
        if interrupts:
            raise KeyboardInterrupt

    def _networks(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator, "average": self.average}

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"generator_optimizer": self.generator_optimizer, "discriminator_optimizer": self.discriminator_optimizer}

    def _tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint holds but the settings, by name; the names' first parts are those of attributes."""
        tensors = {"history": torch.tensor(self.history, dtype=torch.float64).reshape(-1, len(Record._fields))}
        for name, network in self._networks().items():
            tensors |= {f"{name}.{key}": tensor for key, tensor in network.state_dict().items()}
        for name, optimizer in self._optimizers().items():
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"{name}.{index}.{key}": tensor for key, tensor in state.items()}
        return tensors | {f"random.{kind}": state for kind, state in self.random.state().items()}

    def _check_fit(self, path: str | Path, tensors: dict[str, Tensor]) -> None:
        """Networks must match by name and shape before anything is loaded."""
        for name, network in self._networks().items():
            wanted = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
            found = {key: tuple(tensor.shape) for key, tensor in _below(name, tensors).items()}
            for key in sorted(wanted.keys() | found.keys()):
                if wanted.get(key) != found.get(key):
                    raise CheckpointError(
                        f"{path} does not fit this game: {name}.{key} has shape {found.get(key)} in the file and "
                        f"{wanted.get(key)} here. Build the networks as they were when it was written."
                    )


def _check_real(real: Tensor, fake: Tensor) -> None:
    if real.shape != fake.shape or real.dtype != fake.dtype:
        raise ValueError(
            f"draw gave real images of shape {tuple(real.shape)} and {real.dtype}, but the generator makes "
            f"{tuple(fake.shape)} and {fake.dtype}: the discriminator must see both alike."
        )


@contextmanager
def interrupts_held_back() -> Iterator[list[int]]:
    """Collect interrupts (SIGINT) while the block runs, so that what it changes is changed as a whole.

    Only the main thread receives signals; elsewhere this does nothing.
    """
    interrupts: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    outer = signal.signal(signal.SIGINT, lambda number, frame: interrupts.append(number))
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, outer)


def _read_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != CHECKPOINT_FORMAT:
                raise CheckpointError(f"{path} holds tensors, but is no checkpoint that Game.save wrote.")
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(header["game"])  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise CheckpointError(
            f"{path} is no checkpoint that Game.save wrote, or is damaged ({error}). Pickled files (.pt, .pth, .pkl) "
            "are not read, since unpickling runs whatever code they hold."
        ) from None


def _below(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".")
        states.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, state in optimizer.state.items():
        for key, tensor in state.items():
            if tensor.shape == parameter.shape:
                # The fused step walks through memory: a state must lie there in its parameter's order.
                state[key] = torch.empty_like(parameter, dtype=tensor.dtype, requires_grad=False).copy_(tensor)
