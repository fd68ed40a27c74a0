"""Break the package on purpose, one small mistake at a time, and see whether the tests notice.

usage: tools/mutants.py [--only WORD …] [--list]      words that occur in a mistake's name or file; without them all

Each line of the table below is a mistake: a file, a text that occurs in it exactly once, what stands there instead,
and the fast tests that should notice, by file or by file and name. The tests run in a temporary copy, first without
any mistake; the checkout stays as it is. Exits with 1 where a mistake survives, where its text no longer occurs exactly once,
or where the tests fail without it. When a source changes, its lines here change with it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "__pycache__", ".hypothesis", "runs", "dist", "*.egg-info")
LONGEST = 900  # seconds; a mistake may make a test endless, which counts as noticed


class Mutant(NamedTuple):
    """A mistake: in the package's `file`, `old` becomes `new`, and the `tests`, words for pytest, should fail."""

    name: str
    file: str
    old: str
    new: str
    tests: str


TRAINING, BOARD, RUNTIME, METRICS = (
    "tests/test_training.py",
    "tests/test_board.py",
    "tests/test_runtime.py",
    "tests/test_metrics.py",
)
MODELS, PLOTS, LATENT, LOSSES = "tests/test_models.py", "tests/test_plots.py", "tests/test_latent.py", "tests/test_losses.py"
FAILURES = "tests/test_failures.py"
DATA, FACES, OWN, WIDGETS = "tests/test_data.py", "tests/test_faces.py", "tests/test_own_pictures.py", "tests/test_widgets.py"

