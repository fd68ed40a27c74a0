"""The lessons as a reader sees them: JupyterLab in a real browser, with screenshots kept in test-artefacts/."""

import base64
import io
import re
import shutil
from pathlib import Path
from statistics import median

import nbformat
import numpy
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from tools.browser import CHROMIUM, chromium, jupyterlab, open_lesson, run_cells, wait_until_run, write_notebook

ROOT = Path(__file__).resolve().parent.parent
ARTEFACTS = ROOT / "test-artefacts"

DRAWN = "import torch\nfrom drawn_faces import DrawnFaces\nfrom gan_lessons import plots, widgets\n\ngenerator = DrawnFaces()"
NAMED = """{name: d for name, d in zip(("skin", "smile", "eyes", "width", "hair"), generator.traits.weight)}"""
PANELS = {
    "sliders": f"widgets.latent_sliders(generator, {NAMED})",
    "sixteen": f"widgets.latent_sliders(generator, {NAMED}, faces=16)",
    "time": "widgets.time_travel({100: DrawnFaces(seed=1), 1000: DrawnFaces(seed=2), 20000: generator})",
    "morph": "widgets.morph(generator)",
    "teach": "panel = widgets.teach_direction(generator)\npanel",
    "frames": "frames = {name: generator(torch.randn(4, 100)) for name in ('old', 'middle', 'new')}\n"
    "widgets.frame_slider({name: plots.grid_png(faces, name) for name, faces in frames.items()}, 'age')",
}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the browser tests were left out"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the notebooks, and notebooks with a panel each."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns("runs", ".ipynb_checkpoints"))
    shutil.copy(ROOT / "tests" / "drawn_faces.py", folder / "notebooks")
    for name, panel in PANELS.items():
        write_notebook(folder / "notebooks" / f"{name}.ipynb", DRAWN, panel)
    return folder


@pytest.fixture(scope="module")
def lab(folder):
    with jupyterlab(folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.set_default_timeout(60_000)
    yield page
    assert page.errors == []
    page.close()


END_KERNELS = """async () => {
  const headers = {"X-XSRFToken": document.cookie.match(/_xsrf=([^;]+)/)[1]}
  for (const session of await (await fetch("/api/sessions")).json())
    await fetch(`/api/sessions/${session.id}`, {method: "DELETE", headers})
}"""


def screenshot(page, name):
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png")


def run_all_cells(page):
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


def test_lesson_04_opens_with_its_pictures_and_runs(page, lab):
    open_lesson(page, lab, "04_mlp_gan.ipynb")
    assert page.locator("h1").first.inner_text().startswith("4 · An MLP GAN draws digits")
    screenshot(page, "lesson_04_opened")
    run_cells(page, 6)
    output = page.locator(".jp-OutputArea-output pre").filter(has_text=re.compile("60 000 digits"))
    assert "shape (64, 1, 28, 28), from -1 to 1" in output.inner_text()
    output.scroll_into_view_if_needed()
    # JupyterLab draws only the cells near the window, so the picture is looked for where the reader is.
    picture = page.locator(".jp-OutputArea img").first
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") > 500
    screenshot(page, "lesson_04_ran")


def folded_cells(path):
    tagged = [cell for cell in nbformat.read(path, as_version=4).cells if "hide-input" in cell.metadata.get("tags", [])]
    return [bool(cell.metadata.get("jupyter", {}).get("source_hidden")) for cell in tagged]


def save(page):
    page.locator(".jp-InputPrompt, .jp-RenderedMarkdown").first.click()
    page.keyboard.press("Control+s")
    page.locator(".jp-mod-current.jp-mod-dirty").wait_for(state="detached")


def test_a_folded_cell_is_opened_and_closed_and_both_are_kept(page, lab, folder):
    path = folder / "notebooks" / "00_folded.ipynb"
    shutil.copy(ROOT / "notebooks/00_start_here.ipynb", path)
    open_lesson(page, lab, path.name)
    run_all_cells(page)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='busy']")
    page.set_default_timeout(240_000)
    wait_until_run(page)
    page.locator(".jp-WindowedPanel-outer").first.evaluate("pages => pages.scrollTop = 0")
    bar = page.locator(".jp-InputPlaceholder").filter(has_text="# @title A face and seven sliders")
    bar.click()
    page.get_by_text("widgets.latent_sliders").wait_for()
    screenshot(page, "unfolded")
    save(page)
    assert folded_cells(path) == [True, False] + [True] * (len(folded_cells(path)) - 2), "one is open, as the reader left it"
    page.locator(".jp-CodeCell").filter(has_text="widgets.latent_sliders").locator(".jp-InputCollapser").click()
    bar.wait_for()
    save(page)
    assert all(folded_cells(path))
    open_lesson(page, lab, path.name)
    bar.wait_for()
    assert page.get_by_text("widgets.latent_sliders").count() == 0


