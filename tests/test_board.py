"""The live board: its pace, what it shows and says, and that the game under it stays what it is."""

import io
import itertools
import signal
import subprocess
import sys
import textwrap
import time
from types import SimpleNamespace

import numpy
import pytest
import torch
from jupyter_client.manager import start_new_kernel
from PIL import Image

from gan_lessons import board, losses, models, plots, training
from gan_lessons.diagnosis import Finding
from gan_lessons.history import Record


def small_game(**settings):
    torch.manual_seed(0)
    networks = models.mlp_generator(3, (1, 2, 2), (8,)), models.mlp_discriminator((1, 2, 2), (8,))
    return training.Game(*networks, latent_size=3, batch_size=4, **settings)


def draw(n):
    return torch.rand(n, 1, 2, 2) * 2 - 1


class Kernel:
    kernel = True


@pytest.fixture
def boards(monkeypatch):
    """Every board made in this test, as in a notebook; `pictures` are the turns at which one came onto the screen."""
    made = []

    class Recorded(board._Board):
        def __init__(self, game, *rest):
            self.pictures = []
            made.append(self)
            super().__init__(game, *rest)

    def put(screen, content):
        made[-1].pictures.append(made[-1].game.turns)
        made[-1].png = content

    monkeypatch.setattr(board, "get_ipython", Kernel)
    monkeypatch.setattr(board, "_Board", Recorded)
    monkeypatch.setattr(plots.Screen, "put", put)
    return made


def play(iterator):
    for _ in iterator:
        pass


# -------------------------------------------------------------------------------------- the game stays the same


def two_classes(images):
    """A classifier with an opinion of its own, and dice that a careless caller would pay for."""
    bright = images.mean(dim=(1, 2, 3)) > 0
    return SimpleNamespace(probabilities=torch.stack([bright, ~bright], dim=1).float())


@pytest.mark.parametrize("classifier", [None, two_classes])
def test_the_game_comes_out_as_without_a_board(boards, monkeypatch, classifier):
    monkeypatch.setattr(board, "SHARE", 1e9)  # a picture every turn
    plain, watched = small_game(), small_game()
    play(plain.play(draw, 30))
    outside = torch.get_rng_state()
    assert list(board.watch(watched, draw, 30, classifier=classifier)) == list(range(1, 31))
    assert len(boards[0].pictures) == 33
    assert torch.equal(torch.get_rng_state(), outside), "the reader's random numbers are not the board's"
    assert plain.history == watched.history
    for name in ("generator", "discriminator", "average"):
        expected, found = getattr(plain, name).state_dict(), getattr(watched, name).state_dict()
        assert all(torch.equal(tensor, found[key]) for key, tensor in expected.items()), name


# ------------------------------------------------------------------------------------------------- the pace