# fmt: off
MUTANTS = [
    # ------------------------------------------------------------------------------------ the two updates
    Mutant("D's update reaches G", "training.py", "discriminator(fake.detach())", "discriminator(fake)", TRAINING),
    Mutant("G's update reaches D", "training.py", "parameter.requires_grad_(False)", "parameter.requires_grad_(True)", TRAINING),
    Mutant("gradients add up", "training.py", "    optimizer.zero_grad()\n", "", TRAINING),
    Mutant("betas of 0.5", "training.py", "= (0.0, 0.999)", "= (0.5, 0.999)", f"{TRAINING} tests/test_notebooks.py"),
    # ---------------------------------------------------------------------------------------------- a game
    Mutant("a turn does not switch G to training mode", "training.py", "self.generator.train()", "self.generator.training",
           TRAINING),
    Mutant("the average's default is 0.9", "training.py", "average_decay: float = 0.995", "average_decay: float = 0.9", TRAINING),
    Mutant("the average ignores its decay", "training.py", "get_ema_multi_avg_fn(average_decay)", "get_ema_multi_avg_fn(0.9)",
           TRAINING),
    Mutant("BatchNorm's buffers are not averaged", "training.py", "use_buffers=True", "use_buffers=False", TRAINING),
    Mutant("samples come from G itself", "training.py", "models.run(self.average.module, z)", "models.run(self.generator, z)",
           TRAINING),
    Mutant("D(x) is that of the mean logit", "training.py", "logits.sigmoid().mean()", "logits.mean().sigmoid()", TRAINING),
    Mutant("a lazy penalty weighs once", "training.py", "penalty.weight * penalty.every * slopes", "penalty.weight * slopes",
           TRAINING),
    Mutant("the penalty's slopes reach G", "training.py", "penalty.slopes(discriminator, real, fake.detach())",
           "penalty.slopes(discriminator, real, fake)", TRAINING),
    Mutant("relative losses the other way round", "training.py", "(fake, real) if losses.relative",
           "(real, fake) if losses.relative", TRAINING),
    Mutant("checkpoints lack the average", "training.py", ', "average": self.average}', "}", TRAINING),
    Mutant("checkpoints lack D's optimizer", "training.py", ', "discriminator_optimizer": self.discriminator_optimizer}', "}",
           TRAINING),
    Mutant("an optimizer's memory in another order", "training.py",
           "torch.empty_like(parameter, dtype=tensor.dtype, requires_grad=False)",
           "torch.empty(parameter.shape, dtype=tensor.dtype)", TRAINING),
    Mutant("interrupts are not held back", "interrupts.py", "signal.signal(signal.SIGINT, self._handler)",
           "signal.getsignal(signal.SIGINT)", "tests/test_interrupts.py"),
    Mutant("a checkpoint's numbers are not checked", "checkpoints.py", 'if header.get("sha256") != _digest(header["game"], tensors):', "if False:",
           TRAINING),
    Mutant("what is further is overwritten", "training.py", "if len(found) > self.turns:", "if False:", TRAINING),
    Mutant("pixels from 0 to 255 are taken", "game_checks.py", "if images and real > LIMIT:", "if False:",
           "tests/test_game_checks.py"),
    Mutant("threads stay awake beside a neighbour", "neighbours.py", "others > left_over + BUSY", "others > 9",
           "tests/test_neighbours.py"),
    Mutant("histories end one turn early", "history.py", "for record in self:", "for record in self[:-1]:", TRAINING),
    # ---------------------------------------------------------------------------------------------- losses
    Mutant("the minimax loss upside down", "losses.py", "return -softplus(fake_logits).mean()",
           "return softplus(fake_logits).mean()", LOSSES),
    Mutant("the labels swapped", "losses.py", "softplus(-real_logits).mean() + softplus(fake_logits)",
           "softplus(real_logits).mean() + softplus(-fake_logits)", LOSSES),
    Mutant("least squares not halved", "losses.py", "(fake_logits - 1).square().mean() / 2",
           "(fake_logits - 1).square().mean()", LOSSES),
    Mutant("the relativistic generator upside down", "losses.py", "softplus(real_logits - fake_logits)",
           "softplus(fake_logits - real_logits)", LOSSES),
    Mutant("slopes not halved", "losses.py", "sum(dim=1).mean() / 2", "sum(dim=1).mean()", LOSSES),
    Mutant("R2 left out", "losses.py", "_squared_slopes(discriminator, real) + _squared_slopes(discriminator, fake)",
           "_squared_slopes(discriminator, real)", LOSSES),
    # ---------------------------------------------------------------------------------------------- models
    Mutant("the kernel of resizing not turned", "models.py", "self.weight.flip(2, 3)", "self.weight", MODELS),
    Mutant("a grown network's new level speaks at once", "models.py", "        parameter.zero_()", "        pass", MODELS),
    Mutant("a network is run in training mode", "models.py", "    network.eval()\n", "",
           f"{MODELS}::test_a_network_is_run_in_eval_mode_and_left_in_the_mode_it_was_in"),
    Mutant("a network is left in training mode", "models.py", "network.train(training)", "network.train()",
           f"{MODELS}::test_a_network_is_run_in_eval_mode_and_left_in_the_mode_it_was_in"),
    Mutant("D's leak is 0.01", "models.py", "nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)",
           "nn.Linear(inputs, outputs), nn.LeakyReLU(0.01)", f"{MODELS}::test_every_leak_is_that_of_the_dcgan_paper"),
    Mutant("initial weights too large", "models.py", "nn.init.normal_(layer.weight, 0, 0.02)",
           "nn.init.normal_(layer.weight, 0, 0.05)", f"{MODELS}::test_convolutional_networks_begin_as_dcgan_says"),
    # --------------------------------------------------------------------------------------------- runtime
    Mutant("a random stream leaks", "runtime.py", "        _set_random_states(self._states)\n        return self",
           "        return self", RUNTIME),
    Mutant("a file is written in place", "runtime.py", "os.replace(temporary, path)",
           "path.write_bytes(content), os.unlink(temporary)", "tests/test_robust.py"),
    Mutant("half-written files are left", "runtime.py", "    except BaseException:\n", "    except ZeroDivisionError:\n",
           "tests/test_robust.py"),
    # --------------------------------------------------------------------------------------------- metrics
    Mutant("a neighbour in a later chunk off by one", "metrics.py", "nearest[closer] + start",
           "nearest[closer] + start + (start > 0)",
           f"{METRICS}::test_nearest_neighbours_in_chunks_are_those_that_scipy_finds"),
    Mutant("a neighbour's distance not scaled", "metrics.py", "best / math.sqrt(rows.shape[1])", "best",
           f"{METRICS}::test_nearest_neighbours_in_chunks_are_those_that_scipy_finds"),
    Mutant("the k-th neighbour off by one", "metrics.py", "kthvalue(neighbours + 1)", "kthvalue(neighbours)",
           f"{METRICS}::test_precision_and_recall_are_those_of_prdc"),
    Mutant("precision and recall swapped", "metrics.py",
           "return _share_among(real, fake, neighbours), _share_among(fake, real, neighbours)",
           "return _share_among(fake, real, neighbours), _share_among(real, fake, neighbours)",
           f"{METRICS}::test_precision_and_recall_are_those_of_prdc"),
    Mutant("sure from one half on", "metrics.py", "surest >= 0.95", "surest >= 0.5",
           f"{METRICS}::test_scores_of_digits_are_those_of_a_table_by_hand"),
    Mutant("the kernel distance is biased", "metrics.py", "(n * (n - 1))", "(n * n)",
           f"{METRICS}::test_kernel_distance_is_that_of_torchmetrics"),
    # ---------------------------------------------------------------------------------------------- latent
    Mutant("slerp's two ends swapped", "latent.py", "((1 - t) * omega).sin()", "(t * omega).sin()", LATENT),
    Mutant("slerp not divided by the sine", "latent.py", "omega.sin())\n", "1.0)\n", LATENT),
    Mutant("the weakest direction first", "latent.py", "vectors.T.flip(0)[:n]", "vectors.T[:n]", LATENT),
    Mutant("a linear fit without stiffness", "latent.py", "stiffness = z.shape[1] *", "stiffness = 1e-3 *", LATENT),
    # ------------------------------------------------------------------------------------- plots and board
    Mutant("the running mean is off", "plots.py", "sums[:-window]) / window", "sums[:-window]) / (window + 1)", PLOTS),
    Mutant("D(x) drawn from D(G(z))", "plots.py", '"real_p", REAL', '"fake_p", REAL', PLOTS),
    Mutant("D's healthy band elsewhere", "board.py", "(1.1, math.log(4))", "(0.1, 0.2)", PLOTS),
    Mutant("an animation's last frame is short", "plots.py", "(len(frames) - 1) + [2.0]", "len(frames)", PLOTS),
    # ----------------------------------------------------------------------------------- data and its files
    Mutant("test faces among those for training", "data.py", 'slice(-TEST_FACES) if split == "train"',
           'slice(None) if split == "train"',
           f"{FACES}::test_there_are_ten_thousand_at_each_size"),
    Mutant("means of faces not rounded", "data.py", "block**2 // 2) //", "0) //",
           f"{FACES}::test_means_are_those_that_torch_takes_rounded"),
    Mutant("pixels cut off, not rounded", "data.py", "* 127.5).round()", "* 127.5)", DATA),
    Mutant("damaged files are used", "bundle.py", "if found != wanted:", "if False:",
           f"{FACES}::test_missing_and_damaged_files_are_named_with_the_way_out"),
    Mutant("a part of a download is taken for the whole", "bundle.py", "if _checksum(root / name) != checksums()[name]:",
           "if not (root / name).exists():", DATA),
    Mutant("own pictures are squeezed", "own_pictures.py", "ImageOps.fit(",
           "(lambda picture, size, method: picture.resize(size, method))(", OWN),
    Mutant("small pictures are taken", "own_pictures.py", "min(image.size) < size", "max(image.size) < size", OWN),
    Mutant("the wrong milestone", "pretrained.py", "return kept[-1] if", "return kept[0] if", "tests/test_pretrained.py"),
    # ---------------------------------------------------------------------------------- widgets, exercises
    Mutant("truncation has no effect", "widgets/latent.py", "self.truncation.value * base", "1.0 * base", WIDGETS),
    Mutant("strength has no effect", "widgets/latent.py", "self.strength.value * value *", "value *", WIDGETS),
    Mutant("a caption lags behind", "widgets/__init__.py", "html.escape(captions[label])", "html.escape(captions[first])", WIDGETS),
    Mutant("a loss upside down is right", "exercises/lesson_02.py",
           "right = softplus(-real).mean() + softplus(fake).mean()", "right = softplus(real).mean() + softplus(-fake).mean()",
           "tests/test_exercises_02.py"),
    # ----------------------------------------------------------------------------------- lesson 05's failures
    Mutant("D's penalty is left out", "failures.py", "(loss + recipe.penalty(d, real)).backward", "loss.backward", FAILURES),
    Mutant("a leak is stopped", "failures.py", "real, fake if recipe.leak else fake.detach())", "real, fake.detach())", FAILURES),
    Mutant("G takes one step", "failures.py", "for step in range(recipe.g_steps):", "for step in range(1):", FAILURES),
    Mutant("a head start is played by both", "failures.py", "if turn < 1:", "if turn < -99:", FAILURES),
    Mutant("late means the beginning", "failures.py", ".column(name)[-turns:]))", ".column(name)[:turns]))", FAILURES),
    Mutant("the optimizers change hands", "failures.py", "recipe.optimizers[0](g.parameters()), recipe.optimizers[1](d",
           "recipe.optimizers[1](g.parameters()), recipe.optimizers[0](d", FAILURES),
]
# fmt: on


