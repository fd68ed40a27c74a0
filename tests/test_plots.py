"""What the figures show: pixels against PIL, curves against numpy, files as PIL reads them."""

import io
import math

import matplotlib.pyplot as plt
import numpy
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from PIL import Image

from gan_lessons import board, models, plots, training
from gan_lessons.history import History, Record

BLUE, ORANGE, BLACK = "#0072B2", "#D55E00", "#222222"  # real, fake, the discriminator's


def pictures(n, channels=3, height=5, width=4):
    """Images whose pixels are whole numbers, so that nothing is left to rounding."""
    return torch.randint(0, 256, (n, channels, height, width)) / 127.5 - 1


def pasted(images, columns):
    """The oracle for tiles: PIL pastes each image onto grey, a pixel apart."""
    n, _, height, width = images.shape
    columns = min(columns, n)
    size = columns * (width + 1) + 1, math.ceil(n / columns) * (height + 1) + 1
    canvas = Image.new("RGB", size, (96, 96, 96))
    for i, image in enumerate(numpy.rint((images.numpy() + 1) * 127.5).astype(numpy.uint8)):
        picture = Image.fromarray(image[0] if len(image) == 1 else numpy.moveaxis(image, 0, -1)).convert("RGB")
        canvas.paste(picture, (1 + i % columns * (width + 1), 1 + i // columns * (height + 1)))
    return numpy.asarray(canvas)


def drawn(axes):
    """The pixels of the one image in these axes."""
    (image,) = axes.get_images()
    assert image.get_interpolation() == "nearest", "pixels are not to be blurred"
    return numpy.asarray(image.get_array())


@pytest.fixture
def shown(monkeypatch):
    """The figures that were shown, in order, each drawn once."""
    figures = []

    def show():
        plt.gcf().canvas.draw()
        figures.append(plt.gcf())

    monkeypatch.setattr(plt, "show", show)
    yield figures
    plt.close("all")


@pytest.fixture
def displayed(monkeypatch):
    """What came onto the page: a list for each place, of the pictures that stood there one after the other."""
    places = []

    class Place:
        def __init__(self, picture):
            self.pictures = [picture]
            places.append(self.pictures)

        def update(self, picture):
            self.pictures.append(picture)

    monkeypatch.setattr(plots.display, "display", lambda picture, display_id=False: Place(picture))
    return places


# ------------------------------------------------------------------------------------------- images


@pytest.mark.parametrize(("n", "channels", "columns"), [(6, 3, 3), (7, 3, 4), (5, 1, 2), (3, 3, 8)])
def test_tiles_are_those_that_pil_pastes(n, channels, columns):
    images = pictures(n, channels)
    assert numpy.array_equal(plots.tiles(images, columns), pasted(images, columns))


def test_one_image_alone_has_no_border_and_values_outside_are_cut_off():
    image = torch.tensor([-9.0, -1, 0.2, 9]).reshape(1, 1, 2, 2)
    assert plots.tiles(image, 4).tolist() == [[[0] * 3, [0] * 3], [[153] * 3, [255] * 3]]


def test_grid_shows_its_images_under_a_title(shown):
    images = pictures(20)
    plots.grid(images, "twenty", columns=5)
    (figure,) = shown
    (axes,) = figure.axes
    assert numpy.array_equal(drawn(axes), pasted(images, 5))
    assert axes.get_title() == "twenty" and not axes.axison
    assert figure.get_size_inches() == pytest.approx([4.5, 4.5 * 25 / 26 + 0.45])


@pytest.mark.parametrize(("columns", "inches"), [(4, 3.6), (8, 7.2), (16, 9.0)])
def test_grid_png_is_a_file_of_the_figures_size_and_colours(columns, inches):
    images = torch.ones(32, 3, 8, 8) * torch.tensor([1.0, -1, -1])[:, None, None]
    picture = Image.open(io.BytesIO(plots.grid_png(images, "red", columns)))
    width, height = columns * 9 + 1, 32 // columns * 9 + 1
    assert picture.format == "PNG"
    assert picture.size == pytest.approx((100 * inches, 100 * (inches * height / width + 0.45)), abs=1)
    pixels = numpy.asarray(picture.convert("RGB")).reshape(-1, 3)
    red, grey, white = ((pixels == colour).all(1).mean() for colour in ((255, 0, 0), (96, 96, 96), (255, 255, 255)))
    # The images fill the width, and the rest is their borders, the title and the margins.
    assert red > 0.5 and 0.1 < grey / red < 0.5 and 0.02 < white < 0.35
    assert plt.get_fignums() == [], "pyplot would show it a second time"


def test_sets_stand_side_by_side_each_under_its_name(shown):
    sets = {"real": pictures(4), "fake": pictures(6), "old": pictures(3, 1)}
    plots.side_by_side(sets, "three sets", columns=2)
    (figure,) = shown
    assert [axes.get_title() for axes in figure.axes] == list(sets)
    assert [axes.get_subplotspec().colspan.start for axes in figure.axes] == [0, 1, 2]
    for axes, images in zip(figure.axes, sets.values()):
        assert numpy.array_equal(drawn(axes), pasted(images, 2)) and not axes.axison
    assert figure.get_suptitle() == "three sets"


def test_evolution_has_a_row_a_snapshot_labelled_with_its_turn(shown):
    snapshots = {0: pictures(6), 500: pictures(6), 20_000: pictures(6)}
    plots.evolution(snapshots, "growing", columns=4)
    (figure,) = shown
    assert [axes.get_ylabel() for axes in figure.axes] == ["turn 0", "turn 500", "turn 20 000"]
    assert [axes.get_subplotspec().rowspan.start for axes in figure.axes] == [0, 1, 2]
    for axes, images in zip(figure.axes, snapshots.values()):
        assert numpy.array_equal(drawn(axes), pasted(images[:4], 4)), "a row holds so many images, and no second row"
        assert len(axes.get_xticks()) == len(axes.get_yticks()) == 0
    assert figure.get_suptitle() == "growing"


@pytest.mark.parametrize(
    ("number", "says"),
    [(0, "0"), (9999, "9999"), (10_000, "10 000"), (1_234_567, "1 234 567"), (-9999, "-9999"), (-12_345, "-12 345")],
)
def test_long_numbers_are_spaced(number, says):
    assert plots.spaced(number) == says


# --------------------------------------------------------------------------------------- bars, curves


def test_bars_are_as_high_as_they_should_be(shown):
    plots.bars(torch.tensor([0.5, 0.125, 0.375]), "shares", "class", "share", level=0.25)
    (axes,) = shown[0].axes
    assert [bar.get_height() for bar in axes.patches] == [0.5, 0.125, 0.375]
    assert [bar.get_x() + bar.get_width() / 2 for bar in axes.patches] == [0, 1, 2] == axes.get_xticks().tolist()
    assert all(same_color(bar.get_facecolor(), ORANGE) for bar in axes.patches)
    (level,) = axes.lines
    assert list(level.get_ydata()) == [0.25, 0.25] and level.get_linestyle() == ":"
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("shares", "class", "share")


def history(turns, first=1):
    """Every measure in a range of its own, so that none can be taken for another."""
    measures = torch.rand(turns, 4, dtype=torch.float64) / 10 + torch.tensor([0.6, 0.2, 1.0, 2.0], dtype=torch.float64)
    return History(Record(first + turn, *row) for turn, row in enumerate(measures.tolist()))


def assert_curve(axes, history, name, label, colour, window):
    """The measure, thin, and its running mean as numpy convolves it, thick and labelled."""
    turns, values = history.column("turn"), history.column(name)
    raw, mean = (line for line in axes.lines if same_color(line.get_color(), colour))
    assert raw.get_xdata().tolist() == turns and raw.get_ydata().tolist() == values
    assert raw.get_label().startswith("_") and raw.get_linewidth() < mean.get_linewidth() and raw.get_alpha() < 0.5
    assert mean.get_label() == label
    assert mean.get_xdata().tolist() == turns[window - 1 :], "a mean stands where its last turn stands"
    assert mean.get_ydata() == pytest.approx(numpy.convolve(values, numpy.ones(window) / window, "valid"), abs=1e-12)


@pytest.mark.parametrize(("turns", "window"), [(200, 50), (50, 50), (30, 30), (1, 1)])
def test_curves_show_each_measure_and_its_running_mean(shown, turns, window):
    played = history(turns, first=101)
    plots.curves(played, "a game")
    (figure,) = shown
    left, right = figure.axes
    assert_curve(left, played, "discriminator_loss", "D's loss", BLACK, window)
    assert_curve(left, played, "generator_loss", "G's loss", ORANGE, window)
    assert_curve(right, played, "real_p", "D(x), real", BLUE, window)
    assert_curve(right, played, "fake_p", "D(G(z)), fake", ORANGE, window)
    assert figure.get_suptitle() == "a game" and [axes.get_title() for axes in figure.axes] == ["Losses", "What D believes"]
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["D's loss", "G's loss"]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["D(x), real", "D(G(z)), fake"]


def test_probabilities_lie_between_0_and_1_with_a_line_where_d_cannot_tell():
    axes = plt.Figure().add_subplot()
    plots.draw_beliefs(axes, history(20), smooth=5)
    assert axes.get_ylim() == (0, 1) and (axes.get_xlabel(), axes.get_ylabel()) == ("turn", "mean probability")
    (half,) = (line for line in axes.lines if same_color(line.get_color(), "grey"))
    assert list(half.get_ydata()) == [0.5, 0.5] and half.get_linestyle() == ":"


@pytest.mark.parametrize("draw", [plots.draw_losses, plots.draw_beliefs])
def test_a_game_that_has_not_begun_has_empty_curves(draw):
    axes = plt.Figure().add_subplot()
    draw(axes, History())
    curves = [line for line in axes.lines if not same_color(line.get_color(), "grey")]
    assert len(curves) == 4 and all(len(line.get_xdata()) == 0 for line in curves)


def test_the_boards_healthy_bands_lie_where_lesson_04_finds_them(monkeypatch):
    bands, axhspan = set(), Axes.axhspan

    def recorded(axes, low, high, **style):
        bands.add((axes.get_ylabel(), round(low, 4), round(high, 4), style["color"]))
        return axhspan(axes, low, high, **style)

    monkeypatch.setattr(Axes, "axhspan", recorded)
    monkeypatch.setattr(board, "get_ipython", lambda: type("Shell", (), {"kernel": True}))
    monkeypatch.setattr(plots.Screen, "put", lambda screen, content: None)
    game = training.Game(
        models.mlp_generator(3, (1, 2, 2), (8,)), models.mlp_discriminator((1, 2, 2), (8,)), latent_size=3, batch_size=4
    )
    for _ in board.watch(game, lambda n: torch.rand(n, 1, 2, 2) * 2 - 1, 3):
        pass
    probability = "mean probability"
    # At log 4 = 1.3863 D's loss is that of a D that cannot tell.
    assert bands == {("loss", 1.1, 1.3863, BLACK), (probability, 0.5, 0.65, BLUE), (probability, 0.35, 0.5, ORANGE)}


# ------------------------------------------------------------------------- what moves, and what is enlarged


def test_a_screen_is_one_place_whose_picture_changes(displayed):
    screen, images = plots.Screen(), pictures(8)
    screen.show(images, "first", columns=4)
    screen.put(b"second")
    ((first, second),) = displayed
    assert Image.open(io.BytesIO(first.data)).size[0] == 360 and second.data == b"second"
    plots.Screen().put(b"another")
    assert [len(place) for place in displayed] == [2, 1]


def test_enlarged_makes_each_pixel_a_square():
    images = pictures(6)
    picture = plots.enlarged(images, 3, 4)
    assert numpy.array_equal(numpy.asarray(picture), numpy.kron(pasted(images, 3), numpy.ones((4, 4, 1), numpy.uint8)))


def test_an_animation_is_an_endless_gif_whose_last_frame_stays_longer(displayed):
    few_colours = torch.tensor([-1.0, 0.2, 1.0])
    snapshots = {turn: few_colours[torch.randint(3, (6, 1, 5, 4))] for turn in (1, 10, 100)}
    plots.animation(snapshots, columns=3, scale=8, seconds=0.1)
    ((picture,),) = displayed
    gif = Image.open(io.BytesIO(picture.data))
    assert picture.format == gif.format.lower() == "gif" and gif.n_frames == 3 and gif.info["loop"] == 0
    captions = []
    for number, (images, milliseconds) in enumerate(zip(snapshots.values(), (100, 100, 2000))):
        gif.seek(number)
        assert gif.info["duration"] == milliseconds
        frame = numpy.asarray(gif.convert("RGB"))
        captions.append(frame[: plots.CAPTION])
        assert numpy.array_equal(frame[plots.CAPTION :], pasted(images, 3).repeat(8, 0).repeat(8, 1))
    assert all((caption < 100).any() for caption in captions), "no turn stands above the picture"
    assert not numpy.array_equal(captions[0], captions[1])


@pytest.mark.parametrize("colours", [4, 32])
def test_a_gif_has_no_more_colours_than_it_may(colours):
    picture = Image.fromarray(torch.randint(0, 256, (40, 40, 3), dtype=torch.uint8).numpy())
    assert len(Image.open(io.BytesIO(plots.gif([picture], [1.0], colours))).convert("RGB").getcolors()) == colours


def machine(**how):
    """The axes of a drawing of the machine, as matplotlib keeps it."""
    _figure, axes = plt.subplots(figsize=(10, 4))
    plots.draw_machine(axes, **how)
    return axes


def words(axes):
    return {text.get_text(): text.get_alpha() for text in axes.texts if text.get_text()}


def arrows(axes):
    return [text.arrow_patch for text in axes.texts if getattr(text, "arrow_patch", None)]


def test_the_machine_has_five_arrows_forward_and_its_parts_say_what_they_are():
    axes = machine(names={"score": "real?"})
    assert len(arrows(axes)) == 5 and all(arrow.get_alpha() == 1 for arrow in arrows(axes))
    assert set(words(axes)) == {"noise\nz", "G", "fake\nG(z)", "real\nx", "D", "real?"}


def test_what_takes_no_part_is_pale_with_the_arrows_from_it():
    axes = machine(lit=("real", "D", "score"))
    pale = {word for word, alpha in words(axes).items() if alpha < 1}
    assert pale == {"noise\nz", "fake\nG(z)"}  # G's letter is white on a pale box
    assert [arrow.get_alpha() for arrow in arrows(axes)] == [0.2, 0.2, 0.2, 1, 1]  # only real → D → score is walked


@pytest.mark.parametrize("network, steps", [("D", 1), ("G", 3)])
def test_the_gradient_walks_back_from_the_score(network, steps):
    axes = machine(backward=network)
    back = [arrow for arrow in arrows(axes) if same_color(arrow.get_edgecolor(), plots.GRADIENT)]
    assert len(back) == steps
    walked = [(note.xyann, note.xy) for note in axes.texts if getattr(note, "arrow_patch", None) in back]
    assert all(start[0] > end[0] for start, end in walked), "from right to left"


def test_scissors_condition_and_padlocks_are_there_when_asked_for():
    plain, full = machine(), machine(backward="D", cut=True, locked=("G", "D"), condition="the past")
    assert {"\N{BLACK SCISSORS}", "the past"} <= set(words(full)) and not {"\N{BLACK SCISSORS}", "the past"} & set(words(plain))
    assert len(full.patches) - len(plain.patches) == 4  # a shackle and a body each


def test_the_machine_shows_a_real_and_a_fake_picture_as_they_are():
    real, fake = pictures(2)
    axes = machine(pictures={"real": real, "fake": fake})
    shown = [numpy.asarray(image.get_array()) for image in axes.get_images()]
    assert {"real x", "fake G(z)"} <= set(words(axes)), "each keeps its name, above it"
    assert sorted(array.tobytes() for array in shown) == sorted(
        pasted(one[None], 1)[1:-1, 1:-1].tobytes() for one in (real, fake)
    )


@pytest.mark.parametrize("how", [{"lit": ("H",)}, {"backward": "H"}, {"locked": ("H",)}, {"names": {"H": "h"}}])
def test_the_machine_has_no_other_part(how):
    with pytest.raises(ValueError, match="A GAN has no part H"):
        machine(**how)


def test_the_machine_alone_has_a_title(shown):
    plots.machine("Two networks")
    assert shown[0].axes[0].get_title() == "Two networks"
