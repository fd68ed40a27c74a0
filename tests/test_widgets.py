"""Sliders and panels, moved without a browser."""

import base64
import html
import io
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import ipywidgets
import nbformat
import numpy
import pytest
import torch
from drawn_faces import DrawnFaces
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure
from nbclient import NotebookClient
from nbconvert import HTMLExporter, SlidesExporter
from PIL import Image

from gan_lessons import latent, models, plots, runtime, training, widgets
from gan_lessons.widgets import latent as latent_panels
from gan_lessons.widgets import panel as panel_module
from gan_lessons.widgets.panel import filmstrip


def picture(shade):
    content = io.BytesIO()
    Image.new("L", (4, 3), shade).save(content, "PNG")
    return content.getvalue()


PICTURES = {"0.0": picture(0), "0.5": picture(100), "1.0": picture(200)}
CAPTIONS = {"0.0": "black", "0.5": "a < b & grey", "1.0": "light"}


def test_the_picture_and_its_caption_follow_the_slider():
    slider, image, caption = widgets.frame_slider(PICTURES, "shade", CAPTIONS).children
    assert (slider.value, image.value, caption.value) == ("0.0", PICTURES["0.0"], "black")
    for label in ("1.0", "0.5", "0.0"):
        slider.value = label
        assert image.value == PICTURES[label]
    slider.index = 1
    assert image.value == PICTURES["0.5"]
    assert caption.value == "a &lt; b &amp; grey"


def test_without_captions_the_place_is_said():
    slider, _, caption = widgets.frame_slider(PICTURES, "shade").children
    slider.value = "1.0"
    assert caption.value == "shade 1.0"


def test_words_stand_in_where_widgets_are_not_drawn():
    words = "[A slider over 3 pictures, shade: run the notebook to move it.]"
    assert repr(widgets.frame_slider(PICTURES, "shade")) == words
    assert len(words) < 110, "ipywidgets cuts it off there"


def test_the_middle_picture_stands_in_where_widgets_are_not_drawn():
    bundle = widgets.frame_slider(PICTURES, "shade")._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]) == PICTURES["0.5"]


@pytest.mark.parametrize(
    ("pictures", "captions", "error", "says"),
    [
        ({}, None, ValueError, "at least two pictures to go between; there are 0"),
        ({"a": picture(1)}, None, ValueError, "there are 1"),
        ({"a": picture(1), "b": b"GIF89a.."}, None, ValueError, "'b' is no PNG file: it begins with b'GIF89a..'"),
        ({"a": picture(1), "b": b""}, None, ValueError, "'b' is no PNG file"),
        ({"a": picture(1), "b": Figure()}, None, TypeError, "'b' is of type Figure; .* widgets.film"),
        ({1: picture(1), 2: picture(2)}, None, TypeError, "must be text, not int"),
        (PICTURES, {"0.0": "black"}, ValueError, "no caption for '0.5', '1.0'"),
    ],
)
def test_bad_input_is_refused_at_the_door(pictures, captions, error, says):
    with pytest.raises(error, match=says):
        widgets.frame_slider(pictures, "shade", captions)


def pixels(content):
    return numpy.asarray(Image.open(io.BytesIO(content)))


def test_a_film_draws_what_moves_and_takes_it_away_again():
    figure = Figure(figsize=(2, 1), dpi=50)
    axes = figure.add_subplot()
    axes.set(xlim=(0, 4), ylim=(0, 2))

    def draw(place):
        return axes.plot([place], [1], "o", color="red")

    first, second, again = map(pixels, widgets.film(figure, draw, [1, 3, 1]))
    assert first.shape == (50, 100, 3)
    assert not axes.lines
    moved = (first != second).any(axis=(0, 2)).nonzero()[0]
    assert moved.min() < 50 < moved.max(), "red has gone from the left half to the right half"
    assert (first == again).all(), "nothing is left behind"


