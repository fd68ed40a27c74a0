"""Run notebooks (all of them by default) and compare each cell's output with the recorded one, through nbval."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = [
    "--nbval",
    "--nbval-current-env",
    f"--nbval-sanitize-with={ROOT / 'tests/nbval_sanitize.cfg'}",
    "--nbval-cell-timeout=600",
    "--nbval-kernel-startup-timeout=120",
]


class Patience:
    """nbval waits 5 seconds for an output to arrive, too little on a busy machine."""

    def pytest_itemcollected(self, item):
        item.output_timeout = 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, usage="%(prog)s [-h] [NOTEBOOK ...] [options of pytest and nbval]")
    _, words = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as runs:  # no lesson is to go on from what another run of it has left
        os.environ["GAN_LESSONS_RUNS"] = runs
        return pytest.main([*OPTIONS, *(words or [str(ROOT / "notebooks")])], plugins=[Patience()])


if __name__ == "__main__":
    sys.exit(main())