PIXELS = """async image => {
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0);
    return Array.from(pen.getImageData(0, 0, canvas.width, canvas.height).data).join();
}"""


def test_lesson_02_slider_follows_the_arrow_keys(page, lab):
    open_lesson(page, lab, "02_minimax_objective.ipynb")
    run_all_cells(page)
    panel = page.locator(".jp-OutputArea .gan-lessons-panel").filter(has=page.get_by_role("slider"))
    slider, picture, caption = panel.get_by_role("slider"), panel.locator("img"), panel.locator(".widget-html").last
    picture.wait_for(timeout=240_000)
    wait_until_run(page)
    picture.scroll_into_view_if_needed()

    def shown(distance):
        """The pixels of the picture, wherever it is scrolled to, as soon as the caption speaks of this distance."""
        caption.filter(has_text=f"Densities {distance} apart").wait_for()
        return picture.evaluate(PIXELS)

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


def open_panel(page, lab, name):
    """Open the notebook with this panel and run it; gives the panel. From here on an error in the console fails the test."""
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    open_lesson(page, lab, f"{name}.ipynb")
    run_cells(page, 2)
    panel = page.locator(".jp-OutputArea-output > .widget-vbox, .jp-OutputArea-output .lm-Panel > .widget-vbox").first
    panel.locator("img").first.wait_for()
    panel.evaluate("panel => panel.scrollIntoView()")
    return panel


def picture_that(panel, words):
    """What the reader sees of the picture whose text is these words (or has this pattern), as pixels height×width×3."""
    image = panel.get_by_role("img", name=words, exact=True)
    image.wait_for()
    image.evaluate("image => image.decode()")
    return numpy.asarray(Image.open(io.BytesIO(image.screenshot())).convert("RGB"))


def different(a, b):
    return a.shape != b.shape or (a != b).any()


def slider_of(panel, name):
    return panel.locator(".widget-slider").filter(has_text=name).get_by_role("slider")


def press(page, key, times=1):
    for _ in range(times):
        page.keyboard.press(key)


def test_latent_sliders_follow_keyboard_and_mouse(page, lab):
    panel = open_panel(page, lab, "sliders")
    start = picture_that(panel, "A face, all sliders at 0")
    assert min(start.shape[:2]) >= 256
    assert panel.locator("img").evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"
    slider_of(panel, "skin").focus()
    press(page, "Tab", 2)  # over the number beside the slider, which can be typed into
    press(page, "ArrowLeft", 20)
    frown = picture_that(panel, "A face moved by smile -2.0")
    assert different(frown, start)
    screenshot(page, "latent_sliders_moved")
    press(page, "ArrowRight", 20)
    assert not different(picture_that(panel, "A face, all sliders at 0"), start)
    handle = slider_of(panel, "smile").bounding_box()
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(handle["x"] - 400, handle["y"], steps=20)
    page.mouse.up()
    assert different(picture_that(panel, "A face moved by smile -3.0"), start)