def test_a_film_shows_what_a_whole_drawing_shows():
    # Without a layout engine, which would make room for the text in the whole drawing alone.
    figure = Figure(figsize=(2, 1), dpi=50, layout="none")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1])
    (frame,) = widgets.film(figure, lambda place: [axes.text(0.2, 0.8, place)], ["here"])
    axes.text(0.2, 0.8, "here")
    whole = io.BytesIO()
    figure.savefig(whole, format="png")
    assert (pixels(frame) == pixels(whole.getvalue())[..., :3]).all()


# The latent panels. DrawnFaces needs no training: its first layer's rows are skin, smile, size of the eyes and so on.

SIZE = 12


@pytest.fixture
def generator():
    return DrawnFaces(SIZE, 32)


@pytest.fixture
def panel(generator):
    return widgets.latent_sliders(generator, {"skin": generator.traits.weight[0], "smile": generator.traits.weight[1]})


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """The notebook's folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(panel):
    return panel.picture.image.value


def drawn_from(generator, z):
    with torch.no_grad():
        return plots.tiles(generator(z), 1)


def words(panel):
    """The panel's message without its markup."""
    return html.unescape(re.sub("<.*?>", "", panel.message.value))


def button(panel, description):
    """The button of this description, wherever in the panel it stands."""
    found, waiting = [], list(panel.children)
    while waiting:
        widget = waiting.pop()
        waiting += getattr(widget, "children", ())
        found += [widget] if isinstance(widget, ipywidgets.Button) and widget.description == description else []
    (only,) = found
    return only


def test_a_slider_changes_the_picture_and_leads_back_to_the_same_bytes(panel):
    start, sliders = shown(panel), panel.sliders
    sliders["smile"].value = 2
    moved = shown(panel)
    assert moved != start
    sliders["skin"].value = -3
    assert shown(panel) != moved
    sliders["skin"].value = sliders["smile"].value = 0
    assert shown(panel) == start


def test_the_picture_is_the_generators_at_z_moved_by_so_many_standard_deviations(panel, generator):
    base = panel.z
    panel.sliders["smile"].value = 2
    panel.strength.value = 1.5
    direction = generator.traits.weight[1].detach()
    expected = base + 3 * direction / direction.norm()
    assert torch.allclose(panel.z, expected, atol=1e-6)
    assert (pixels(shown(panel)) == drawn_from(generator, panel.z)).all()
    assert panel.picture.caption.value == "A face moved by smile +2.0, strength 1.5"


def test_truncation_0_gives_the_face_in_the_middle(panel, generator):
    panel.truncation.value = 0
    assert (pixels(shown(panel)) == drawn_from(generator, torch.zeros(1, SIZE))).all()
    middle = shown(panel)
    button(panel, "Random face").click()
    assert shown(panel) == middle
    panel.sliders["smile"].value = 3
    assert shown(panel) != middle, "the sliders are not truncated"


def test_a_random_face_keeps_the_sliders_only_under_the_lock(panel):
    panel.sliders["smile"].value = 2
    first = panel.z
    panel.lock.value = True
    button(panel, "Random face").click()
    assert panel.sliders["smile"].value == 2 and not torch.equal(panel.z, first)
    panel.lock.value = False
    button(panel, "Random face").click()
    assert panel.sliders["smile"].value == 0


def test_reset_brings_back_the_face_as_it_came(panel):
    start = shown(panel)
    panel.sliders["skin"].value, panel.strength.value, panel.truncation.value = 1, 2, 0.5
    button(panel, "Reset").click()
    assert shown(panel) == start
    assert (panel.sliders["skin"].value, panel.strength.value, panel.truncation.value) == (0, 1, 1)


def test_a_kept_face_can_be_returned_to(panel):
    panel.sliders["smile"].value = -2
    kept = shown(panel)
    button(panel, "Keep").click()
    button(panel, "Random face").click()
    panel.truncation.value = 0.5
    assert shown(panel) != kept
    assert panel.kept.buttons[0].description == "Return to: A face moved by smile -2.0"
    panel.kept.buttons[0].click()
    assert shown(panel) == kept
    assert (panel.sliders["smile"].value, panel.truncation.value) == (-2, 1)


