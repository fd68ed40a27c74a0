"""Run notebooks (all of them by default), compare each cell's output with the recorded one, through nbval, and ask for claims."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import pytest

from tools import claims

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


class Claims:
    """After each cell its claims have to hold in its kernel; where outputs may differ, claims may too."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        result = yield
        wanted = claims.expressions(item.cell)
        if wanted and not item.config.getoption("nbval_lax"):  # with other versions a run gives other numbers
            client = item.parent.kernel.kc
            reply = client.execute_interactive(
                "", silent=True, user_expressions=wanted, output_hook=lambda message: None, timeout=60
            )
            differences = claims.differences(item.cell, reply["content"]["user_expressions"])
            assert not differences, "\n".join(differences)
        return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, usage="%(prog)s [-h] [NOTEBOOK ...] [options of pytest and nbval]")
    _, words = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as runs:  # no lesson is to go on from what another run of it has left
        os.environ["GAN_LESSONS_RUNS"] = runs
        return pytest.main([*OPTIONS, *(words or [str(ROOT / "notebooks")])], plugins=[Patience(), Claims()])


if __name__ == "__main__":
    sys.exit(main())