def test_faces_are_kept_returned_to_and_saved(page, lab, folder):
    panel = open_panel(page, lab, "sliders")
    picture_that(panel, "A face, all sliders at 0")
    slider_of(panel, "smile").focus()
    press(page, "ArrowLeft", 20)
    frown = picture_that(panel, "A face moved by smile -2.0")
    panel.get_by_role("button", name="Keep").click()
    kept = panel.get_by_role("button", name="Return to: A face moved by smile -2.0")
    kept.wait_for()
    panel.get_by_role("button", name="Random face").click()
    another = picture_that(panel, "A face, all sliders at 0")
    panel.get_by_role("button", name="Save as PNG").click()
    panel.get_by_text("Saved as face_1.png in").wait_for()
    saved = Image.open(folder / "notebooks" / "face_1.png").resize(another.shape[1::-1])
    assert abs(numpy.asarray(saved).astype(int) - another).mean() < 3, "what is saved is what is seen"
    assert abs(frown.astype(int) - another).mean() > 10
    kept.focus()
    page.keyboard.press("Enter")
    assert not different(picture_that(panel, "A face moved by smile -2.0"), frown)
    screenshot(page, "kept_faces")


@pytest.mark.parametrize(("name", "size"), [("projector", (700, 500)), ("small", (1024, 768))])
def test_sliders_and_picture_stay_side_by_side(page, lab, name, size):
    panel = open_panel(page, lab, "sixteen")
    page.set_viewport_size({"width": size[0], "height": size[1]})  # 1400×1000 at 200 % is 700×500
    if size[0] < 1000:
        page.keyboard.press("Control+b")  # the file browser away, as on any projector
    page.wait_for_timeout(1000)
    panel.evaluate("panel => panel.scrollIntoView()")
    slider, image = slider_of(panel, "skin").bounding_box(), panel.locator("img").bounding_box()
    screenshot(page, f"latent_sliders_{name}")
    assert image["width"] >= 240 and image["x"] > slider["x"]
    assert image["x"] + image["width"] <= size[0] and abs(image["y"] - slider["y"]) < 60


def test_time_travel_shows_an_earlier_generator_and_comes_back(page, lab):
    panel = open_panel(page, lab, "time")
    end = picture_that(panel, "A face, all sliders at 0, after 20 000 turns")
    slider_of(panel, "turns").focus()
    press(page, "ArrowLeft", 2)
    assert different(picture_that(panel, "A face, all sliders at 0, after 100 turns"), end)
    screenshot(page, "time_travel")
    press(page, "ArrowRight", 2)
    assert not different(picture_that(panel, "A face, all sliders at 0, after 20 000 turns"), end)


def test_a_morph_moves_and_changes_its_way(page, lab):
    panel = open_panel(page, lab, "morph")
    middle = picture_that(panel, re.compile("t = 0.50, on the arc"))
    slider_of(panel, "t").focus()
    press(page, "End")
    assert different(picture_that(panel, re.compile("t = 1.00, on the arc")), middle)
    press(page, "ArrowLeft", 25)
    assert not different(picture_that(panel, re.compile("t = 0.50, on the arc")), middle)
    panel.get_by_role("button", name="straight (lerp)").click()
    strip = panel.get_by_role("img", name=re.compile("nine faces, on the straight line"))
    strip.wait_for()
    screenshot(page, "morph")


def test_clicked_faces_become_a_slider(page, lab):
    panel = open_panel(page, lab, "teach")
    for number in (1, 3, 9):
        panel.get_by_role("button", name=f"Face {number}, not marked", exact=True).click()
    panel.get_by_role("button", name="Face 10, not marked", exact=True).focus()
    page.keyboard.press("Space")
    panel.get_by_text("4 of 24 faces are marked.").wait_for()
    panel.get_by_label("What is it?").fill("smile")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    panel.get_by_text("There is a slider 'smile' below, found from 4 marked faces of 24.").wait_for()
    panel.get_by_role("slider", name="smile", exact=True).wait_for()  # a screen reader knows the new one, too
    smiling = picture_that(panel, "A face moved by smile +2.0")
    slider_of(panel, "smile").focus()
    press(page, "ArrowLeft", 40)
    assert different(picture_that(panel, "A face moved by smile -2.0"), smiling)
    screenshot(page, "taught_direction")


def scrolled_to(page, name):
    """The panel with this slider, wherever it is in the lesson: JupyterLab draws only what is near the window."""
    pages, panel = page.locator(".jp-WindowedPanel-outer").first, page.locator(".jp-OutputArea .widget-vbox")
    panel = panel.filter(has=page.locator(".widget-slider").filter(has_text=name)).first
    for _ in range(100):
        if panel.count():
            panel.evaluate("panel => panel.scrollIntoView()")
            return panel
        pages.evaluate("pages => pages.scrollTop += 600")
        page.wait_for_timeout(200)
    raise AssertionError(f"no panel with a slider {name!r} was found")