def test_the_oldest_kept_face_makes_room(panel):
    for step in range(10):
        panel.sliders["smile"].value = step / 10
        button(panel, "Keep").click()
    assert [kept.description[-4:] for kept in panel.kept.buttons] == [f"+0.{step}" for step in range(2, 10)]


def test_one_move_draws_one_picture(panel, monkeypatch):
    drawn = []
    monkeypatch.setattr(panel.picture, "show", lambda images, words: drawn.append(words))
    panel.sliders["smile"].value = 1
    panel.sliders["skin"].value = 1
    assert len(drawn) == 2
    button(panel, "Reset").click()
    assert len(drawn) == 3


def test_saving_never_writes_over_a_file(panel, inside):
    (inside / "face_1.png").write_bytes(b"mine")
    button(panel, "Save as PNG").click()
    assert words(panel) == f"Saved as face_2.png in {inside}."
    saved = pixels((inside / "face_2.png").read_bytes())
    assert saved.shape == (416, 416, 3)
    assert (saved[::13, ::13] == pixels(shown(panel))).all() and (saved[12::13, 12::13] == pixels(shown(panel))).all()
    assert (inside / "face_1.png").read_bytes() == b"mine"
    assert {path.name for path in inside.iterdir()} == {"face_1.png", "face_2.png"}


