"""Play a game with the cartoon faces for long and keep its milestones, each with a card.

    tools/pretrain_faces.py dcgan     lesson 08's networks and game, into data/pretrained_faces
    tools/pretrain_faces.py modern    networks of today, growing from 32×32 to 128×128, into data/modern_faces

Learning rates fall in a straight line to a tenth at the last turn. An interrupted run goes on from its checkpoints in
runs/, written every 500 turns, and gives then, on a CPU, to the bit what an uninterrupted run gives. A milestone holds the
weight average of G in half precision, discriminator.safetensors holds D from the same turn as the last milestone.

Several processes share each batch: torchrun --nproc-per-node 2 tools/pretrain_faces.py modern. Lesson 08's run takes three
quarters of an hour on one CPU core (the cards say how long). Run tools/checksums.py afterwards.
"""

import argparse
import contextlib
import gc
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors.torch
import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from gan_lessons import bundle, data, losses, metrics, models, pretrained, runtime, training

ROOT = Path(__file__).resolve().parent.parent
SEED, SAVE_EVERY = 0, 500


@dataclass(frozen=True)
class Run:
    """What is played, and where it goes. Turns are counted through all stages."""

    name: str
    what: str
    architecture: str
    stages: dict[int, int]  # the turns at each size, one after the other
    milestones: tuple[int, ...]
    networks: Callable[[int], tuple[nn.Module, nn.Module]]  # G and D of a size
    batch_size: int = 32
    generator_lr: float = 2e-3
    discriminator_lr: float = 2e-3
    shift: int = 0  # pixels by which D sees its images moved
    settings: Callable[[int], dict] = lambda size: {}  # of the game of a size, besides
    into: Path = bundle.FOLDER
    runs: Path = ROOT / "runs"

    @property
    def turns(self) -> int:
        return sum(self.stages.values())

    @property
    def folder(self) -> Path:
        return self.into / self.name

    def before(self, size: int) -> int:
        """The turns of the stages before that of this size."""
        return sum(turns for other, turns in self.stages.items() if other < size)

    def checkpoint(self, size: int) -> Path:
        return self.runs / self.name / f"checkpoint_{size}.safetensors"


def modern_networks(size: int) -> tuple[nn.Module, nn.Module]:
    networks = models.StyleGenerator(pretrained.LATENT_SIZE, size), models.ResidualDiscriminator(size)
    generator, discriminator = (network.to(memory_format=torch.channels_last) for network in networks)
    return generator, discriminator


def modern_settings(size: int) -> dict:
    # A logit changes as much where the image has four times the pixels, each with a quarter of the slope: so that a weight
    # means the same at each size, it grows with their number. 3 at 64×64 keeps D's lead near 1; with 0.3 it is over 2.
    penalty = losses.Penalty(losses.r1_r2, weight=3 * (size / 64) ** 2, every=8)
    return {"betas": (0.0, 0.99), "losses": losses.relativistic, "penalty": penalty, "average_decay": 0.998}


RUNS = {
    "dcgan": Run(
        "pretrained_faces",
        "The generator of lesson 08",
        "gan_lessons.pretrained.new_face_generator",
        stages={64: 50_000},
        milestones=(0, 100, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000),
        networks=lambda size: (pretrained.new_face_generator(), pretrained.new_face_discriminator()),
        shift=2,
    ),
    "modern": Run(
        "modern_faces",
        "A style generator",
        "gan_lessons.models.StyleGenerator",
        stages={32: 6_000, 64: 40_000, 128: 20_000},
        milestones=(0, 500, 2_000, 6_000, 16_000, 46_000, 66_000),
        networks=modern_networks,
        batch_size=16,
        generator_lr=1e-3,
        discriminator_lr=1e-3,
        settings=modern_settings,
    ),
}


# ------------------------------------------------------------------------------------------------- the game


