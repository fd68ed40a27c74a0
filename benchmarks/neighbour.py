"""What one busy neighbour costs a lesson's game, with and without `gan_lessons.neighbours`.

    .venv/bin/python benchmarks/neighbour.py
    .venv/bin/python benchmarks/neighbour.py 04 07 --seconds 8 --rounds 5

plays each game in a process of its own, quietly and beside a process that does nothing but count, and prints turns a second:
medians over the rounds, of which each plays all cases in turn. "as torch comes" has its threads wait as they would without the package.
"one thread" is torch.set_num_threads(1). Wants a machine that does nothing else.
"""

import argparse
import os
import statistics
import subprocess
import sys

from gan_lessons.neighbours import OWN_CHOICE

NEIGHBOUR = "while True: pass"
GAMES = {
    "03": "training.Game(models.mlp_generator(2, (1, 1, 2), (64, 64)), models.mlp_discriminator((1, 1, 2), (64, 64)), latent_size=2)",
    "04": "training.Game(models.mlp_generator(), models.mlp_discriminator())",
    "07": "training.Game(models.conv_generator(), models.conv_discriminator(), generator_lr=8e-3, discriminator_lr=2e-3)",
    "08": "training.Game(models.conv_generator(100, (3, 64, 64), 16), models.spectral_discriminator(), batch_size=32)",
}
DRAWS = {"03": "lambda n: torch.randn(n, 1, 1, 2).tanh()", "08": "data.faces().draw"}
WAYS = {
    "as torch comes": "from gan_lessons import neighbours; neighbours.attend = lambda: None",
    "as the lessons do": "",
    "one thread": "import torch; torch.set_num_threads(1)",
}
PLAY = """
import time
{way}
import torch
from gan_lessons import data, models, training
torch.manual_seed(0)
game, draw = {game}, {draw}
for turn in game.play(draw, 20):
    pass
time.sleep(1.5)  # whoever looks after the threads has noticed the neighbour
started, before = time.perf_counter(), game.turns
for turn in game.play(draw, 10**9):
    if time.perf_counter() - started > {seconds}:
        break
print((game.turns - before) / (time.perf_counter() - started))
"""


def turns_a_second(lesson: str, way: str, seconds: float, beside: bool) -> float:
    """Turns a second of this lesson's game, alone or beside a neighbour that is ended afterwards."""
    code = PLAY.format(way=WAYS[way], game=GAMES[lesson], draw=DRAWS.get(lesson, "data.mnist().draw"), seconds=seconds)
    environment = {name: value for name, value in os.environ.items() if name not in OWN_CHOICE}
    neighbour = subprocess.Popen([sys.executable, "-c", NEIGHBOUR]) if beside else None
    try:
        run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
        return float(run.stdout)
    finally:
        if neighbour:
            neighbour.kill()
            neighbour.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help=f"of {', '.join(GAMES)}; all by default")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if unknown := set(options.lessons) - set(GAMES):
        parser.error(f"there is no game for {', '.join(sorted(unknown))}: choose from {', '.join(GAMES)}")
    print(f"{'game of lesson':16}{'threads wait':20}{'quiet':>8}{'beside':>8}{'factor':>8}")
    for lesson in options.lessons or GAMES:
        rounds = [
            {(way, beside): turns_a_second(lesson, way, options.seconds, beside) for way in WAYS for beside in (False, True)}
            for _ in range(options.rounds)
        ]
        for way in WAYS:
            quiet, beside = (statistics.median(each[way, which] for each in rounds) for which in (False, True))
            print(f"{lesson:16}{way:20}{quiet:8.1f}{beside:8.1f}{quiet / beside:8.2f}", flush=True)


if __name__ == "__main__":
    main()
