"""The lessons as a reader sees them: JupyterLab in a real browser, with screenshots kept in test-artefacts/."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ARTEFACTS = ROOT / "test-artefacts"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the browser tests were left out"),
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab of its own on a copy of the notebooks; gives its address."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns("runs", ".ipynb_checkpoints"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", "--ServerApp.password="]
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    server = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=5).close()
            break
        except OSError:
            time.sleep(0.5)
    yield address
    server.terminate()
    server.wait(20)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.set_default_timeout(60_000)
    yield page
    assert page.errors == []
    page.close()


def open_lesson(page, lab, name):
    """Open a lesson and wait until its kernel is idle: clicks before that are lost."""
    page.goto(f"{lab}/lab/tree/notebooks/{name}?reset")
    page.wait_for_selector(".jp-Notebook")
    # The status bar's word; the indicator above the notebook says idle before there is a kernel, too.
    page.get_by_text(re.compile(r"Python 3.* \| Idle")).wait_for(timeout=120_000)


def screenshot(page, name):
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png")


def run_cells(page, number):
    """Run the first cells one after the other, as a reader does with Shift-Enter."""
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.keyboard.press("Escape")
    for _ in range(number):
        page.keyboard.press("Shift+Enter")
    wait_until_run(page)


def run_all_cells(page):
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


def wait_until_run(page):
    page.wait_for_function(
        "() => ![...document.querySelectorAll('.jp-InputPrompt')].some(prompt => prompt.textContent.includes('*'))"
    )
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']")


def test_lesson_04_opens_with_its_pictures_and_runs(page, lab):
    open_lesson(page, lab, "04_mlp_gan.ipynb")
    assert page.locator("h1").first.inner_text().startswith("4 · An MLP GAN draws digits")
    screenshot(page, "lesson_04_opened")
    run_cells(page, 6)
    output = page.locator(".jp-OutputArea-output pre").filter(has_text=re.compile("60000 digits"))
    assert "shape (64, 1, 28, 28), from -1 to 1" in output.inner_text()
    output.scroll_into_view_if_needed()
    # JupyterLab draws only the cells near the window, so the picture is looked for where the reader is.
    picture = page.locator(".jp-OutputArea img").first
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") > 500
    screenshot(page, "lesson_04_ran")


def test_lesson_02_slider_follows_the_arrow_keys(page, lab):
    open_lesson(page, lab, "02_minimax_objective.ipynb")
    run_all_cells(page)
    panel = page.locator(".jp-OutputArea .widget-vbox")
    slider, picture, caption = panel.get_by_role("slider"), panel.locator("img"), panel.locator(".widget-html")
    picture.wait_for(timeout=240_000)
    wait_until_run(page)
    picture.scroll_into_view_if_needed()

    def shown(distance):
        """What the reader sees of the picture as soon as the caption speaks of this distance."""
        caption.filter(has_text=f"Densities {distance} apart").wait_for()
        picture.evaluate("image => image.decode()")
        return picture.screenshot()

    start = shown("0.00")
    page.locator(".jp-CodeCell").filter(has=panel).locator(".jp-InputPrompt").click()
    page.keyboard.press("Escape")
    for _ in range(10):
        page.keyboard.press("Tab")
        if slider.evaluate("handle => handle === document.activeElement"):
            break
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert shown("1.00") != start
    screenshot(page, "lesson_02_slider_moved")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    assert shown("0.00") == start


def test_no_popup_asks_for_news(page, lab):
    page.goto(f"{lab}/lab?reset")
    page.wait_for_selector(".jp-Launcher")
    page.wait_for_timeout(3000)
    assert page.get_by_text("Would you like to").count() == 0
