"""Record the twelve runs of lesson 05's diagnosis: data/diagnosis/run_01.csv … run_12.csv and labels.json.

The runs are played by the lesson's own game, gan_lessons.failures.play. 1000 turns each, of which every fourth is kept; the
column "epoch" counts a hundred turns, since the ring has no last sample.
Half a minute. Run tools/checksums.py afterwards.
"""

import argparse
import json

import torch
from torch import nn

from gan_lessons import bundle, losses, runtime
from gan_lessons.failures import adam, network, play, sgd
from gan_lessons.history import History

FOLDER = bundle.FOLDER / "diagnosis"
TURNS, EVERY, TURNS_PER_EPOCH = 1000, 4, 100


def one_batch(d: nn.Module, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """How D looks at reals and fakes in one batch."""
    return d(torch.cat([real, fake])).chunk(2)


HEALTHY = "Both beliefs lie close to one half, each on its own side, D's loss just under log 4, and nothing drifts or swings."


def runs() -> list[tuple[str, str, str, dict]]:
    """For each run its name, what in the curves speaks for it, what was changed, and the arguments of `play`."""
    return [
        (
            "oscillation",
            "Both beliefs swing widely and irregularly to the very end, D(x) no less than D(G(z)), and both losses with them.",
            "Adam with β₁ = 0.95 for both players.",
            {"optimizers": (adam(momentum=0.95), adam(momentum=0.95))},
        ),
        ("healthy", HEALTHY, "Nothing: the lesson's recipe.", {}),
        (
            "mixed batch",
            "D is sure of everything: D(G(z)) is so near 0 that -log D(G(z)) would have to be above 3, but G's loss stays "
            "far lower. In its own step G meets another D.",
            "Batch normalisation in D, which sees reals and fakes in one batch.",
            {"discriminator": lambda: network(2, 1, norm=nn.BatchNorm1d), "look": one_batch},
        ),
        (
            "weak D",
            "D(x) is a smooth line that comes to rest at one half, and D(G(z)) swings around it in long, smooth waves that grow "
            "smaller: this D knows nothing about the reals, it only turns towards them and back.",
            "D is a single dense layer.",
            {"discriminator": lambda: nn.Sequential(nn.Linear(2, 1))},
        ),
        (
            "linear G",
            "The gap opens slowly, over hundreds of turns, and stays open without closing again; yet D is never quite sure, so "
            "G does make something, and it is of the wrong shape.",
            "G without activations.",
            {"generator": lambda: network(2, 2, activation=nn.Identity)},
        ),
        (
            "healthy",
            HEALTHY,
            "β₁ = 0 for both players, as in lesson 04.",
            {"optimizers": (adam(momentum=0.0), adam(momentum=0.0))},
        ),
        (
            "strong D",
            "G's loss is negative or zero where all others are positive: the saturating loss. It lies flat at 0, as D(G(z)) does, "
            "so there is no slope left for G.",
            "The saturating loss, a head start of 50 turns and five steps a turn for D, plain gradient descent for G.",
            {"pair": losses.minimax, "head_start": 50, "d_steps": 5, "optimizers": (sgd(0.01), adam())},
        ),
        (
            "mode collapse",
            "After the first turns both beliefs are calm at one half, but D's loss lies at log 4 or above, outside the band: D is "
            "always late, and it does no better than one that always says one half.",
            "G takes ten steps a turn.",
            {"g_steps": 10},
        ),
        (
            "leaked gradients",
            "D(x) is 1 and D(G(z)) is one half, and both losses are log 2: on fakes D hears 'fake' and 'real' equally often.",
            "Neither detach nor freezing, with zero_grad after the step.",
            {"leak": True},
        ),
        (
            "weak D",
            "D(x) is a smooth, calm line: D learns next to nothing about the reals. D(G(z)) meanwhile moves in a few long, smooth "
            "waves, in which G gets far ahead and D's loss far above log 4.",
            "D's learning rate is a hundredth of G's.",
            {"optimizers": (adam(), adam(lr=2e-5))},
        ),
        ("healthy", HEALTHY, "Nothing: the lesson's recipe, another seed.", {}),
        (
            "unscaled data",
            "D is sure of everything, and G's loss climbs to what -log D(G(z)) must then be: G hears the truth and cannot act on "
            "it, for the reals lie where it cannot reach.",
            "G ends in a tanh, and the ring is twice as large as that.",
            {"generator": lambda: nn.Sequential(network(2, 2), nn.Tanh())},
        ),
    ]


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    labels = []
    torch.set_num_threads(1)
    for number, (name, evidence, cause, changes) in enumerate(runs(), start=1):
        history = play(**changes, turns=TURNS, seed=100 + number).history
        History(history[::EVERY]).write_csv(FOLDER / f"run_{number:02}.csv", TURNS_PER_EPOCH)
        labels.append({"run": number, "name": name, "evidence": evidence, "cause": cause})
        print(f"run {number:2}: {name}")
    text = json.dumps(labels, indent=2, ensure_ascii=False) + "\n"
    runtime.write_whole(FOLDER / "labels.json", text.encode())


if __name__ == "__main__":
    main()
