"""The checks behind the lessons' "Your turn" cells, a module a lesson.

A check tries the answer out, prints one verdict, and never raises: "Not attempted yet", "Right", or
"Not yet" with a hint that names the likely mistake.
"""

import functools
import textwrap
from collections.abc import Callable


class Hint(Exception):
    """Raised by a check: the answer is wrong, and this is what to look at."""


class _NotAttempted(Exception):
    """The answer is still the stub's `...`."""


def exercise(first_step: str) -> Callable[[Callable], Callable]:
    """Make a check of a function that tries an answer out, raises `Hint` or returns what to say when it is right.

    `first_step` is the hint for those who have not begun. An answer that is `...`, or a function that returns
    `...`, counts as not attempted.
    """

    def make_check(judge: Callable[[object], str]) -> Callable[[object], None]:
        @functools.wraps(judge)
        def check(answer) -> None:
            # JupyterLab breaks a line that is too long in the middle of a word.
            print(textwrap.fill(_verdict(judge, answer, first_step), 90, break_long_words=False, break_on_hyphens=False))

        return check

    return make_check


def _verdict(judge: Callable, answer, first_step: str) -> str:
    try:
        if answer is ...:
            raise _NotAttempted
        return f"Right. {judge(_watched(answer) if callable(answer) else answer)}"
    except _NotAttempted:
        return f"Not attempted yet. First step: {first_step}"
    except Hint as hint:
        return f"Not yet. {hint}"
    except Exception as error:
        return f"Not yet. Your code stopped with {type(error).__name__}: {error}"


def _watched(function: Callable) -> Callable:
    @functools.wraps(function)
    def call(*arguments, **keywords):
        result = function(*arguments, **keywords)
        if result is ...:
            raise _NotAttempted
        return result

    return call