@pytest.mark.parametrize(("lesson", "slider"), [("00_start_here", "glasses"), ("09_latent_space", "clear glasses")])
def test_lessons_with_panels_run_and_their_sliders_move_a_face(page, lab, lesson, slider):
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    open_lesson(page, lab, f"{lesson}.ipynb")
    page.set_default_timeout(240_000)
    run_all_cells(page)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='busy']")
    wait_until_run(page)
    page.locator(".jp-WindowedPanel-outer").first.evaluate("pages => pages.scrollTop = 0")
    panel = scrolled_to(page, slider)
    start = picture_that(panel, "A face, all sliders at 0")
    slider_of(panel, slider).focus()
    press(page, "ArrowRight", 20)
    assert different(picture_that(panel, f"A face moved by {slider} +2.0"), start)
    screenshot(page, f"lesson_{lesson[:2]}_moved")
    press(page, "ArrowLeft", 20)
    assert not different(picture_that(panel, "A face, all sliders at 0"), start)


@pytest.mark.parametrize("name", ["sliders", "teach", "frames"])
def test_a_panel_that_is_reopened_without_its_kernel_shows_its_still(page, browser, lab, folder, name):
    name = f"{name}_saved"  # a file of its own: whoever opens it afterwards finds views without a model
    write_notebook(folder / "notebooks" / f"{name}.ipynb", DRAWN, PANELS[name.removesuffix("_saved")])
    panel = open_panel(page, lab, name)
    above = page.locator(".jp-OutputArea-child").first
    assert above.bounding_box() is None, "where the panel is live, nothing stands above it"
    assert panel.evaluate("panel => getComputedStyle(panel.closest('.jp-OutputArea-output'), '::before').content") == "none"
    page.keyboard.press("Control+s")
    page.locator(".jp-mod-current.jp-mod-dirty").wait_for(state="detached")
    page.evaluate(END_KERNELS)
    again = browser.new_page(viewport={"width": 1400, "height": 1000})
    open_lesson(again, lab, f"{name}.ipynb")
    view = again.locator(".jp-OutputArea-output.jupyter-widgets").filter(has_text="model not found")
    view.wait_for()
    assert view.evaluate("view => getComputedStyle(view).fontSize") == "0px"
    seen = Image.open(io.BytesIO(view.screenshot())).convert("RGB")
    screenshot(again, f"{name}_reopened")
    again.close()
    (_, output) = nbformat.read(folder / "notebooks" / f"{name}.ipynb", as_version=4).cells[1].outputs
    still = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).convert("RGB")
    # As wide as the page leaves room for, and compared in a small size, since its place is no whole number of pixels.
    width = min(still.width, seen.width)
    still = still.resize((width, round(still.height * width / still.width)))
    small = [numpy.asarray(picture.crop((0, 0, *still.size)).reduce(8)).astype(int) for picture in (seen, still)]
    assert abs(small[0] - small[1]).mean() < 4 < small[1].std()


PREDICTIONS = """from gan_lessons import widgets
where, share = widgets.predict("Whole heart, or one place?", ["the whole heart", "one place"]), widgets.predict("What share?", unit="%")
where"""