@pytest.fixture
def clock(boards, monkeypatch):
    """A clock that only turns and pictures move; `costs` are the pictures' seconds, one after the other."""
    clock = SimpleNamespace(now=100.0, spent=[], headings=[], costs=itertools.repeat(0.1))

    def show_slowly(shown, heading):
        shown.screen.put(b"")
        clock.headings.append(heading)
        clock.spent.append(next(clock.costs))
        clock.now += clock.spent[-1]

    def turn(game, draw, first):
        clock.now += 0.01
        game.turns += 1

    monkeypatch.setattr(board, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    monkeypatch.setattr(board._Board, "_show", show_slowly)
    monkeypatch.setattr(training.Game, "_turn", turn)  # the pace is the board's: nobody need learn for it
    return clock


@pytest.mark.parametrize("cost", [0.001, 0.02, 0.1, 0.3])
def test_pictures_take_a_twentieth_of_the_time_and_no_more(boards, clock, cost):
    clock.costs = itertools.repeat(cost)
    play(board.watch(small_game(), draw, 1500))
    playing, (_, _, *pictures) = 1500 * 0.01, clock.spent  # the first two are there before the game begins
    assert sum(pictures) <= 0.05 * playing + 1e-6
    assert sum(pictures) > 0.05 * playing - 2 * max(cost, 0.01), "there was time for more"
    gaps = numpy.diff(boards[0].pictures[2:])
    assert gaps[:-1].max(initial=0) <= gaps[0] + 2, "they come at even distances"
    assert boards[0].pictures[-1] == 1500


def test_one_slow_picture_is_paid_for_before_the_next(boards, clock):
    clock.costs = itertools.chain([0.1, 0.1, 0.1, 2.0], itertools.repeat(0.1))
    play(board.watch(small_game(), draw, 8000))
    slow, after = boards[0].pictures[3:5]
    assert after - slow > 3000
    assert sum(clock.spent[2:]) <= 0.05 * 80 + 1e-6


def test_a_short_run_has_the_first_picture_and_the_last(boards, clock):
    play(board.watch(small_game(), draw, 100))
    assert boards[0].pictures == [0, 0, 100]


def test_the_heading_tells_pace_and_time_left(boards, clock):
    play(board.watch(small_game(), draw, 1500))
    # A hundred turns a second, of which the pictures take a twentieth.
    assert clock.headings[0] == "Turn 0 of 1500"
    assert clock.headings[2] == "Turn 400 of 1500 · 100 turns a second · 11 s left"
    assert clock.headings[-1] == "Turn 1500 of 1500 · 96 turns a second · 16 s"


# ------------------------------------------------------------------------------------------- what it shows


def test_the_last_picture_shows_the_end(boards, capsys):
    game, z = small_game(), torch.randn(40, 3)
    for turn in board.watch(game, draw, 100, z):
        if turn == 60:
            break
    assert boards[0].pictures[-1] == 60
    (tiles,) = boards[0].images.get_images()
    assert (tiles.get_array() == plots.tiles(game.samples(z[:32]), 16)).all()
    loss = boards[0].panels[0].lines[0]
    assert loss.get_xdata().tolist() == list(range(1, 61))
    assert loss.get_ydata().tolist() == game.history.column("discriminator_loss")
    means = [numpy.mean(game.history.column(name)[-50:]) for name in Record._fields[1:]]
    words = "D(x) {:.2f}, D(G(z)) {:.2f}, G's loss {:.2f}, D's loss {:.2f}".format(*means)
    assert capsys.readouterr().out == f"Turn 60 of 100. Means of the last 50 turns: {words}.\n"


def test_the_picture_is_a_png_that_fits_a_notebook(boards):
    for _ in board.watch(small_game(), draw, 100_000):
        break
    picture = Image.open(io.BytesIO(boards[0].png))
    assert picture.format == "PNG" and picture.size == (1100, 520)
    pixels = numpy.asarray(picture)
    assert (pixels[:, [0, -1]] == 255).all() and (pixels[[0, -1]] == 255).all(), "something is cut off at the edge"


@pytest.mark.parametrize("classifier", [None, two_classes])
def test_nothing_on_the_board_lies_over_anything_else(boards, classifier):
    play(board.watch(small_game(), draw, 30, torch.randn(60, 3), classifier))
    (shown,) = boards
    parts = [shown.heading, shown.images, *shown.panels]
    boxes = [part.get_tightbbox(shown.canvas.get_renderer()) for part in parts]
    for one, other in itertools.combinations(range(len(parts)), 2):
        assert not boxes[one].overlaps(boxes[other]), (parts[one], parts[other])
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= 1100 and box.y1 <= 520 for box in boxes), "nothing is cut off"


def test_classes_are_counted_among_all_of_z(boards, capsys):
    """Of 8 images 4, 2, 2 and 0 fall to the four classes: exp(entropy) is 2^1.5."""
    read = torch.eye(4)[[0, 0, 0, 0, 1, 1, 3, 3]]
    play(board.watch(small_game(), draw, 5, torch.randn(8, 3), lambda images: SimpleNamespace(probabilities=read)))
    heights = [bar.get_height() for bar in boards[0].panels[2].patches]
    assert heights == [0.5, 0.25, 0.0, 0.25]
    assert boards[0].panels[2].get_title() == "2.8 of 4 classes"
    assert capsys.readouterr().out.endswith("Among 8 samples: 2.8 of 4 classes.\n")


@pytest.mark.parametrize(("pair", "bands"), [(losses.non_saturating, 3), (losses.minimax, 3), (losses.least_squares, 0)])
def test_healthy_bands_belong_to_one_loss_of_d(boards, pair, bands):
    play(board.watch(small_game(losses=pair), draw, 5))
    assert sum(len(axes.patches) for axes in boards[0].panels[:2]) == bands


def test_a_game_that_has_been_played_is_shown(boards, capsys):
    game = small_game()
    play(game.play(draw, 5))
    assert list(board.watch(game, draw, 5)) == []
    assert boards[0].pictures == [5, 5]
    assert capsys.readouterr().out.startswith("Turn 5 of 5. ")


