"""The checks behind the lessons' "Your turn" cells, a module a lesson.

A check tries the answer out, prints one verdict, and never raises: "Not attempted yet", "Right", or
"Not yet" with a hint that names the likely mistake.
"""

import contextlib
import dis
import functools
import inspect
import math
import random
import textwrap
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy
import torch
from torch import Tensor

# By a check's name: the attempts that failed since the kernel started, or since the check last said "Right".
failed_attempts: Counter[str] = Counter()


# What to add to an error of Python's or torch's that says too little to a beginner, by words that stand in it.
IN_WORDS = {
    "Dimension out of range": "A tensor has fewer dimensions than you ask for: they are counted from 0, so that one row of numbers has dim=0 alone.",
    "is out of bounds for dimension": "There are not so many places along that dimension: is it the one that you mean?",
    "is invalid for input of size": "That shape has room for more or for fewer numbers than there are: is something left over?",
    "Expected 3D (unbatched) or 4D (batched) input": "A convolution wants images, batch×channels×height×width.",
    "Got: Bool": "torch takes no mean of True and False: make numbers of them first, with .float().",
    "does not require grad": "Nothing that can learn is connected with the loss: it was detached, frozen, or computed under torch.no_grad().",
    "backward through the graph a second time": "backward() uses up the way back: call it once for each loss.",
    "a leaf Variable that requires grad": "Parameters are changed in place under torch.no_grad().",
    "is being modified inplace": "Autograd needs what is changed there in place: work on a clone.",
    "math domain error": "Python's math.log takes nothing that is 0 or less, and its math.sqrt nothing less than 0.",
    "bitwise_xor": "A power is written ** in Python; ^ is something else.",
    "for ^:": "A power is written ** in Python; ^ is something else.",
    "'ellipsis'": "Somewhere there is still `...` in place of an answer.",
}


class Hint(Exception):
    """Raised by a check: the answer is wrong, and this is what to look at."""


class NotFinite(Hint):
    """Raised when an answer gives NaN or infinity; a judge catches it where it knows the cause."""


class _NotAttempted(Exception):
    """The answer is still the stub's `...`, or a list of nothing else."""


def exercise(
    question: str, first_step: str = "", returns_nothing: bool = False
) -> Callable[[Callable[..., str]], Callable[[object], None]]:
    """Make a check of a judge: a function that tries an answer out, raises `Hint` or returns what to say when it is right.

    Those who have not begun (the answer is `...`, or a function that returns `...`) read the `question`, a sentence that
    gives nothing away; `first_step` comes with the hint once two attempts have failed. A function reaches the judge as an
    `Answer`. Only where `returns_nothing` is set may it return None.
    """

    def make_check(judge: Callable[..., str]) -> Callable[[object], None]:
        @functools.wraps(judge)
        def check(answer) -> None:
            name = f"{judge.__module__}.{judge.__qualname__}"
            with _random_state_kept():
                verdict = _verdict(judge, Answer(answer, returns_nothing) if callable(answer) else answer, question)
            if verdict.startswith("Right."):
                del failed_attempts[name]
            elif verdict.startswith("Not yet."):
                failed_attempts[name] += 1
                if failed_attempts[name] >= 2 and first_step:
                    verdict += f" A first step: {first_step}"
            # JupyterLab breaks a line that is too long in the middle of a word.
            print(textwrap.fill(verdict, 90, break_long_words=False, break_on_hyphens=False))

        return check

    return make_check


class Answer:
    """A reader's function as judges call it: on copies of tensors and lists, so that it can spoil nothing.

    What it returns is looked at before the judge sees it: None, NaN and infinity are refused, and tensors come to the CPU.
    A judge wraps a network that an answer returned in one too, so that what goes wrong inside counts as the reader's.
    """

    def __init__(self, function: Callable, returns_nothing: bool = False) -> None:
        self.function, self._returns_nothing = function, returns_nothing
        self.changed: set[int] = set()  # which tensors and lists the last call changed, by their places among the arguments
        self.result: object = self

    def __call__(self, *arguments):
        given = _each_tensor(torch.clone, arguments)
        self.result = self.function(*given)
        self.changed = {place for place, parts in enumerate(zip(given, arguments)) if not _same(*parts)}
        if self.result is None and not self._returns_nothing:
            raise Hint("Your function returns nothing: is there a `return`?")
        if self.result is ... and not _is_stub(self.function):
            raise Hint(
                "Your function still ends with `return ...`: take that line out, for nothing needs to be returned."
                if self._returns_nothing
                else "Your function still returns `...`: return your result in its place."
            )
        _refuse_unfinished(self.result)
        return _each_tensor(Tensor.cpu, self.result)


def number(result, several: str = "") -> float:
    """The one number in a result, be it Python's, numpy's or torch's, alone or the only element of an array.

    Raises Hint for everything else; `several` is what to say, too, if there are several numbers.
    """
    if isinstance(result, tuple) and len(result) == 1:
        raise Hint("The number comes in a tuple of one: is there a comma behind it?")
    if isinstance(result, bool | str | list | tuple) or (values := _as_tensor(result)) is None or values.is_complex():
        raise Hint(f"One number is expected, not {described(result)}.")
    if values.numel() != 1 or values.dtype == torch.bool:
        raise Hint(f"One number is expected, not {described(result)}. {several}".rstrip())
    return values.double().item()