def new_game(run: Run, size: int) -> training.Game:
    """The game of a stage before its first turn; with several processes the part that this one plays of it."""
    torch.manual_seed(SEED)
    generator, discriminator = run.networks(size)
    game = training.Game(
        # 16-bit products save a third of the time on CPUs that have them, and more on GPUs.
        models.Bfloat16(generator),
        nn.Sequential(models.RandomShift(run.shift) if run.shift else nn.Identity(), models.Bfloat16(discriminator)),
        latent_size=pretrained.LATENT_SIZE,
        batch_size=run.batch_size // processes(),
        generator_lr=run.generator_lr,
        discriminator_lr=run.discriminator_lr,
        seed=SEED + rank(),
        **run.settings(size),
    )
    if processes() > 1:
        for optimizer in (game.generator_optimizer, game.discriminator_optimizer):
            optimizer.register_step_pre_hook(average_gradients)
    return game


def inner(game: training.Game) -> dict[str, nn.Module]:
    """The networks without Bfloat16 and RandomShift around them: those that are kept."""
    return {
        "generator": game.generator.get_submodule("network"),
        "average": game.average.module.get_submodule("network"),
        "discriminator": game.discriminator.get_submodule("1.network"),
    }


def play(run: Run, until: int | None = None) -> training.Game:
    """Play to turn `until`, by default the last, from where the checkpoints are; returns the game of the last stage begun."""
    until, game = run.turns if until is None else until, None
    for size, turns in run.stages.items():
        smaller, game = game, new_game(run, size)
        if run.checkpoint(size).exists():
            load(run, size, game)
        elif smaller is not None:
            for name, network in inner(game).items():
                models.take_over(network, inner(smaller)[name])
        play_stage(run, size, game, min(turns, until - run.before(size)))
        if game.turns < turns:
            break
    assert game is not None
    return game


def play_stage(run: Run, size: int, game: training.Game, until: int) -> None:
    before, faces = run.before(size), data.faces(size=size)
    keep_milestone(run, size, game)
    set_learning_rates(run, game, before)
    for turn in game.play(faces.draw, until):
        set_learning_rates(run, game, before)
        if turn % SAVE_EVERY == 0 or before + turn in run.milestones or turn == until:
            save(run, size, game)
            keep_milestone(run, size, game)
            if rank() == 0:
                print(
                    f"turn {before + turn} at {size}×{size}: lead {lead(game, faces):.2f}, {game.seconds / 60:.0f} min",
                    flush=True,
                )


def set_learning_rates(run: Run, game: training.Game, before: int) -> None:
    left = max(0.1, 1 - 0.9 * (before + game.turns) / run.turns)
    for optimizer, highest in (
        (game.generator_optimizer, run.generator_lr),
        (game.discriminator_optimizer, run.discriminator_lr),
    ):
        for parameters in optimizer.param_groups:
            parameters["lr"] = left * highest


# ------------------------------------------------------------------------------------------ many processes


def processes() -> int:
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def rank() -> int:
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def average_gradients(optimizer: torch.optim.Optimizer, *_) -> None:
    """Before each step: put the mean over all processes in the place of each one's gradients, so that weights stay equal.

    DistributedDataParallel waits for a gradient of each parameter of what was called: there is none of D's last bias where
    it is penalised (the weights drift apart), and none of D at all where G's gradient passes through it (it fails).
    """
    gradients = [p.grad for parameters in optimizer.param_groups for p in parameters["params"] if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat)
    for gradient, mean in zip(gradients, (flat / processes()).split([gradient.numel() for gradient in gradients])):
        gradient.copy_(mean.view_as(gradient))


def save(run: Run, size: int, game: training.Game) -> None:
    if rank() == 0:
        game.save(run.checkpoint(size))
    if processes() > 1:
        torch.distributed.barrier()
        load(run, size, game)


def load(run: Run, size: int, game: training.Game) -> None:
    """Go on from the checkpoint. Where there are many processes, it is the first one's: the others take all from it but the
    random numbers. Each does so whenever it is written, for what went on and what was begun again are to be the same."""
    game.load(run.checkpoint(size))
    if processes() > 1:
        game.random = runtime.RandomStream(SEED + game.turns * processes() + rank())


# --------------------------------------------------------------------------------------------- the milestones


