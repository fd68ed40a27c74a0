"""Run lessons and solutions on a pretended GPU, CUDA's and Apple's, and say where a real one would have stopped.

    .venv/bin/python -m tools.device_test                                       all of them, both kinds
    .venv/bin/python -m tools.device_test notebooks/07_dcgan_digits.ipynb --kinds mps
    .venv/bin/python -m tools.device_test notebooks/02*.ipynb --turns 0        with loops of full length

tools/pretended_gpu.py says what is seen and what is not. The pretended GPU is slow, so loops over range(), over a game's
turns and over a board's end after the first `--turns`; nothing else is left out. Some cells do not survive that, since what they
show needs a game played to its end. Each notebook is therefore run on the CPU too, equally short: a cell that stops there as
well is only counted. The exit code is 1 where the pretended GPU complains, or a cell stops on it and not on the CPU.
"""

import argparse
import ast
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("cuda", "mps")


class Shorter(ast.NodeTransformer):
    """Makes each `for` over range(), play() or watch() end after so many rounds."""

    def __init__(self, turns: int) -> None:
        self.turns = turns

    def visit_For(self, loop: ast.For) -> ast.For:
        self.generic_visit(loop)
        called = loop.iter.func if isinstance(loop.iter, ast.Call) else None
        name = getattr(called, "attr", getattr(called, "id", None))
        if name in ("range", "play", "watch"):
            few = ast.parse(f"__import__('itertools').islice(None, {self.turns})", mode="eval").body
            few.args[0] = loop.iter
            loop.iter = ast.copy_location(few, loop.iter)
            ast.fix_missing_locations(loop)
        return loop


def run(path: Path, kind: str, turns: int) -> dict:
    """Run a notebook's code in this process: the complaints by number, and the cells that stopped, with their errors."""
    import matplotlib
    import nbformat
    from IPython.core.interactiveshell import InteractiveShell

    matplotlib.use("agg")
    os.environ["GAN_LESSONS_DEVICE"] = kind
    complaints = {}
    if kind != "cpu":
        from tools.pretended_gpu import install

        complaints = install(kind).complaints
    shell = InteractiveShell.instance()
    shell.kernel = None  # there is one, says the board, and draws
    shell.showtraceback = lambda *ignored, **options: None
    if turns:
        shell.ast_transformers.append(Shorter(turns))
    stopped = {}
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    for number, cell in enumerate(cells, 1):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            outcome = shell.run_cell(cell.source, store_history=True)
        error = outcome.error_before_exec or outcome.error_in_exec
        if error:
            stopped[number] = f"{type(error).__name__}: {' '.join(str(error).split())[:150]}"
    return {"complaints": dict(complaints), "stopped": stopped, "cells": len(cells)}


def apart(path: Path, kind: str, turns: int) -> dict:
    """What `run` gives, from a process and a folder of its own: lessons write into the folder they are run in."""
    command = [sys.executable, "-m", "tools.device_test", str(path), "--kinds", kind, "--turns", str(turns), "--here"]
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run(
            command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
        )
    if answer.returncode:
        raise SystemExit(f"{path.name} on {kind} ended with {answer.returncode}, without an account.")
    return json.loads(answer.stdout.splitlines()[-1])


def compare(path: Path, kinds: list[str], turns: int) -> bool:
    """Run a notebook on the CPU and on each kind, print what differs, and tell whether nothing does."""
    plain, well = apart(path, "cpu", turns), True
    for kind in kinds:
        found = apart(path, kind, turns)
        only_here = {cell: error for cell, error in found["stopped"].items() if cell not in plain["stopped"]}
        shortened = f", {len(plain['stopped'])} stopped on the CPU as well" if plain["stopped"] else ""
        verdict = "complaints" if found["complaints"] or only_here else "no complaint"
        print(f"{path.relative_to(ROOT)} on {kind}: {verdict}, {found['cells']} cells{shortened}", flush=True)
        for complaint, times in found["complaints"].items():
            print(f"    {times} × {complaint}")
        for cell, error in only_here.items():
            print(f"    cell {cell} stops: {error}")
        well = well and verdict == "no complaint"
    return well


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="by default all lessons and solutions")
    parser.add_argument("--kinds", nargs="+", choices=("cpu", *KINDS), default=KINDS)
    parser.add_argument("--turns", type=int, default=60, help="rounds after which a loop ends; 0 for loops of full length")
    parser.add_argument("--here", action="store_true", help="run one notebook on one kind in this process, and print its account")
    options = parser.parse_args()
    notebooks = [path.resolve() for path in options.notebooks] or sorted((ROOT / "notebooks").rglob("[0-9]*.ipynb"))
    if options.here:
        print(json.dumps(run(notebooks[0], options.kinds[0], options.turns)))
        return 0
    verdicts = [compare(path, options.kinds, options.turns) for path in notebooks]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
