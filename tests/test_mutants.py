"""The command that breaks the package on purpose: tried on a package of one line, and its table held against the sources."""

import pytest

from tools import mutants
from tools.mutants import Mutant

TWICE = "def twice(x):\n    return 2 * x\n"
TESTS = "from gan_lessons.small import twice\n\ndef test_twice():\n    assert twice(2) == 4\n"
NOTICED = Mutant("three times", "small.py", "2 * x", "3 * x", "tests/test_small.py")
OVERLOOKED = Mutant("the square", "small.py", "2 * x", "x * x", "tests/test_small.py")
GONE = Mutant("no such text", "small.py", "half", "x / 2", "tests/test_small.py")


@pytest.fixture
def checkout(tmp_path):
    """A package of one function, and a test that two times two is four: which the square passes, too."""
    for folder, name, content in (("gan_lessons", "small.py", TWICE), ("tests", "test_small.py", TESTS)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(content)
    (tmp_path / "gan_lessons/__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\nmarkers = ["slow", "browser"]\n')
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "all_noticed", "says"),
    [
        ([NOTICED], True, ["killed    small.py: three times", "1 mistakes tried, 0 survived: none."]),
        ([OVERLOOKED, NOTICED], False, ["SURVIVED  small.py: the square", "2 mistakes tried, 1 survived: the square."]),
        (
            [GONE, NOTICED],
            False,
            ["no such text: gan_lessons/small.py has the text 0 times, not once: 'half'.", "1 mistakes tried"],
        ),
    ],
)
def test_survivors_are_named_and_the_checkout_stays_as_it_was(checkout, capsys, table, all_noticed, says):
    assert mutants.run(table, checkout) is all_noticed
    said = capsys.readouterr().out
    assert all(words in said for words in says), said
    assert (checkout / "gan_lessons/small.py").read_text() == TWICE
    assert {path.name for path in checkout.iterdir()} == {"gan_lessons", "tests", "pyproject.toml"}


@pytest.mark.slow
def test_tests_that_fail_anyway_notice_nothing(checkout, capsys):
    (checkout / "tests/test_small.py").write_text(TESTS.replace("== 4", "== 5"))
    assert not mutants.run([NOTICED], checkout)
    assert "tests/test_small.py: fails without any mistake" in capsys.readouterr().out


@pytest.mark.slow
def test_a_file_without_a_test_is_named(checkout):
    with pytest.raises(SystemExit, match=r"pytest finds no fast test in tests/test_large.py"):
        mutants.run([NOTICED._replace(tests="tests/test_large.py")], checkout)


def test_every_mistake_of_the_table_can_be_made():
    assert mutants.misplaced(mutants.MUTANTS) == [], "the source has changed: change its lines in tools/mutants.py"
    assert len({each.name for each in mutants.MUTANTS}) == len(mutants.MUTANTS)
    for each in mutants.MUTANTS:
        assert all((mutants.ROOT / tests.partition("::")[0]).is_file() for tests in each.tests.split()), each.name


def test_words_choose_by_name_and_by_file():
    assert mutants.chosen([NOTICED, OVERLOOKED], ["square"]) == [OVERLOOKED]
    assert (
        mutants.chosen([NOTICED, OVERLOOKED], ["small.py"]) == mutants.chosen([NOTICED, OVERLOOKED], []) == [NOTICED, OVERLOOKED]
    )
