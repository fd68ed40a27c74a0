"""Play lesson 08's game for long and keep its milestones: data/pretrained_faces/{0,100,…,50000}.safetensors, each with a card.

The networks and the game are those of the lesson; learning rates fall in a straight line to a tenth at 50 000 turns.
An interrupted run goes on from runs/pretrained_faces/checkpoint.safetensors, written every 500 turns. A milestone holds
the weight average of G in half precision; discriminator.safetensors is D's, from the same turn as the last milestone.
Three quarters of an hour on one CPU core (the cards say how long). Run tools/checksums.py afterwards.
"""

import argparse
import hashlib
import json
import time
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from gan_lessons import bundle, data, metrics, models, pretrained, runtime, training

ROOT = Path(__file__).resolve().parent.parent
SEED, TURNS = 0, 50_000
MILESTONES = (0, 100, 1_000, 2_000, 5_000, 10_000, 20_000, TURNS)
FOLDER, RUN = bundle.FOLDER / "pretrained_faces", ROOT / "runs/pretrained_faces"
BATCH_SIZE, GENERATOR_LR, DISCRIMINATOR_LR = 32, 2e-3, 2e-3


def new_game() -> training.Game:
    torch.manual_seed(SEED)
    # 16-bit products save a third of the time on CPUs that have them, and more on GPUs.
    generator = models.Bfloat16(pretrained.new_face_generator())
    discriminator = nn.Sequential(models.RandomShift(2), models.Bfloat16(pretrained.new_face_discriminator()))
    return training.Game(
        generator, discriminator, batch_size=BATCH_SIZE, generator_lr=GENERATOR_LR, discriminator_lr=DISCRIMINATOR_LR, seed=SEED
    )


def set_learning_rates(game: training.Game) -> None:
    left = max(0.1, 1 - 0.9 * game.turns / TURNS)
    for optimizer, highest in ((game.generator_optimizer, GENERATOR_LR), (game.discriminator_optimizer, DISCRIMINATOR_LR)):
        for group in optimizer.param_groups:
            group["lr"] = left * highest


def play(game: training.Game, faces: data.Faces, until: int, seconds: float) -> None:
    """Play to `until`, saving the game every 500 turns and its milestones; `seconds` were spent before."""
    started = time.monotonic() - seconds
    keep_milestone(game, seconds)
    set_learning_rates(game)
    for turn in game.play(faces.draw, until):
        set_learning_rates(game)
        if turn % 500 == 0 or turn in MILESTONES or turn == until:
            save(game, time.monotonic() - started)
            keep_milestone(game, time.monotonic() - started)
            recent = game.history[-500:]
            beliefs = (
                f"{name} {sum(getattr(record, name) for record in recent) / len(recent):.2f}" for name in ("real_p", "fake_p")
            )
            print(f"turn {turn}: {', '.join(beliefs)}, {(time.monotonic() - started) / 60:.0f} min", flush=True)


def save(game: training.Game, seconds: float) -> None:
    game.save(RUN / "checkpoint.safetensors")
    runtime.write_whole(RUN / "time.json", json.dumps({"turns": game.turns, "seconds": round(seconds)}).encode())


def resume(game: training.Game) -> float:
    """Continue from the checkpoint, if there is one; gives the seconds spent so far."""
    if not (RUN / "checkpoint.safetensors").exists():
        return 0.0
    game.load(RUN / "checkpoint.safetensors")
    print(f"going on from turn {game.turns}")
    return json.loads((RUN / "time.json").read_text(encoding="utf-8"))["seconds"]


def keep_milestone(game: training.Game, seconds: float) -> None:
    if game.turns not in MILESTONES:
        return
    # What is kept are the networks of the lesson, without Bfloat16 and RandomShift around them.
    write_half(game.average.module.get_submodule("network"), FOLDER / f"{game.turns}.safetensors")
    write_half(game.discriminator.get_submodule("1.network"), FOLDER / "discriminator.safetensors")
    card = card_of(game, seconds)
    runtime.write_whole(FOLDER / f"{game.turns}.json", (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode())


def write_half(network: nn.Module, path: Path) -> None:
    tensors = network.state_dict().items()
    halves = {name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous().cpu() for name, tensor in tensors}
    runtime.write_whole(path, safetensors.torch.save(halves))


def card_of(game: training.Game, seconds: float) -> dict:
    return {
        "what": f"The generator of lesson 08, weight average, after {game.turns} of {TURNS} turns",
        "architecture": "gan_lessons.pretrained.new_face_generator",
        "turns": game.turns,
        "scores": scores(game.turns),
        "beliefs": {f"D(x), {split}": belief(game, data.faces(split)) for split in ("train", "test")},
        "data": "the 9 000 cartoon faces for training",
        "data_sha256": hashlib.sha256((bundle.FOLDER / "faces/faces.npz").read_bytes()).hexdigest(),
        "command": "tools/pretrain_faces.py", "seed": SEED, "batch_size": game.batch_size,
        "generator_lr": GENERATOR_LR, "discriminator_lr": DISCRIMINATOR_LR, "average_decay": game.average_decay,
        "machine": runtime.report(), "seconds": round(seconds),
        "weights": "half precision",
    }  # fmt: skip


def scores(turns: int) -> dict[str, float]:
    """The scores of a thousand faces that the milestone's weights, as they are shipped, make."""
    generator = pretrained.new_face_generator()
    generator.load_state_dict(safetensors.torch.load_file(FOLDER / f"{turns}.safetensors"))
    z = torch.randn(1000, 100, generator=torch.Generator().manual_seed(SEED)).to(runtime.device())
    scores = metrics.score_faces(models.run(generator.to(runtime.device()), z))
    return {name: round(value, 3) for name, value in scores._asdict().items()}


def belief(game: training.Game, faces: data.Faces) -> float:
    """The mean of D(x) over the first thousand of the faces: more for those trained on means that D learns them by heart."""
    logits = models.run(game.discriminator, data.to_floats(faces.pixels[:1000]))
    return round(logits.sigmoid().mean().item(), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--until", type=int, default=TURNS, metavar="TURNS", help=f"stop after so many turns (default {TURNS})")
    until = parser.parse_args().until
    game = new_game()
    seconds = resume(game)
    play(game, data.faces(), until, seconds)


if __name__ == "__main__":
    main()