def test_a_folder_that_cannot_be_written_to_is_named(panel, inside, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(runtime, "write_whole", refuse)
    button(panel, "Save as PNG").click()
    assert words(panel).startswith(f"The picture was not saved, since {inside} cannot be written to (Permission denied).")


def test_an_error_is_shown_and_goes_when_things_work_again(panel, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("out of <memory>")

    with monkeypatch.context() as broken:
        broken.setattr(panel.picture, "show", fail)
        panel.sliders["smile"].value = 1
        assert words(panel) == "That did not work: out of <memory>"
        assert 'role="status"' in panel.message.value and "<memory>" not in panel.message.value
    panel.sliders["smile"].value = 2
    assert words(panel) == ""


def test_sixteen_faces_move_together(generator):
    panel = widgets.latent_sliders(generator, {"smile": generator.traits.weight[1]}, faces=16)
    before = panel.z
    panel.sliders["smile"].value = 1
    assert panel.z.shape == (16, SIZE)
    assert torch.allclose(panel.z - before, (panel.z - before)[:1].expand(16, -1), atol=1e-6)
    assert pixels(shown(panel)).shape == (133, 133, 3), "4×4 faces of 32 pixels with lines between them"
    assert panel.picture.caption.value == "16 faces moved by smile +1.0"


def test_without_directions_there_are_six_principal_ones(generator):
    panel = widgets.latent_sliders(generator)
    assert list(panel.sliders) == [f"direction {n}" for n in range(1, 7)]
    assert torch.allclose(torch.stack(list(panel.directions.values())), latent.principal_directions(generator, 6), atol=1e-6)


def test_a_panel_leaves_generator_and_random_numbers_alone(generator):
    generator.train()
    state, weights = torch.get_rng_state(), generator.traits.weight.detach().clone()
    panel = widgets.latent_sliders(generator)
    before = shown(panel)
    generator.traits.weight.data.zero_()
    button(panel, "Random face").click()
    panel.sliders["direction 1"].value = 1
    assert generator.training and torch.equal(torch.get_rng_state(), state)
    assert shown(panel) != before, "the panel has a copy of the weights as they were"
    assert weights.any()


def test_a_generator_with_batch_normalisation_is_shown_in_eval_mode():
    generator = models.conv_generator(5, (3, 16, 16), 2)
    panel = widgets.latent_sliders(generator)
    with torch.no_grad():
        expected = plots.tiles(generator.eval()(panel.z), 1)
    assert (pixels(shown(panel)) == expected).all()


@pytest.mark.parametrize(
    ("directions", "says"),
    [
        ({}, "no direction to make a slider of"),
        ({"smile": torch.ones(SIZE + 1)}, r"'smile' has the shape \(13,\); this generator's z has 12 numbers"),
        ({"smile": torch.ones(1, SIZE)}, r"shape \(1, 12\)"),
        ({"smile": torch.zeros(SIZE)}, "'smile' leads nowhere"),
        ({"smile": torch.full((SIZE,), float("nan"))}, "'smile' leads nowhere"),
    ],
)
def test_bad_directions_are_refused(generator, directions, says):
    with pytest.raises(ValueError, match=says):
        widgets.latent_sliders(generator, directions)


def test_a_panel_shows_a_face(generator):
    with pytest.raises(ValueError, match="at least one face, not 0"):
        widgets.latent_sliders(generator, faces=0)


def test_time_travel_goes_from_generator_to_generator(generator):
    young = DrawnFaces(SIZE, 32, seed=1)
    panel = widgets.time_travel({100: young, 20_000: generator})
    assert list(panel.turns.options) == ["100", "20 000"] and panel.turns.value == "20 000"
    end = shown(panel)
    assert (pixels(end) == drawn_from(generator, panel.z)).all()
    panel.turns.value = "100"
    assert (pixels(shown(panel)) == drawn_from(young, panel.z)).all()
    assert panel.picture.caption.value == "A face, all sliders at 0, after 100 turns"
    button(panel, "Keep").click()
    panel.turns.value = "20 000"
    assert shown(panel) == end
    panel.kept.buttons[0].click()
    assert panel.turns.value == "100", "a kept face knows its moment"


def test_time_travel_needs_generators_that_share_their_z(generator):
    with pytest.raises(ValueError, match="'100' takes 7, '200' takes 12"):
        widgets.time_travel({100: DrawnFaces(7, 32), 200: generator})
    with pytest.raises(ValueError, match="no generator to travel to"):
        widgets.time_travel({})


def test_a_morph_goes_from_start_to_end(generator):
    a, b = torch.randn(SIZE), torch.randn(SIZE)
    panel = widgets.morph(generator, a, b)
    for t, z in ((0, a), (1, b)):
        panel.t.value = t
        assert torch.allclose(panel.z, z, atol=1e-6)
        assert (pixels(shown(panel)) == drawn_from(generator, z[None])).all()
    panel.t.value = 0.5
    assert torch.allclose(panel.z, latent.slerp(a, b, 0.5))
    panel.way.value = latent.lerp
    assert torch.allclose(panel.z, (a + b) / 2)
    with torch.no_grad():
        strip = plots.tiles(generator(latent.path(a, b, 9, latent.lerp)), 9)
    assert (pixels(panel.strip.image.value) == strip).all()
    length = ((a + b) / 2).norm()
    assert panel.picture.caption.value == f"The face at t = 0.50, on the straight line: its z has length {length:.1f}"


def test_a_morph_gets_other_ends_one_at_a_time(generator):
    panel = widgets.morph(generator)
    start, end = panel.start, panel.end
    button(panel, "Another start").click()
    assert not torch.equal(panel.start, start) and torch.equal(panel.end, end)
    button(panel, "Another end").click()
    assert not torch.equal(panel.end, end)
    with pytest.raises(ValueError, match=r"codes of 12 numbers; this one has the shape \(1, 12\)"):
        widgets.morph(generator, torch.randn(1, SIZE))


def test_ends_without_an_arc_are_refused(generator):
    with pytest.raises(ValueError, match="opposite ways"):
        widgets.morph(generator, torch.ones(SIZE), -2 * torch.ones(SIZE))


def teach_to_smile(panel, generator):
    """Mark the faces that smile, as a student would."""
    for face, smile in zip(panel.faces, generator.smile(panel.z[-24:])):
        face.value = bool(smile > 0)
    panel.name.value = " smile "
    button(panel, "Make a slider").click()


def test_clicks_become_a_direction_and_a_slider(generator):
    panel = widgets.teach_direction(generator)
    before = shown(panel.panel)
    teach_to_smile(panel, generator)
    assert list(panel.panel.sliders) == ["smile"] and panel.panel.sliders["smile"].value == 2
    assert shown(panel.panel) != before
    found = panel.directions["smile"]
    assert torch.allclose(found, latent.linear_direction(panel.z, generator.smile(panel.z) > 0))
    cosine = found @ generator.traits.weight[1] / generator.traits.weight[1].norm()
    assert cosine > 0.7
    assert words(panel).startswith("There is a slider 'smile' below, found from ")


def test_more_faces_sharpen_the_same_slider(generator):
    panel = widgets.teach_direction(generator)
    true = torch.nn.functional.normalize(generator.traits.weight[1], dim=0)
    teach_to_smile(panel, generator)
    once = panel.directions["smile"] @ true
    for _ in range(3):
        button(panel, "24 more faces").click()
        assert not any(face.value for face in panel.faces)
        teach_to_smile(panel, generator)
    assert panel.z.shape == (96, SIZE) and torch.equal(panel.marked, generator.smile(panel.z) > 0)
    assert panel.directions["smile"] @ true > once
    assert list(panel.panel.sliders) == ["smile"]


def test_what_cannot_be_fitted_is_explained(generator):
    panel = widgets.teach_direction(generator)
    make = button(panel, "Make a slider")
    make.click()
    assert "the slider has no name yet" in words(panel)
    panel.name.value = "smile"
    make.click()
    assert "Of the 24 samples none have it" in words(panel)
    panel.faces[0].value = True
    assert words(panel) == "" and panel.faces[0].description == "Face 1, marked"
    make.click()
    assert list(panel.directions) == ["smile"]


PANELS = {
    "sliders": lambda g: widgets.latent_sliders(g),
    "time": lambda g: widgets.time_travel({1: g, 2: g}),
    "morph": lambda g: widgets.morph(g),
    "teach": lambda g: widgets.teach_direction(g),
}


def put_out(panel, monkeypatch):
    """What goes to the front end when a cell ends in this panel: a dictionary by media type for each output."""
    outputs = []
    monkeypatch.setattr(panel_module, "display", lambda data, raw: outputs.append(data))
    assert DisplayFormatter().format(panel) == ({}, {}), "nothing besides"
    return outputs


@pytest.mark.parametrize("make", PANELS.values(), ids=PANELS)
def test_a_panel_brings_its_still_for_where_widgets_are_not_drawn(make, generator, monkeypatch):
    panel = make(generator)
    sheet, bundle = put_out(panel, monkeypatch)
    assert bundle["text/plain"] == repr(panel) and len(repr(panel)) < 110
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.model_id
    still = pixels(base64.b64decode(bundle["image/png"]))
    assert still.shape[1] > 300 and len(numpy.unique(still[..., :3].reshape(-1, 3), axis=0)) > 5
    assert list(sheet) == ["text/html"] and f"base64,{bundle['image/png']})" in sheet["text/html"]
    assert f"aspect-ratio: {still.shape[1]} / {still.shape[0]};" in sheet["text/html"]


def test_words_of_a_panel_cannot_end_its_style_sheet(monkeypatch):
    slider = widgets.frame_slider(PICTURES, 'a "b" </style> \\')
    sheet, _ = put_out(slider, monkeypatch)
    (words,) = re.findall(r'content: "" / "([^"]*)"', sheet["text/html"])
    assert words == "[A slider over 3 pictures, a 'b'  /style>  : run the notebook to move it.]"
    assert sheet["text/html"].count("</style>") == 1 and "\n" not in sheet["text/html"]


@pytest.mark.parametrize(("faces", "rows", "columns"), [(2, 1, 2), (4, 1, 4), (8, 1, 8), (12, 2, 8), (24, 3, 8), (30, 3, 8)])
def test_the_still_shows_all_faces_to_click_up_to_24(generator, monkeypatch, faces, rows, columns):
    drawn = []
    monkeypatch.setattr(latent_panels, "filmstrip", lambda *strip: drawn.append(strip) or filmstrip(*strip))
    panel = widgets.teach_direction(generator, faces)
    assert panel._repr_mimebundle_()["image/png"]
    ((rows_drawn, words, _),) = drawn
    assert len(rows_drawn) == rows and len(words) == columns
    with torch.no_grad():
        assert torch.equal(torch.cat(list(rows_drawn.values())), generator(panel.z[:24]))


def test_the_last_row_of_a_filmstrip_may_be_short():
    """What is missing at its end is as white as the page, and what is there is as large as above."""
    black = -torch.ones(3, 1, 8, 8)
    picture = pixels(filmstrip({"a": black, "b": black[:1]}, [""] * 3, ""))[..., :3].min(axis=2)
    dark = picture < 64
    upper, lower = dark[: len(dark) // 2].any(axis=0).nonzero()[0], dark[len(dark) // 2 :].any(axis=0).nonzero()[0]
    lower = lower[lower > upper[0] - 2]  # without the row's name
    assert abs(lower[0] - upper[0]) < 4, "below the first of the row above"
    assert abs((upper[-1] - upper[0]) / 3 - (lower[-1] - lower[0])) < 0.1 * (upper[-1] - upper[0])


@pytest.mark.parametrize("faces", [1, 0, -3])
def test_a_choice_needs_two_faces(generator, faces):
    with pytest.raises(ValueError, match=f"at least two faces to choose from, not {faces}"):
        widgets.teach_direction(generator, faces)


def test_buttons_that_went_leave_nothing_behind(panel):
    for _ in range(8):
        button(panel, "Keep").click()
    first = panel.kept.buttons[0]
    pieces = [first, first.layout, first.style]
    assert all(piece.comm is not None for piece in pieces)
    button(panel, "Keep").click()
    assert all(piece.comm is None for piece in pieces), "closed, and forgotten by the browser"
    panel.kept.buttons[-1].click()
    assert all(kept.comm is not None for kept in panel.kept.buttons)


def played(while_drawing):
    """The weights and the history of a game of six turns in which each turn waits for `while_drawing` in another thread."""
    torch.manual_seed(0)
    game = training.Game(
        models.mlp_generator(3, (1, 2, 2), (8,)), models.mlp_discriminator((1, 2, 2), (8,)), latent_size=3, batch_size=4
    )
    with ThreadPoolExecutor(1) as thread:  # as ipykernel 7 answers a slider beside a running cell

        def draw(n):
            thread.submit(while_drawing).result()
            return torch.rand(n, 1, 2, 2) * 2 - 1

        for _ in game.play(draw, until=6):
            pass
    weights = [
        parameter.detach().clone() for network in (game.generator, game.discriminator) for parameter in network.parameters()
    ]
    return weights, [game.history.column(name) for name in ("discriminator_loss", "generator_loss")]


@pytest.mark.parametrize("kind", PANELS)
def test_a_panel_that_is_moved_while_a_game_is_played_leaves_the_game_as_it_is(kind, generator):
    """And the game leaves the panel: both are bit for bit what they are alone."""

    def move(panel):
        inner = getattr(panel, "panel", panel)
        for widget in (*getattr(inner, "sliders", {}).values(), *filter(None, [getattr(inner, "t", None)])):
            widget.value += widget.step
        for description in ("Random face", "Another start", "24 more faces"):
            with suppress(ValueError):
                button(panel, description).click()
        pictures.append(shown(inner))

    pictures, panel = [], PANELS[kind](generator)
    for _ in range(6):
        move(panel)
    alone, pictures = pictures, []
    panel = PANELS[kind](generator)
    weights, history = played(lambda: move(panel))
    assert pictures == alone and len(set(pictures)) == 6
    quiet_weights, quiet_history = played(lambda: None)
    assert all(map(torch.equal, weights, quiet_weights)) and history == quiet_history


@pytest.mark.slow
def test_the_still_is_what_a_page_without_widgets_shows():
    source = "from gan_lessons import models, widgets\nwidgets.latent_sliders(models.mlp_generator(4, (1, 8, 8), (8,)))"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, kernel_name="python3", store_widget_state=False).execute()
    _, output = notebook.cells[0].outputs
    assert {"image/png", "text/plain", "application/vnd.jupyter.widget-view+json"} == set(output["data"])
    for exporter in (HTMLExporter(), SlidesExporter()):
        page, _ = exporter.from_notebook_node(notebook)
        assert f'src="data:image/png;base64,{output["data"]["image/png"][:100]}' in page
