"""How a check speaks, whatever the answer does."""

import random
import sys

import numpy
import pytest
import torch

from gan_lessons.exercises import Answer, Hint, NotFinite, described, exercise, failed_attempts, number, refuse, tensor, word


@exercise(question="What is three and three?", first_step="double the argument.")
def check_double(answer):
    """Is answer(3) six?"""
    found = number(answer(3))
    refuse(found, {"That is the square.": 9})
    assert found == 6
    return "Twice three is six."


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (..., "Not attempted yet. What is three and three?"),
        ([..., ...], "Not attempted yet. What is three and three?"),
        (lambda x: [...], "Not attempted yet. What is three and three?"),
        (lambda x: [2 * x] and ..., "Not yet. Your function still returns `...`: return your result in its place."),
        (lambda x: torch.no_grad()(lambda: ...)(), "Not yet. Your function still returns `...`"),
        (torch.no_grad()(lambda x: ...), "Not attempted yet. What is three and three?"),
        (
            lambda x: x + ...,
            "Not yet. Your code stopped with TypeError: unsupported operand type(s) for +: 'int' and 'ellipsis'. Somewhere",
        ),
        (
            lambda x: torch.ones(x).sum(dim=1),
            "Not yet. Your code stopped with IndexError: Dimension out of range (expected to be in range of [-1, 0], but got 1). "
            "A tensor has fewer dimensions than you ask for",
        ),
        (lambda x: ..., "Not attempted yet. What is three and three?"),
        (lambda x: 2 * x, "Right. Twice three is six."),
        (lambda x: torch.tensor([6]), "Right. Twice three is six."),
        (lambda x: numpy.float32(6), "Right. Twice three is six."),
        (lambda x: numpy.array([[6.0]]), "Right. Twice three is six."),
        (lambda x: torch.tensor(6.0, dtype=torch.float64, requires_grad=True), "Right. Twice three is six."),
        (lambda x: x * x, "Not yet. That is the square."),
        (lambda x: x / 0, "Not yet. Your code stopped with ZeroDivisionError: division by zero"),
        (lambda: 6, "Not yet. Your code stopped with TypeError: "),
        (lambda x: None, "Not yet. Your function returns nothing: is there a `return`?"),
        (lambda x: float("nan"), "Not yet. There is nan in the result: "),
        (lambda x: torch.tensor([6, torch.inf]), "Not yet. There is inf in the result: "),
        (lambda x: [1, {"a": numpy.array(-numpy.inf)}], "Not yet. There is -inf in the result: "),
        (lambda x: (6,), "Not yet. The number comes in a tuple of one: "),
        (lambda x: "6", "Not yet. One number is expected, not the str '6'."),
        (lambda x: True, "Not yet. One number is expected, not the bool True."),
        (lambda x: 6 + 0j, "Not yet. One number is expected, not the complex "),
        (lambda x: torch.ones(2, 3), "Not yet. One number is expected, not a tensor of shape (2, 3) and type float32."),
        (lambda x: sys.exit(3), "Not yet. Your code ended with sys.exit()"),
        (None, "Not yet. The answer is None"),
        (torch.nn.ReLU(), "Not yet. Your code stopped with TypeError"),
        (7, "Not yet. Your answer is the int 7, and this is not the form that the exercise asks for; trying it out stopped with"),
        (float("inf"), "Not yet. There is inf in the result: "),
    ],
)
def test_verdicts(answer, says, verdict):
    assert check_double(answer) is None
    assert verdict().startswith(says)


@exercise("Is it long?")
def check_upper(answer):
    """Is answer() a text in capitals?"""
    if not answer().isupper():
        raise Hint("That is not all capitals.")
    return "All capitals."


def test_what_the_judge_stumbles_over_is_said_of_the_result(verdict):
    check_upper(lambda: [1, 2])
    assert verdict().startswith("Not yet. Your function gave a list of 2, and this is not the form that the exercise asks for")


def test_the_first_step_comes_with_the_second_failed_attempt(verdict):
    says = []
    for answer in (lambda x: x, lambda x: ..., lambda x: x, lambda x: x * x, lambda x: 6, lambda x: x * x):
        check_double(answer)
        says.append(verdict())
    assert ["A first step: double the argument." in each for each in says] == [False, False, True, True, False, False]
    assert says[3] == "Not yet. That is the square. A first step: double the argument."
    check_double(lambda x: x / 0)
    assert verdict().endswith("division by zero. A first step: double the argument.")
    check_upper(lambda: "low")  # its attempts are its own, and it has no first step
    check_upper(lambda: "low")
    assert verdict() == "Not yet. That is not all capitals. Not yet. That is not all capitals."
    assert list(failed_attempts.values()) == [2, 2]


FIXTURE = torch.tensor([3.0, 4.0])