def test_a_game_that_diverges_says_so_and_shows_the_turns_before(boards):
    def rotten(fake_logits):
        return fake_logits.mean() * (torch.nan if game.turns == 7 else 1)

    game = small_game(losses=losses.Losses(losses.cross_entropy_discriminator, rotten))
    with pytest.raises(training.Diverged, match="generator's loss became nan at turn 8"):
        play(board.watch(game, draw, 20))
    assert boards[0].pictures[-1] == 7


def test_outside_a_notebook_it_is_a_bar(capsys):
    game = small_game()
    play(game.play(draw, 10))
    play(board.watch(game, draw, 30))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert " 10/30 [" in shown.err and " 30/30 [" in shown.err and "D(G(z)) 0." in shown.err


# ------------------------------------------------------------------------------------------ what it says it sees


@pytest.fixture
def words(monkeypatch):
    """All that came onto the page beside the pictures: for each place its states, of which the last one stays."""
    places = []

    class Place:
        def __init__(self, data):
            self.states = [data]
            places.append(self)

        def update(self, data, raw):
            assert raw
            self.states.append(data)

    def show(data, raw, display_id):
        assert raw and display_id is True
        return Place(data)

    monkeypatch.setattr(board.display, "display", show)
    return places


WON, HEALTHY = (0.98, 0.02, 4.0, 0.05, 1.0), (0.55, 0.45, 0.85, 1.25, 1.0)


@pytest.fixture
def scripted(monkeypatch):
    """A game whose turns measure what the test says."""

    def play(*parts, **settings):
        script = iter([measures for count, measures in parts for _ in range(count)])

        def turn(game, draw, first):
            game.history.append(Record(game.turns + 1, *next(script)))
            game.turns += 1

        game = small_game()
        monkeypatch.setattr(training.Game, "_turn", turn)
        monkeypatch.setattr(board.Pace, "due", lambda pace: game.turns % 10 == 0)
        return list(board.watch(game, draw, sum(count for count, _ in parts), **settings))

    return play


def test_nothing_stands_below_a_healthy_game(boards, scripted, words, capsys):
    scripted((300, HEALTHY))
    assert words == [] and "Lesson 05" not in capsys.readouterr().out


def test_what_is_seen_stands_below_the_picture_and_goes_once_it_is_over(boards, scripted, words):
    scripted((230, WON), (120, HEALTHY))
    (place,) = words
    first, *others = place.states
    assert len(place.states) == 16 + 1, "from turn 200 to 350, at every tenth turn, and once at the end"
    sentence = "D has won: D(x) 0.98, D(G(z)) 0.02. Look at a batch of samples"
    assert first["text/plain"].startswith(sentence) and "Lesson 05: “2 · D too strong”" in first["text/plain"]
    assert first["text/html"].startswith(f'<div role="status" aria-label="What the board sees"><p>{sentence}')
    assert others[-1]["text/plain"] == "What stood here is no longer seen."
    gone = [state["text/plain"] == others[-1]["text/plain"] for state in place.states]
    assert gone == sorted(gone), "the words come once and go once"


def test_what_stands_below_is_text_and_no_markup(words):
    board._Words().put([Finding("A <b>", "&", ("x",))])
    assert "<p>A &lt;b&gt;. &amp; Lesson 05: “x”.</p>" in words[0].states[0]["text/html"]
    assert words[0].states[0]["text/plain"] == "A <b>. & Lesson 05: “x”."


def test_too_few_classes_are_told_below_the_picture(boards, scripted, words):
    one = torch.eye(10)[[3] * 19 + [4]]
    scripted((510, HEALTHY), z=torch.randn(20, 3), classifier=lambda images: SimpleNamespace(probabilities=one))
    (place,) = words
    # exp(entropy) of 95 % and 5 % is 1.22.
    assert len(place.states) == 3 and place.states[-1]["text/plain"].startswith("Only 1.2 of 10 classes are drawn. ")


def test_outside_a_notebook_the_words_stand_below_the_bar(scripted, capsys):
    scripted((200, WON))
    assert capsys.readouterr().out.startswith("D has won: D(x) 0.98, D(G(z)) 0.02. Look")


# --------------------------------------------------------------------------------------------- interrupts