def chosen(mutants: Iterable[Mutant], words: list[str]) -> list[Mutant]:
    """Those in whose name or file one of the words occurs; all, where there is no word."""
    return [each for each in mutants if not words or any(word in f"{each.name} {each.file}" for word in words)]


def misplaced(mutants: Iterable[Mutant], root: Path = ROOT) -> list[str]:
    """A sentence for each mistake whose text does not occur exactly once in its file."""
    sentences = []
    for each in mutants:
        path = root / "gan_lessons" / each.file
        times = path.read_text(encoding="utf-8").count(each.old) if path.exists() else 0
        if times != 1 or each.old == each.new:
            sentences.append(f"{each.name}: gan_lessons/{each.file} has the text {times} times, not once: {each.old!r}.")
    return sentences


def passes(tests: str, copy: Path) -> bool:
    """Whether the tests pass in this copy. Exits where pytest finds no test, since nothing could notice anything then."""
    # No bytecode: two versions of a file, equally long and made within a second, would be taken for one.
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", "not slow and not browser"]
    try:
        done = subprocess.run(
            [*command, *tests.split()], cwd=copy, env=environment, capture_output=True, text=True, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        return False
    if done.returncode in (4, 5):  # no such file, or no test in it
        sys.exit(f"pytest finds no fast test in {tests}:\n{done.stdout[-500:]}{done.stderr[-500:]}")
    return done.returncode == 0


def survives(mutant: Mutant, copy: Path) -> bool:
    """Whether the mutant's tests pass in the copy with its mistake in it; the copy is mended afterwards."""
    path = copy / "gan_lessons" / mutant.file
    sound = path.read_bytes()
    try:
        path.write_bytes(sound.decode().replace(mutant.old, mutant.new).encode())
        return passes(mutant.tests, copy)
    finally:
        path.write_bytes(sound)


def run(mutants: list[Mutant], root: Path = ROOT) -> bool:
    """Try the mutants one after the other, print what became of each, and tell whether all were noticed."""
    unfit = misplaced(mutants, root)
    fit = [each for each in mutants if not misplaced([each], root)]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(root, copy, ignore=LEFT_OUT)
        failing = [tests for tests in dict.fromkeys(each.tests for each in fit) if not passes(tests, copy)]
        for tests in failing:
            print(f"{tests}: fails without any mistake, and says nothing about mistakes.", flush=True)
        fit = [each for each in fit if each.tests not in failing]
        survivors = []
        for each in fit:
            survivors += [each] if survives(each, copy) else []
            print(f"{'SURVIVED' if each in survivors else 'killed  '}  {each.file}: {each.name}", flush=True)
    print(*unfit, sep="\n")
    print(f"{len(fit)} mistakes tried, {len(survivors)} survived: {', '.join(each.name for each in survivors) or 'none'}.")
    return not (unfit or failing or survivors)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD")
    parser.add_argument("--list", action="store_true", help="name the mistakes, and try none")
    options = parser.parse_args()
    mutants = chosen(MUTANTS, options.only)
    if not mutants:
        parser.error(f"no mistake has {' or '.join(options.only)} in its name or file; --list names them")
    if options.list:
        print(*(f"{each.file}: {each.name}" for each in mutants), sep="\n")
        return 0
    return 0 if run(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