@exercise("What is its length?")
def check_length(answer):
    """Is answer(x) x's length, and [x] as it was?"""
    if abs(number(answer(FIXTURE, [FIXTURE])) - 5) > 1e-4:
        raise Hint("That is not its length.")
    if answer.changed:
        raise Hint(f"{sorted(answer.changed)} changed.")
    return "Five."


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda x, xs: x.square_().sum().sqrt_(), "[0] changed"),
        (lambda x, xs: xs[0].square_().sum().sqrt_(), "[1] changed"),
        (lambda x, xs: xs.pop().norm(), "[1] changed"),
        (lambda x, xs: x.norm(), "Right"),
    ],
)
def test_an_answer_that_works_in_place_is_seen_and_spoils_nothing(answer, says, verdict):
    check_length(answer)
    assert says in verdict()
    assert FIXTURE.tolist() == [3, 4]


@exercise("Who?", returns_nothing=True)
def check_filled(answer):
    """Does answer(network, x) fill the network, and does a gradient reach x through the copy?"""
    network, x = torch.nn.Linear(1, 1), torch.ones(1, requires_grad=True)
    answer(network, x)
    if network.weight.item() != 3 or x.grad is None:
        raise Hint("Not filled.")
    return "Filled."


def test_networks_are_handed_over_themselves_and_gradients_reach_what_was_copied(verdict):
    def fill(network, x):
        network.weight.data.fill_(3)
        (2 * x).backward()

    check_filled(fill)
    check_filled(lambda network, x: None)
    assert verdict() == "Right. Filled. Not yet. Not filled."


def test_no_check_moves_a_random_stream(verdict):
    def seeds(x):
        torch.manual_seed(5), random.seed(5), numpy.random.seed(5)
        return x + x + 0 * torch.rand(1).item() + 0 * random.random() + 0 * numpy.random.rand()

    random.seed(1), numpy.random.seed(1), torch.manual_seed(1)
    wanted = torch.rand(1).item(), random.random(), numpy.random.rand()
    random.seed(1), numpy.random.seed(1), torch.manual_seed(1)
    check_double(seeds)
    assert verdict().startswith("Right.")
    assert (torch.rand(1).item(), random.random(), numpy.random.rand()) == wanted


def test_an_interrupt_is_not_swallowed():
    def stopped(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_double(stopped)


def test_a_long_verdict_is_broken_between_words(capsys):
    words = "stride·(n - 1) begins at history.column('real_p')[-100:] and non-saturating " * 5
    exercise(words)(check_double)(...)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 90
    assert " ".join(lines).split() == f"Not attempted yet. {words}".split()


@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64, torch.int64, torch.uint8])
def test_tensors_of_every_type_are_taken(kind):
    found = tensor(torch.tensor([[1, 2]], dtype=kind), (1, 2))
    assert found.dtype == torch.float64 and found.tolist() == [[1, 2]]
    assert torch.equal(tensor(numpy.array([[1, 2]]), (1, 2)), found)


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ([1, 2], "not a list of 2"),
        (torch.ones(3), r"shape \(2,\) is expected, not a tensor of shape \(3,\)"),
        ((torch.ones(2),), "tuple of one"),
        (torch.ones(2, dtype=torch.complex64), "type complex64"),
        (torch.nn.ReLU(), r"a network \(ReLU\)"),
        (len, "a function"),
        (Answer(len), "a function"),
        (Answer(torch.nn.ReLU()), r"a network \(ReLU\)"),
        ({1}, "a set of 1"),
    ],
)
def test_no_tensor(result, says):
    with pytest.raises(Hint, match=says):
        tensor(result, (2,))


def test_a_tensor_of_any_shape():
    assert tensor(torch.ones(2, 3)).shape == (2, 3)


def test_words_are_taken_in_any_case_and_with_spaces():
    assert word(" Both ", ("D", "both")) == word(numpy.str_("both"), ("D", "both")) == "both"
    assert word("d", ("D", "both")) == "D"
    with pytest.raises(Hint, match="not the int 3"):
        word(3, ("D",))
    with pytest.raises(Hint, match="'bot' is none of the words: D, both"):
        word("bot", ("D", "both"))


def test_a_mistake_is_named_if_shape_and_values_agree():
    refuse(torch.ones(2), {"a": 1.0, "b": torch.ones(2, 1), "c": torch.tensor([1.0, 1.01])})
    with pytest.raises(Hint, match="d"):
        refuse(torch.ones(2), {"d": torch.tensor([1.0, 1.000001], dtype=torch.float64)})


def test_a_judge_may_name_the_cause_of_nan(verdict):
    @exercise("Why?")
    def check_log(answer):
        """Is answer(0) finite?"""
        try:
            answer(torch.zeros(1))
        except NotFinite:
            raise Hint("0·log 0 counts as 0.") from None
        return ""

    check_log(lambda x: x * x.log())
    assert verdict() == "Not yet. 0·log 0 counts as 0."
    assert described({}) == "a dict of 0"