@pytest.mark.parametrize("where", ["in a turn", "in a picture", "twice"])
def test_interrupts_anywhere_end_in_one_sentence(boards, monkeypatch, where):
    game, given, put = small_game(), [], plots.Screen.put

    def interrupted_draw(n):
        if where != "in a picture" and game.turns == 6:
            signal.raise_signal(signal.SIGINT)
        return draw(n)

    def interrupted_put(screen, content):
        put(screen, content)
        if where != "in a turn" and len(boards[0].pictures) > 7:  # when pressed twice, while the last picture is drawn
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(plots.Screen, "put", interrupted_put)
    monkeypatch.setattr(board, "SHARE", 1e9)
    with pytest.raises(board.Stopped, match="after turn [67] of 100. The game keeps everything so far") as stopped:
        given.extend(board.watch(game, interrupted_draw, 100))
    assert given == list(range(1, game.turns + 1)), "every turn that was played has been given"
    assert isinstance(stopped.value, KeyboardInterrupt) and stopped.value._render_traceback_() == [str(stopped.value)]
    assert boards[0].pictures[-1] == game.turns == len(game.history)


def test_an_interrupt_in_the_first_picture_ends_in_the_sentence(boards, monkeypatch):
    game = small_game()
    monkeypatch.setattr(plots.Screen, "put", lambda *arguments: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt) as stopped:  # a bare one would end all tests
        list(board.watch(game, draw, 100))
    assert isinstance(stopped.value, board.Stopped) and "after turn 0 of 100" in str(stopped.value) and game.turns == 0


SET_UP = """
    import torch
    from gan_lessons import board, models, training
    torch.set_num_threads(1)

    def small_game():
        torch.manual_seed(0)
        networks = models.mlp_generator(3, (1, 2, 2), (8,)), models.mlp_discriminator((1, 2, 2), (8,))
        return training.Game(*networks, latent_size=3, batch_size=4)

    def draw(n):
        return torch.rand(n, 1, 2, 2) * 2 - 1

    game, plain = small_game(), small_game()
"""
COMPARE = """
    turns = game.turns
    for turn in board.watch(game, draw, turns + 20):
        pass
    for turn in plain.play(draw, turns + 20):
        pass
    pairs = zip(game.average.state_dict().values(), plain.average.state_dict().values())
    same = [torch.equal(*pair) for pair in pairs] + [game.history == plain.history]
    print("same:", all(same), len(same) == 10, flush=True)
"""


@pytest.fixture
def kernel():
    manager, client = start_new_kernel(kernel_name="python3")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def answers(client, identity):
    """All messages that answer a request, until the kernel is idle."""
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") == identity:
            yield message["msg_type"], message["content"]
            if message["content"].get("execution_state") == "idle":
                return


def run(client, code):
    return list(answers(client, client.execute(textwrap.dedent(code))))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_an_interrupted_cell_ends_in_one_sentence_and_the_next_one_waits(kernel):
    manager, client = kernel
    assert [kind for kind, _ in run(client, SET_UP) if kind == "error"] == []
    watching = client.execute("for turn in board.watch(game, draw, 10**6): pass")
    following = client.execute("print('ran on silently')")
    messages = []
    for kind, content in answers(client, watching):
        messages.append((kind, content))
        pictures = [content for kind, content in messages if kind in ("display_data", "update_display_data")]
        if len(pictures) == 3 and content is pictures[-1]:  # two are drawn before the first turn
            manager.interrupt_kernel()
    (sentence,) = [content["traceback"] for kind, content in messages if kind == "error"]
    assert len(sentence) == 1
    assert sentence[0].startswith("Stopped after turn ") and "of 1000000. The game keeps everything so far" in sentence[0]
    (printed,) = [content["text"] for kind, content in messages if kind == "stream"]
    assert printed.startswith("Turn ") and "Means of the last" in printed
    assert len(pictures) >= 3 and all(set(picture["data"]) == {"image/png", "text/plain"} for picture in pictures)
    assert not any(kind == "stream" for kind, _ in answers(client, following)), "Run All must not go on"
    results = [content["text"] for kind, content in run(client, COMPARE) if kind == "stream"]
    assert "same: True True" in "".join(results)


SCRIPT = """
    print("go", flush=True)
    try:
        for turn in board.watch(game, draw, 10**6):
            pass
    except KeyboardInterrupt as stopped:
        print(stopped, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_an_interrupted_script_plays_on_to_the_same_end():
    code = "\n".join(map(textwrap.dedent, (SET_UP, SCRIPT, COMPARE)))
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "go\n"
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    lines = out.splitlines()  # the board's words about this tiny game may stand before and after
    assert any(line.startswith("Stopped after turn ") for line in lines) and lines[-1] == "same: True True"
    assert "turns/s" in err