def keep_milestone(run: Run, size: int, game: training.Game) -> None:
    if run.before(size) + game.turns not in run.milestones or rank() > 0:
        return
    turns = run.before(size) + game.turns
    write_half(inner(game)["average"], run.folder / f"{turns}.safetensors")
    write_half(inner(game)["discriminator"], run.folder / "discriminator.safetensors")
    card = json.dumps(card_of(run, size, game), indent=1, ensure_ascii=False) + "\n"
    runtime.write_whole(run.folder / f"{turns}.json", card.encode())


def write_half(network: nn.Module, path: Path) -> None:
    tensors = network.state_dict().items()
    halves = {name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous().cpu() for name, tensor in tensors}
    runtime.write_whole(path, safetensors.torch.save(halves))


def card_of(run: Run, size: int, game: training.Game) -> dict:
    turns = run.before(size) + game.turns
    return {
        "what": f"{run.what}, weight average, after {turns} of {run.turns} turns",
        "architecture": run.architecture,
        "size": size,
        "turns": turns,
        "scores": scores(run, size, run.folder / f"{turns}.safetensors"),
        "beliefs": {f"D(x), {split}": belief(game, data.faces(split, size)) for split in ("train", "test")},
        "data": "the 9 000 cartoon faces for training",
        "data_sha256": hashlib.sha256((bundle.FOLDER / "faces/faces.npz").read_bytes()).hexdigest(),
        "command": "tools/pretrain_faces.py", "seed": SEED, "batch_size": run.batch_size,
        "generator_lr": run.generator_lr, "discriminator_lr": run.discriminator_lr, "average_decay": game.average_decay,
        "machine": runtime.report(), "processes": processes(), "seconds": round(game.seconds),
        "weights": "half precision",
    }  # fmt: skip


def scores(run: Run, size: int, weights: Path) -> dict[str, float]:
    """The scores of a thousand faces that the milestone's weights, as they are shipped, make; read at 64×64."""
    generator, _ = run.networks(size)
    generator.load_state_dict(safetensors.torch.load_file(weights))
    z = torch.randn(1000, pretrained.LATENT_SIZE, generator=torch.Generator().manual_seed(SEED)).to(runtime.device())
    scores = metrics.score_faces(at_64(models.run(generator.to(runtime.device()), z)))
    return {name: round(value, 3) for name, value in scores._asdict().items()}


def at_64(images: Tensor) -> Tensor:
    """Images of 32×32, 64×64 or 128×128 at 64×64, the size that the classifier reads."""
    if images.shape[2] > 64:
        return avg_pool2d(images, images.shape[2] // 64)
    return interpolate(images, size=64, mode="bilinear") if images.shape[2] < 64 else images


def belief(game: training.Game, faces: data.Faces) -> float:
    """The mean of D(x) over the first thousand of the faces: more for those trained on means that D learns them by heart."""
    logits = models.run(game.discriminator, data.to_floats(faces.pixels[:1000]))
    return round(logits.sigmoid().mean().item(), 3)


def lead(game: training.Game, faces: data.Faces) -> float:
    """How much higher D's logits of the first five hundred faces are than those of as many of G's, on average."""
    z = torch.randn(500, game.latent_size, generator=torch.Generator().manual_seed(SEED)).to(runtime.device())
    images = data.to_floats(faces.pixels[:500]), models.run(game.generator, z)
    real, fake = (models.run(game.discriminator, part).mean().item() for part in images)
    return real - fake


@contextlib.contextmanager
def process_group() -> Iterator[None]:
    """torchrun's processes as one group, where torchrun has started this one; no name may hold a game of it at the end."""
    if "RANK" in os.environ:
        torch.distributed.init_process_group()
    try:
        yield
    finally:
        if torch.distributed.is_initialized():
            gc.collect()  # wrapped networks refer to the group in circles, and its threads have to end before Python does
            torch.distributed.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", choices=RUNS)
    parser.add_argument("--until", type=int, metavar="TURNS", help="stop after so many turns (default: the whole run)")
    parser.add_argument("--into", type=Path, default=bundle.FOLDER, metavar="FOLDER", help="for the milestones (default data)")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs", metavar="FOLDER", help="for the checkpoints (default runs)")
    options = parser.parse_args()
    with process_group():
        play(replace(RUNS[options.run], into=options.into, runs=options.runs), options.until)


if __name__ == "__main__":
    main()