def test_predictions_are_given_and_compared_by_keyboard(page, browser, lab, folder):
    write_notebook(
        folder / "notebooks/predict.ipynb", PREDICTIONS, "share", "widgets.compare({where: 'one place', share: '93 %'})"
    )
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    open_lesson(page, lab, "predict.ipynb")
    run_cells(page, 3)
    table = page.locator(".gan-lessons-table")
    table.get_by_role("cell", name="answer it, or press Show all").nth(1).wait_for()
    page.get_by_role("button", name="one place").focus()
    press(page, "Enter")
    page.get_by_placeholder("a number, then Enter").fill("70")
    press(page, "Enter")
    table.get_by_role("row", name="Whole heart, or one place? one place one place").wait_for()
    table.get_by_role("row", name="What share? 70 % 93 %").wait_for()
    found = Axe().run(page, context=".gan-lessons-panel").response
    serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    assert not serious, "\n".join(f"{each['id']}: {each['nodes'][0]['html']}" for each in serious)
    screenshot(page, "predictions")
    page.locator(".jp-InputPrompt").first.click()  # out of the text field
    page.keyboard.press("Control+s")
    page.locator(".jp-mod-current.jp-mod-dirty").wait_for(state="detached")
    page.evaluate(END_KERNELS)
    again = browser.new_page(viewport={"width": 1400, "height": 1000})
    open_lesson(again, lab, "predict.ipynb")
    view = again.locator(".jp-OutputArea-output.jupyter-widgets").filter(has_text="model not found").first
    view.wait_for()
    assert "Whole heart, or one place?" in view.evaluate("view => getComputedStyle(view, '::before').content")
    screenshot(again, "predictions_reopened")
    again.close()


@pytest.mark.parametrize("name", PANELS)
def test_axe_finds_no_serious_fault_in_a_panel(page, lab, name):
    open_panel(page, lab, name)
    found = Axe().run(page, context=".gan-lessons-panel").response
    assert found["passes"], "axe looked at nothing"
    serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    assert not serious, "\n".join(f"{each['id']}: {each['nodes'][0]['html']}" for each in serious)


def test_a_panel_that_is_shown_twice_moves_in_step(page, lab, folder):
    write_notebook(folder / "notebooks" / "twice.ipynb", DRAWN, f"panel = {PANELS['sliders']}\npanel", "panel")
    open_panel(page, lab, "twice")
    page.keyboard.press("Shift+Enter")
    wait_until_run(page)
    page.wait_for_function("() => document.querySelectorAll('.gan-lessons-crisp').length == 2")
    first, second = page.locator(".jp-OutputArea-output:has(> .gan-lessons-panel)").all()
    first.evaluate("panel => panel.scrollIntoView()")
    slider_of(first, "skin").focus()
    press(page, "ArrowLeft", 10)
    words = "A face moved by skin -1.0"
    first.get_by_role("img", name=words, exact=True).wait_for()
    second.get_by_role("img", name=words, exact=True).wait_for()
    second.evaluate("panel => panel.scrollIntoView()")
    slider_of(second, "skin").focus()
    press(page, "ArrowRight", 10)
    first.get_by_role("img", name="A face, all sliders at 0", exact=True).wait_for()


# When the reader lets go, and when pictures come.
WATCH_DRAG = """image => {
  window.seen = {released: null, loads: []}
  addEventListener('pointerup', () => { seen.released = performance.now() }, true)
  image.addEventListener('load', () => seen.loads.push(performance.now()))
}"""


def drag(page, panel, there):
    """Drag the slider 'smile' by `there` pixels, in forty steps within two seconds; gives what the page saw."""
    handle = slider_of(panel, "smile").bounding_box()
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    page.evaluate("() => { seen.loads.length = 0 }")
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 41):
        page.mouse.move(x + there * step / 40, y)
        page.wait_for_timeout(50)
    page.mouse.up()
    page.wait_for_timeout(1000)
    return page.evaluate("seen")


def test_a_drag_ends_on_its_last_value_at_once(page, lab):
    panel = open_panel(page, lab, "sliders")
    panel.locator("img").first.evaluate(WATCH_DRAG)
    there, late = panel.locator(".noUi-target").nth(1).bounding_box()["width"] / 3, []
    for _ in range(5):
        seen = drag(page, panel, there)
        value = float(slider_of(panel, "smile").get_attribute("aria-valuenow"))
        assert value == pytest.approx(2 if there > 0 else 0, abs=0.21), "the slider went with the mouse"
        picture_that(panel, f"A face moved by smile {value:+.1f}" if value else "A face, all sliders at 0")
        assert len(seen["loads"]) >= 10, "the picture moves while the slider does"
        late.append(seen["loads"][-1] - seen["released"])
        there = -there
    assert median(late) <= 100, f"milliseconds from letting go to the last picture: {late}"


