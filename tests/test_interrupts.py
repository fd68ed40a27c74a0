"""Interrupts: the turn and the loop body are finished, a second press breaks in, and no handler stays behind."""

import signal
import threading
import time

import pytest
import torch

from gan_lessons import board, models, runtime
from gan_lessons.interrupts import InterruptsHeldBack
from gan_lessons.training import Game


def small_game():
    torch.manual_seed(0)
    networks = models.mlp_generator(3, (1, 2, 2), (8,)), models.mlp_discriminator((1, 2, 2), (8,))
    return Game(*networks, latent_size=3, batch_size=8)


def draw(n):
    return torch.randn(n, 1, 2, 2).tanh()


def press():
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def handler():
    """Whatever a test does, the handler that was there is there again."""
    before = signal.getsignal(signal.SIGINT)
    yield before
    after = signal.signal(signal.SIGINT, before)
    assert after is before


@pytest.mark.parametrize("where", ["in the turn", "in the body"])
def test_turn_and_body_are_finished(where):
    game, begun, ended = small_game(), [], []

    def pressed_draw(n):
        if where == "in the turn" and game.turns == 3:
            press()
        return draw(n)

    with pytest.raises(KeyboardInterrupt):
        for turn in game.play(pressed_draw, 9):
            begun.append(turn)
            if where == "in the body" and turn == 4:
                press()
            ended.append(turn)
    assert begun == ended == [1, 2, 3, 4] and game.turns == 4
    assert list(game.play(draw, 6)) == [5, 6]


def test_a_second_press_breaks_into_a_draw_that_hangs():
    game = small_game()

    def hanging(n):
        while True:
            press()

    with pytest.raises(KeyboardInterrupt):
        list(game.play(hanging, 5))
    assert game.turns == 0 and list(game.play(draw, 2)) == [1, 2]


def test_a_press_while_saving_in_the_body_waits_for_the_body(tmp_path, monkeypatch):
    game, ended, write = small_game(), [], runtime.write_whole

    def write_whole(path, content):
        press()
        write(path, content)

    monkeypatch.setattr(runtime, "write_whole", write_whole)
    with pytest.raises(KeyboardInterrupt):
        for turn in game.play(draw, 5):
            game.save(tmp_path / "game.safetensors")
            ended.append(turn)
    assert ended == [1]
    other = small_game()
    other.load(tmp_path / "game.safetensors")
    assert other.turns == 1


def test_the_handler_is_put_back_after_a_break_and_a_return(handler):
    game = small_game()
    for _ in game.play(draw, 9):
        assert signal.getsignal(signal.SIGINT) is not handler
        break
    assert signal.getsignal(signal.SIGINT) is handler

    def returns_in_the_loop():
        for _ in game.play(draw, 9):
            return

    returns_in_the_loop()
    assert signal.getsignal(signal.SIGINT) is handler


def wait():
    """Until the interrupt comes; it is announced, so that this ends at once."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pass
    pytest.fail("the interrupt was lost")


@pytest.mark.parametrize("loop", [Game.play, board.watch])
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_press_in_a_body_that_leaves_the_loop_comes_through_after_it(loop, handler):
    game = small_game()
    with pytest.raises(KeyboardInterrupt):
        for _ in loop(game, draw, 9):
            press()
            break
        wait()

    def returns_in_the_loop():
        for _ in loop(game, draw, 9):
            press()
            return

    with pytest.raises(KeyboardInterrupt):
        returns_in_the_loop()
        wait()
    assert signal.getsignal(signal.SIGINT) is handler and game.turns == 2
    assert list(loop(game, draw, 4)) == [3, 4], "and it came once"


def test_a_press_while_the_board_is_closed_after_a_break_comes_through(monkeypatch):
    monkeypatch.setattr(board._Bar, "close", lambda bar: press())
    with pytest.raises(KeyboardInterrupt):
        for _ in board.watch(small_game(), draw, 9):
            break
        wait()


def test_a_generator_left_behind_holds_nothing_back(handler):
    game = small_game()

    def one_cell():
        turns = game.play(draw, 9)
        next(turns)
        return turns

    turns = one_cell()
    with pytest.raises(KeyboardInterrupt):
        press()
    assert signal.getsignal(signal.SIGINT) is handler
    assert list(turns) == list(range(2, 10))


def test_whoever_asks_for_the_next_turn_is_waited_for():
    game, ended = small_game(), []

    def first_cell():
        turns = game.play(draw, 9)
        next(turns)
        return turns

    with pytest.raises(KeyboardInterrupt):
        for turn in first_cell():
            press()
            ended.append(turn)
    assert ended == [2]


def test_the_handler_of_somebody_who_came_later_is_left_alone(handler):
    turns = small_game().play(draw, 9)
    next(turns)
    later = lambda number, frame: None
    signal.signal(signal.SIGINT, later)
    turns.close()
    assert signal.getsignal(signal.SIGINT) is later
    signal.signal(signal.SIGINT, handler)


def test_a_handler_that_is_not_pythons_is_left_alone(monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda *arguments: pytest.fail("it could not be put back"))
    assert list(small_game().play(draw, 2)) == [1, 2]
    monkeypatch.undo()


def test_outside_the_main_thread_nothing_is_done(handler):
    seen = []

    def play():
        for turn in small_game().play(draw, 3):
            seen.append((turn, signal.getsignal(signal.SIGINT) is handler))

    thread = threading.Thread(target=play)
    thread.start()
    thread.join()
    assert seen == [(1, True), (2, True), (3, True)]


def test_blocks_within_one_another_pass_it_on():
    reached = []
    with pytest.raises(KeyboardInterrupt), InterruptsHeldBack() as outer:
        with InterruptsHeldBack():
            press()
            reached.append("inner")
        assert outer.pressed
        reached.append("outer")
    assert reached == ["inner", "outer"]
