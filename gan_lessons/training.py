"""The training game: the two updates, the loop that alternates them and its checkpoints."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gan_lessons import checkpoints, game_checks, models, runtime
from gan_lessons.checkpoints import CheckpointError
from gan_lessons.history import History, Record
from gan_lessons.interrupts import InterruptsHeldBack
from gan_lessons.losses import Losses, Penalty, non_saturating


class Diverged(ArithmeticError):
    """A loss became NaN or infinite; the message says at which turn and what to try."""


# ---------------------------------------------------------------------------------- the two updates


def update_discriminator(
    discriminator: nn.Module, optimizer: torch.optim.Optimizer, real: Tensor, fake: Tensor, losses: Losses
) -> tuple[float, float, float]:
    """One step of D on a real and a fake batch of equal shape; G is left alone.

    Returns the loss and the means of D(x) and of D(G(z)), all from before the step. Where the loss is not finite it raises
    Diverged, and where real images are not finite, or images (N×C×H×W) not in [-1, 1], ValueError; no parameter has moved
    then, but D's BatchNorm has seen both batches.
    """
    real_logits = discriminator(real)
    fake_logits = discriminator(fake.detach())  # the gradient stops here: G is not to learn from this
    loss = losses.discriminator(real_logits, fake_logits)
    beliefs = (logits.sigmoid().mean() for logits in (real_logits, fake_logits))
    largest = (images.detach().abs().amax() for images in (real, fake))
    # All in one reading: a GPU stands still at each.
    value, real_p, fake_p, real_size, fake_size = torch.stack([number.detach() for number in (loss, *beliefs, *largest)]).tolist()
    game_checks.check_largest(real_size, fake_size, images=real.dim() == 4)
    _descend(optimizer, loss, value, "discriminator's loss")
    return value, real_p, fake_p


def update_penalty(
    discriminator: nn.Module, optimizer: torch.optim.Optimizer, real: Tensor, fake: Tensor, penalty: Penalty
) -> float:
    """One step of D down its penalty alone, at the weight of all the turns it stands for; G is left alone.

    Returns the penalty from before the step, without the weight. Raises Diverged where it is not finite; no parameter has
    moved then.
    """
    slopes = penalty.slopes(discriminator, real, fake.detach())
    value = slopes.item()
    _descend(optimizer, penalty.weight * penalty.every * slopes, value, "discriminator's penalty")
    return value


def update_generator(
    discriminator: nn.Module, optimizer: torch.optim.Optimizer, fake: Tensor, losses: Losses, real: Tensor | None = None
) -> float:
    """One step of G, through D, on a fake batch that still hangs on G's graph; D is left alone.

    Relative losses, and no others, compare the fakes with the batch `real`. Returns the loss from before the step. Raises
    Diverged where it is not finite; no parameter has moved then.
    """
    with frozen(discriminator):
        logits = [discriminator(images) for images in ((fake, real) if losses.relative else (fake,))]
        loss = losses.generator(*logits)
    value = loss.item()
    _descend(optimizer, loss, value, "generator's loss")
    return value


def gradient_norm(network: nn.Module) -> float:
    """The Euclidean norm of the gradients that lie at the network's parameters, all taken together; 0 where there are none."""
    norms = [parameter.grad.norm() for parameter in network.parameters() if parameter.grad is not None]
    return torch.stack(norms).norm().item() if norms else 0.0


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


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor, value: float, what: str) -> None:
    if not math.isfinite(value):
        raise Diverged(f"The {what} became {value}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# ---------------------------------------------------------------------------------------- the game


class Game:
    """Two networks, their optimizers, a weight average of G, the history, and a random stream of their own.

    `average` is an exponential moving average of G's weights; `turns` is how many turns have been played, in `seconds`.
    `snapshots` are pictures by the turn at which the caller kept them, N×C×H×W each; a checkpoint holds them too.
    Raises TypeError or ValueError for networks and settings with which nothing can be learned.
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
        penalty: Penalty | None = None,
        average_decay: float = 0.995,
        seed: int = 0,
    ):
        game_checks.check_networks(generator, discriminator)
        game_checks.check_settings(latent_size, batch_size, generator_lr, discriminator_lr, betas, losses, penalty, average_decay)
        self.generator = generator.to(runtime.device())
        self.discriminator = discriminator.to(runtime.device())
        self.generator_optimizer = torch.optim.Adam(generator.parameters(), generator_lr, betas, fused=True)
        self.discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), discriminator_lr, betas, fused=True)
        self.average = AveragedModel(self.generator, multi_avg_fn=get_ema_multi_avg_fn(average_decay), use_buffers=True).eval()
        self.latent_size, self.batch_size, self.losses, self.penalty = int(latent_size), int(batch_size), losses, penalty
        self.average_decay = average_decay
        self._made_with = {
            "latent_size": self.latent_size, "batch_size": self.batch_size, "average_decay": average_decay,
            "generator_lr": generator_lr, "discriminator_lr": discriminator_lr, "betas": list(betas),
            "losses": [_name(loss) for loss in losses[:2]],
        }  # fmt: skip
        if penalty is not None:
            self._made_with["penalty"] = [_name(penalty.slopes), *penalty[1:]]
        self.random = runtime.RandomStream(seed)
        self.history = History()
        self.snapshots: dict[int, Tensor] = {}
        self.turns, self.seconds = 0, 0.0

    def play(self, draw: Callable[[int], Tensor], until: int) -> Iterator[int]:
        """Play turns until `until` have been played in all; gives each turn's number, counted from 1.

        `draw(n)` gives n real images, of the generator's shape and range. An interrupt (the kernel's stop
        button, Ctrl-C) waits until the turn and the caller's loop body are done, and raises KeyboardInterrupt;
        playing on from there gives, on a CPU, bit for bit what an uninterrupted run gives. A second interrupt
        raises KeyboardInterrupt at once, wherever the turn or the loop body is.

        Raises Diverged for a loss that is not finite, and TypeError or ValueError, before the first update, for networks that
        do not fit one another and for real images of the wrong shape, type, range or device. Wherever a turn fails, the game
        is as it was before it; only where G's loss or the penalty diverges, or an interrupt breaks in, may a step of D or G have been taken.
        """
        with InterruptsHeldBack() as held:
            first = True
            while self.turns < until and not held.pressed:
                held.adopt(sys._getframe())  # whoever asks for this turn
                started = time.perf_counter()
                self._turn(draw, first)
                self.seconds += time.perf_counter() - started
                first = False
                yield self.turns

    def _turn(self, draw: Callable[[int], Tensor], first: bool) -> None:
        try:
            with self._buffers_kept(), self.random:
                discriminator_loss, real_p, fake_p, generator_loss = self._updates(draw, first)
                gradient = gradient_norm(self.generator)
        except Diverged as error:
            raise Diverged(
                f"{error} at turn {self.turns + 1}. The history and the weight average hold the {self.turns} turns "
                "before it. Make the networks and the game anew with lower learning rates, or load a checkpoint."
            ) from None
        except game_checks.BadImages as error:
            raise game_checks.BadImages(f"At turn {self.turns + 1} {error} Nothing of that turn has been kept.") from None
        self.average.update_parameters(self.generator)
        self.history.append(Record(self.turns + 1, real_p, fake_p, generator_loss, discriminator_loss, gradient))
        self.turns += 1

    def _updates(self, draw: Callable[[int], Tensor], first: bool) -> tuple[float, float, float, float]:
        if first:
            self._try_out()
        self.generator.train(), self.discriminator.train()
        real = game_checks.drawn(draw, self.batch_size)
        fake = self.generator(self.noise(self.batch_size))
        game_checks.check_real(real, fake)
        if first:
            game_checks.check_range(real)
        measures = update_discriminator(self.discriminator, self.discriminator_optimizer, real, fake, self.losses)
        if self.penalty is not None and self.turns % self.penalty.every == 0:
            update_penalty(self.discriminator, self.discriminator_optimizer, real, fake, self.penalty)
        return *measures, update_generator(self.discriminator, self.generator_optimizer, fake, self.losses, real)

    def _try_out(self) -> None:
        with runtime.RandomStream(0):
            game_checks.try_out(self.generator, self.discriminator, self.noise(self.batch_size), self.losses)

    @contextmanager
    def _buffers_kept(self) -> Iterator[None]:
        """Put back what BatchNorm and spectral norm have counted, where the block fails."""
        buffers = [*self.generator.buffers(), *self.discriminator.buffers()]
        before = [buffer.clone() for buffer in buffers]
        try:
            yield
        except BaseException:
            for buffer, old in zip(buffers, before):
                buffer.copy_(old)
            raise

    def noise(self, n: int) -> Tensor:
        """n latent vectors from the standard normal distribution: n×latent_size, on the device."""
        return torch.randn(n, self.latent_size, device=runtime.device())

    def samples(self, z: Tensor) -> Tensor:
        """The weight average's images for z of shape N×latent_size: float N×C×H×W in [-1, 1].

        Raises ValueError for z of another shape, and TypeError for what is no tensor of 32-bit floats.
        """
        if not isinstance(z, Tensor):
            raise TypeError(f"z is of type {type(z).__name__}, not a tensor N×{self.latent_size}, as game.noise(16) gives it.")
        if z.dim() != 2 or z.shape[1] != self.latent_size:
            raise ValueError(f"z has shape {tuple(z.shape)}; it is N×{self.latent_size}, a row for each image.")
        return models.run(self.average.module, z)

    # -------------------------------------------------------------------------------- checkpoints

    def save(self, path: str | Path) -> None:
        """Write a checkpoint, whole or not at all.

        Overwrites no file but one that this game itself wrote at an earlier turn, or at this one: otherwise raises
        CheckpointError. Raises OSError where the file cannot be written.
        """
        path = Path(path).expanduser()
        if path.is_file():
            self._check_overtaken(path)
        about = {"turns": self.turns, "seconds": self.seconds, "settings": self._made_with, "rates": self._rates()}
        with InterruptsHeldBack():
            checkpoints.write(path, self._tensors(), about)

    def load(self, path: str | Path) -> None:
        """Continue where the checkpoint was written: networks, optimizers, average, random state, history, snapshots.

        Raises FileNotFoundError, or CheckpointError for a file that is damaged, no checkpoint, or of a game
        with other networks or settings; the game is then as it was.
        """
        path = Path(path).expanduser()
        tensors, about = checkpoints.read(path)
        checkpoints.check_settings(path, about["settings"], self._made_with)
        checkpoints.check_shapes(path, tensors, self._shapes(tensors, about["turns"]))
        before = self._state()
        with InterruptsHeldBack():
            try:
                self._become(tensors, about["turns"], about["seconds"], about["rates"])
            except BaseException:
                self._become(*before)
                raise

    def go_on(self, path: str | Path, until: int) -> None:
        """Load the checkpoint of a run that was broken off before turn `until`, where there is one, and say so.

        A lesson that saves as it plays calls this before its loop, which then goes on where a killed kernel stopped. What
        cannot be gone on from, a run that was finished or another game, is put aside under the next name that is free, so
        that this game can save in its place; nothing happens where there is no file, or one of this game's earlier turns.
        """
        path = Path(path).expanduser()
        if not path.exists():
            return
        try:
            found = checkpoints.history(path)
            turns = len(found)
            if self._has_overtaken(found):
                return
            if self.turns < turns < until:
                self.load(path)
                print(f"Going on from turn {self.turns}, kept in {path}. To train from the start, delete that file first.")
                return
            reason = f"another run, at turn {turns}" if turns < until else f"a run that was finished at turn {turns}"
        except CheckpointError:
            reason = "a file that this game cannot go on from"
        numbered = (path.with_stem(f"{path.stem}_{number}") for number in range(1, 10**6))
        aside = next(free for free in numbered if not free.exists())
        path.rename(aside)
        print(f"In {path} lay {reason}: it is kept as {aside.name}, and training begins anew.")

    def _check_overtaken(self, path: Path) -> None:
        try:
            found = checkpoints.history(path)
        except CheckpointError as error:
            raise CheckpointError(f"{error} It is not overwritten: save under another name, or move that file away.") from None
        if len(found) > self.turns:
            raise CheckpointError(
                f"{path} holds a game at turn {len(found)}, further than this one at turn {self.turns}, and is not overwritten. "
                "Go on from it with game.load(path); or delete the file, or save under another name."
            )
        if not self._has_overtaken(found):
            raise CheckpointError(
                f"{path} holds another run, at turn {len(found)}, which is not this one's past, and is not overwritten. Save "
                "under another name; or move that file away, or delete it."
            )

    def _has_overtaken(self, found: list[list[float]]) -> bool:
        """Whether a file's history is the beginning of this game's."""
        return len(found) <= self.turns and found == [list(record) for record in self.history[: len(found)]]

    def _rates(self) -> list[float]:
        """The learning rates as they are now: a reader may lower them while the game goes on."""
        return [float(group["lr"]) for optimizer in self._optimizers().values() for group in optimizer.param_groups]

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
        tensors |= {f"snapshots.{turn}": images for turn, images in self.snapshots.items()}
        return tensors | {f"random.{kind}": state for kind, state in self.random.state().items()}

    def _state(self) -> tuple[dict[str, Tensor], int, float, list[float]]:
        """All that `_become` takes, in copies of its own."""
        return {name: tensor.clone() for name, tensor in self._tensors().items()}, self.turns, self.seconds, self._rates()

    def _shapes(self, found: dict[str, Tensor], turns: int) -> dict[str, tuple[int, ...]]:
        """The shapes of all tensors that a checkpoint of this game has after so many turns; `found` are those that one has."""
        shapes: dict[str, tuple[int, ...]] = {"history": (turns, len(Record._fields))}
        for name, network in self._networks().items():
            shapes |= {f"{name}.{key}": tuple(tensor.shape) for key, tensor in network.state_dict().items()}
        for name, optimizer in self._optimizers().items():
            (group,) = optimizer.param_groups
            known = {key.split(".")[0] for key in checkpoints.below(name, found)}
            for index, parameter in enumerate(group["params"]):
                # Adam knows nothing of a parameter that no gradient has reached yet; but of one it does, in a played game.
                if str(index) in known or (turns and not known):
                    shape = tuple(parameter.shape)
                    shapes |= {f"{name}.{index}.{key}": shape for key in ("exp_avg", "exp_avg_sq")} | {f"{name}.{index}.step": ()}
        shapes |= {name: tuple(tensor.shape) for name, tensor in found.items() if name.startswith("snapshots.")}
        # Kinds of device that the file has and this machine has not, or the other way round, are left as they are.
        here = {f"random.{kind}": tuple(state.shape) for kind, state in self.random.state().items()}
        there = {name: tuple(tensor.shape) for name, tensor in found.items() if name.startswith("random.")}
        return shapes | there | {name: shape for name, shape in here.items() if name in there or name == "random.cpu"}

    def _become(self, tensors: dict[str, Tensor], turns: int, seconds: float, rates: list[float]) -> None:
        for name, network in self._networks().items():
            network.load_state_dict(checkpoints.below(name, tensors))
        for (name, optimizer), rate in zip(self._optimizers().items(), rates):
            _load_optimizer(optimizer, checkpoints.below(name, tensors), rate)
        self.random.load_state(checkpoints.below("random", tensors))
        self.history[:] = [Record(int(row[0]), *row[1:]) for row in tensors["history"].tolist()]
        kept = checkpoints.below("snapshots", tensors)
        self.snapshots = {int(turn): kept[turn].to(runtime.device()) for turn in sorted(kept, key=int)}
        self.turns, self.seconds = turns, seconds


class Best:
    """The best state that a game has been in, by a score the caller gives, kept in memory; lower scores are better.

    `score` and `turn` are those of the state that is kept; of no state at first, with the score inf and the turn 0.
    """

    def __init__(self, game: Game):
        self.game, self.score, self.turn = game, math.inf, 0
        self._kept: tuple[dict[str, Tensor], int, float, list[float]] | None = None

    def offer(self, score: float) -> bool:
        """Keep the game as it is now if the score is below all before; whether it has been kept.

        A NaN is never below. Give minus what is better when it is higher. Takes the memory of one checkpoint.
        """
        if not score < self.score:
            return False
        with InterruptsHeldBack():
            self._kept, self.score, self.turn = self.game._state(), float(score), self.game.turns
        return True

    def restore(self) -> None:
        """Make the game what it was when it was kept, to the bit: played on, it goes the way it went from there.

        A checkpoint of a later turn is not overwritten by it: save it under another name. Raises ValueError where no state has been kept.
        """
        if self._kept is None:
            raise ValueError("No state has been kept yet: best.offer(score) keeps the first one whose score is a number.")
        with InterruptsHeldBack():
            tensors, turns, seconds, rates = self._kept
            # Copies again: Adam counts its steps in the tensors it was given.
            self.game._become({name: tensor.clone() for name, tensor in tensors.items()}, turns, seconds, rates)


def _name(function: Callable) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], rate: float) -> None:
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".")
        states.setdefault(int(index), {})[key] = tensor
    groups = [{**group, "lr": rate} for group in optimizer.state_dict()["param_groups"]]
    optimizer.load_state_dict({"state": states, "param_groups": groups})
    for parameter, state in optimizer.state.items():
        for key, tensor in state.items():
            if tensor.shape == parameter.shape:
                # The fused step walks through memory: a state must lie there in its parameter's order.
                state[key] = torch.empty_like(parameter, dtype=tensor.dtype, requires_grad=False).copy_(tensor)
