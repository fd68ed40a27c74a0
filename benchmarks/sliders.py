"""How fast a latent slider answers, with lesson 08's generator (the weights do not matter for the time).

    .venv/bin/python -m benchmarks.sliders
    .venv/bin/python -m benchmarks.sliders --presses 100 --runs 5

prints the milliseconds a move takes in Python, from the slider's new value to the PNG file, for one face and for 4×4,
and then, in JupyterLab in a headless Chromium, those from the key press to the new picture loaded: median and 95th
percentile of each run, and of the runs the median. It needs a Chromium, and a machine that does nothing else.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import torch

from gan_lessons import models, widgets
from tools.browser import chromium, jupyterlab, open_lesson, run_cells, write_notebook

GENERATOR = (100, (3, 64, 64), 24)
SETUP = f"from gan_lessons import models, widgets\ngenerator = models.conv_generator{GENERATOR}"
# The clock starts in the page when the key goes down, and stops when the picture that it brought has been decoded.
WATCH = """image => {
  window.waits = []; let pressed = null;
  addEventListener('keydown', () => { pressed = performance.now() }, true);
  image.addEventListener('load', () => {
    if (pressed !== null) { waits.push(performance.now() - pressed); pressed = null }
  });
}"""


def server_side(faces: int, moves: int = 60) -> float:
    """The median milliseconds of one move, in Python."""
    panel = widgets.latent_sliders(models.conv_generator(*GENERATOR), faces=faces)
    slider = panel.sliders["direction 1"]
    times = []
    for move in range(moves):
        started = time.perf_counter()
        slider.value = -3 + 0.1 * move
        times.append(1000 * (time.perf_counter() - started))
    return median(times[5:])


def in_browser(faces: int, presses: int, runs: int) -> list[list[float]]:
    """For each run the milliseconds from each key press to the new picture."""
    with tempfile.TemporaryDirectory() as name, jupyterlab(Path(name)) as lab, chromium() as browser:
        write_notebook(Path(name) / "notebooks" / "sliders.ipynb", SETUP, f"widgets.latent_sliders(generator, faces={faces})")
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(120_000)
        open_lesson(page, lab, "sliders.ipynb")
        run_cells(page, 2)
        page.locator(".widget-image").evaluate(WATCH)
        page.get_by_role("slider").first.focus()
        return [one_run(page, presses) for _ in range(runs)]


def one_run(page, presses: int) -> list[float]:
    page.evaluate("waits.length = 0")
    for press in range(presses):
        # There and back, so that the slider never stands at its end, where nothing moves.
        page.keyboard.press("ArrowLeft" if press % 2 else "ArrowRight")
        page.wait_for_function("count => waits.length >= count", arg=press + 1)
    return page.evaluate("waits")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presses", type=int, default=40, help="key presses a run")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    print(f"torch with {torch.get_num_threads()} threads")
    for faces in (1, 16):
        times = [server_side(faces) for _ in range(arguments.runs)]
        print(f"{faces:2} faces, server side: {median(times):.1f} ms a move (runs {', '.join(f'{t:.1f}' for t in times)})")
    for faces in (1, 16):
        runs = in_browser(faces, arguments.presses, arguments.runs)
        middle, slow = median(map(median, runs)), median(quantiles(run, n=20)[-1] for run in runs)
        print(f"{faces:2} faces, key press to new picture: median {middle:.0f} ms, p95 {slow:.0f} ms")


if __name__ == "__main__":
    main()
