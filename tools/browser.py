"""JupyterLab in a real browser, for the browser tests and benchmarks/sliders.py: a server, a Chromium, and a reader's hands."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """A JupyterLab of its own on this folder; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", "--ServerApp.password="]
    own = {"JUPYTER_CONFIG_DIR": folder / "config", "JUPYTERLAB_SETTINGS_DIR": folder / "settings"}
    environment = os.environ | {name: str(place) for name, place in own.items()}
    server = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield answering(f"http://127.0.0.1:{port}")
    finally:  # a server left behind would keep its kernels
        server.terminate()
        server.wait(20)


def answering(address: str) -> str:
    """The address, once the server there answers; after a minute without an answer, too."""
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=5).close()
            break
        except OSError:
            time.sleep(0.5)
    return address


@contextmanager
def chromium():
    """A headless Chromium, as a browser of playwright's."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        try:
            yield browser
        finally:
            browser.close()


def write_notebook(path: Path, *sources: str) -> None:
    """A notebook with these code cells, not run."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)


def open_lesson(page, lab: str, name: str) -> None:
    """Open a lesson and wait until its kernel is idle: clicks before that are lost."""
    page.goto(f"{lab}/lab/tree/notebooks/{name}?reset")
    page.wait_for_selector(".jp-Notebook")
    # The status bar's word; the indicator above the notebook says idle before there is a kernel, too.
    page.get_by_text(re.compile(r"Python 3.* \| Idle")).wait_for(timeout=120_000)


def run_cells(page, number: int) -> None:
    """Run the first cells one after the other, as a reader does with Shift-Enter."""
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.keyboard.press("Escape")
    for _ in range(number):
        page.keyboard.press("Shift+Enter")
    wait_until_run(page)


def wait_until_run(page) -> None:
    """Wait until no cell is running or waiting to."""
    page.wait_for_function(
        "() => ![...document.querySelectorAll('.jp-InputPrompt')].some(prompt => prompt.textContent.includes('*'))"
    )
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']")