def tensor(result, shape: tuple[int, ...] | None = None) -> Tensor:
    """The result, a torch tensor or numpy array of any type, as a float64 tensor on the CPU.

    Raises Hint for everything else, and for another shape than the one asked for.
    """
    expected = "A tensor" if shape is None else f"A tensor of shape {tuple(shape)}"
    if isinstance(result, tuple) and len(result) == 1:
        raise Hint(f"{expected} is expected, not a tuple of one: is there a comma behind it?")
    values = _as_tensor(result) if isinstance(result, Tensor | numpy.ndarray) else None
    if values is None or values.is_complex() or (shape is not None and values.shape != shape):
        raise Hint(f"{expected} is expected, not {described(result)}.")
    return values.double()


def word(answer, words: Iterable[str]) -> str:
    """The one of the words that the answer is, whatever the case and the spaces around it; raises Hint for any other."""
    if not isinstance(answer, str):
        raise Hint(f"A word in quotation marks is expected, not {described(answer)}.")
    for each in words:
        if each.lower() == answer.strip().lower():
            return each
    raise Hint(f"{answer!r} is none of the words: {', '.join(words)}.")


def refuse(found: float | Tensor, mistakes: Mapping[str, float | Tensor], rtol: float = 1e-4, atol: float = 1e-7) -> None:
    """Raise the hint of the first mistake that gives this number, or these."""
    values = torch.as_tensor(found, dtype=torch.float64)
    for hint, mistake in mistakes.items():
        wrong = torch.as_tensor(mistake, dtype=torch.float64)
        if wrong.shape == values.shape and torch.allclose(values, wrong, rtol, atol):
            raise Hint(hint)


def described(value) -> str:
    """What an answer gave, in words: "a tensor of shape (3,)", "a tuple of 2", "the str 'G'"."""
    if value is None:
        return "None"
    if value is ...:
        return "`...`"
    if isinstance(value, Answer):
        return described(value.function)
    if isinstance(value, Tensor | numpy.ndarray):
        kind = "a tensor" if isinstance(value, Tensor) else "a numpy array"
        return f"{kind} of shape {tuple(value.shape)} and type {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, list | tuple | dict | set):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, torch.nn.Module):
        return f"a network ({type(value).__name__})"
    if isinstance(value, int | float | complex | str):
        return f"the {type(value).__name__} {textwrap.shorten(repr(value), 40)}"
    return "a function" if callable(value) else f"a {type(value).__name__}"


def _verdict(judge: Callable[..., str], answer, question: str) -> str:
    try:
        _refuse_unfinished(answer)
        if answer is None:
            raise Hint("The answer is None: does the function that it comes from return something?")
        return f"Right. {judge(answer)}"
    except _NotAttempted:
        return f"Not attempted yet. {question}"
    except Hint as hint:
        return _sentence(f"Not yet. {hint}")
    except SystemExit:
        return "Not yet. Your code ended with sys.exit(), which is for whole programs: return a result instead."
    except Exception as error:
        told = [words for part, words in IN_WORDS.items() if part in str(error)]
        stopped_with = " ".join([_sentence(f"stopped with {type(error).__name__}: {error}"), *told[:1]])
        if any(frame.f_code is Answer.__call__.__code__ for frame, _ in traceback.walk_tb(error.__traceback__)):
            return f"Not yet. Your code {stopped_with}"
        what = (
            f"Your function gave {described(answer.result)}"
            if isinstance(answer, Answer)
            else f"Your answer is {described(answer)}"
        )
        return f"Not yet. {what}, and this is not the form that the exercise asks for; trying it out {stopped_with}"


def _sentence(words: str) -> str:
    words = words.rstrip()
    return words if words.rstrip(")”")[-1:] in tuple(".?!") else f"{words}."


def _is_stub(function: Callable) -> bool:
    """Whether a function does nothing but return a constant."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code is not None and len(list(dis.get_instructions(code))) <= 3


def _refuse_unfinished(result) -> None:
    """Raise if it is `...`, or NotFinite if NaN or infinity stands anywhere in a number, tensor, array, list or dictionary."""
    if result is ... or (isinstance(result, list | tuple) and result and all(each is ... for each in result)):
        raise _NotAttempted
    for value in _flat(result):
        values = _as_tensor(value) if isinstance(value, Tensor | numpy.ndarray | numpy.generic) else None
        strange = value if isinstance(value, float) and not math.isfinite(value) else None
        if values is not None and values.numel() and not values.isfinite().all():
            strange = values[~values.isfinite()][0].item()
        if strange is not None:
            raise NotFinite(
                f"There is {strange} in the result: look for a division by 0, a logarithm of 0 or less, a root of less than 0 or an arccos of more than 1."
            )


def _flat(value) -> Iterator:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _as_tensor(value) -> Tensor | None:
    """On the CPU and without history; None where torch can make no tensor of it."""
    try:
        return torch.as_tensor(value, dtype=torch.float64 if isinstance(value, float) else None).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        return None


def _each_tensor(change: Callable[[Tensor], Tensor], value):
    """The same value, its lists and tuples made anew, with every tensor changed."""
    if isinstance(value, Tensor):
        return change(value)
    return type(value)(_each_tensor(change, part) for part in value) if type(value) in (list, tuple) else value


def _same(one, other) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if type(one) in (list, tuple):
        return len(one) == len(other) and all(_same(*parts) for parts in zip(one, other))
    return one is other


@contextlib.contextmanager
def _random_state_kept() -> Iterator[None]:
    """Give Python's, numpy's and torch's random numbers back as they were, so that no check moves the reader's."""
    python, legacy = random.getstate(), numpy.random.get_state()
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        numpy.random.set_state(legacy)
        if mps is not None:
            torch.mps.set_rng_state(mps)