def test_no_frame_of_a_drag_is_blank(page, lab):
    panel = open_panel(page, lab, "sliders")
    box = panel.locator("img").first.bounding_box()
    page.evaluate("() => { window.seen = {loads: []} }")
    session, frames = page.context.new_cdp_session(page), []
    session.on("Page.screencastFrame", lambda frame: session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]}))
    session.on("Page.screencastFrame", lambda frame: frames.append(frame["data"]))
    session.send("Page.startScreencast", {"format": "png"})
    drag(page, panel, panel.locator(".noUi-target").nth(1).bounding_box()["width"] / 3)
    session.send("Page.stopScreencast")
    assert len(frames) >= 10
    for data in frames:
        frame = Image.open(io.BytesIO(base64.b64decode(data))).convert("L")
        scale = frame.width / page.viewport_size["width"]
        picture = frame.crop(
            tuple(scale * edge for edge in (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]))
        )
        assert numpy.asarray(picture).std() > 20, "a frame in which the face is not to be seen"


@pytest.fixture(scope="module")
def dark_lab(folder, tmp_path_factory):
    dark = tmp_path_factory.mktemp("dark")
    shutil.copytree(folder / "notebooks", dark / "notebooks")
    settings = dark / "settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"theme": "JupyterLab Dark"}')
    with jupyterlab(dark) as address:
        yield address


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_fits_into_a_dark_page_of_any_width(page, dark_lab, name):
    """Its words can be read on the page's own colour, and nothing is wider than the page."""
    panel = open_panel(page, dark_lab, name)
    page.locator("body[data-jp-theme-light='false']").wait_for(state="attached")
    page.keyboard.press("Control+b")
    for width in (1400, 700, 390):  # 1400 at 200 % is 700
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(1000)
        panel.evaluate("panel => panel.scrollIntoView()")
        screenshot(page, f"dark_{name}_{width}")
        found = Axe().run(page, context=".gan-lessons-panel", options={"runOnly": ["color-contrast"]}).response
        assert not found["violations"], found["violations"]
        assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth + 2"), width


@pytest.mark.parametrize("width", [700, 390])
def test_sliders_can_be_used_on_a_narrow_page(page, lab, width):
    panel = open_panel(page, lab, "time")
    page.set_viewport_size({"width": width, "height": 900})
    page.keyboard.press("Control+b")
    page.wait_for_timeout(1000)
    panel.evaluate("panel => panel.scrollIntoView()")
    screenshot(page, f"narrow_{width}")
    for name in ("turns", "direction 1", "truncation"):
        row = panel.locator(".widget-slider").filter(has_text=name)
        track, label = row.locator(".noUi-target").bounding_box(), row.locator(".widget-label").bounding_box()
        assert track["width"] >= 110, f"{track['width']} pixels for the 60 steps of {name}"
        assert label["y"] + label["height"] <= track["y"] + 4, "its name is above it"
        assert row.bounding_box()["x"] + row.bounding_box()["width"] <= width


def test_a_panel_says_what_to_do_when_its_kernel_was_restarted(page, lab):
    panel = open_panel(page, lab, "teach")
    says = "panel => getComputedStyle(panel, '::after').content"
    assert panel.evaluate(says) == "none"
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_text("Restart Kernel…", exact=True).click()
    page.get_by_role("button", name="Confirm Kernel Restart").click()
    page.wait_for_function("() => document.querySelector('.gan-lessons-panel.jupyter-widgets-disconnected')")
    panel.evaluate("panel => panel.scrollIntoView(false)")
    screenshot(page, "kernel_restarted")
    assert "run this cell again" in panel.evaluate(says)
    inner = panel.locator(".gan-lessons-panel")
    assert inner.evaluate("panel => getComputedStyle(panel, '::after').display") == "none", "it is said once"
    page.get_by_text(re.compile(r"Python 3.* \| Idle")).wait_for(timeout=120_000)  # a server ends sooner with whole kernels
    page.errors.clear()  # JupyterLab writes of the lost connection into the console


def test_no_popup_asks_for_news(page, lab):
    page.goto(f"{lab}/lab?reset")
    page.wait_for_selector(".jp-Launcher")
    page.wait_for_timeout(3000)
    assert page.get_by_text("Would you like to").count() == 0
