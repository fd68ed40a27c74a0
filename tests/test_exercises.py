"""How a check speaks, whatever the answer does."""

import pytest

from gan_lessons.exercises import Hint, exercise


@exercise("double the argument")
def check_double(answer):
    """Is answer(3) six?"""
    if answer(3) == 9:
        raise Hint("That is the square.")
    assert answer(3) == 6
    return "Twice three is six."


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (..., "Not attempted yet. First step: double the argument\n"),
        (lambda x: ..., "Not attempted yet. First step: double the argument\n"),
        (lambda x: 2 * x, "Right. Twice three is six.\n"),
        (lambda x: x * x, "Not yet. That is the square.\n"),
        (lambda x: x / 0, "Not yet. Your code stopped with ZeroDivisionError: division by zero\n"),
        (7, "Not yet. Your code stopped with TypeError: 'int' object is not callable\n"),
    ],
)
def test_verdicts(answer, says, capsys):
    assert check_double(answer) is None
    assert capsys.readouterr().out == says


def test_a_long_verdict_is_broken_between_words(capsys):
    words = "stride·(n - 1) begins at history.column('real_p')[-100:] and " * 5
    exercise(words)(check_double)(...)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 90
    assert " ".join(lines).split() == f"Not attempted yet. First step: {words}".split()
