"""What a history shows, in words: right on runs that failed, silent on runs that did not, and exact in what it says."""

import itertools
import math

import nbformat
import numpy
import pytest

from gan_lessons import bundle, diagnosis
from gan_lessons.diagnosis import diagnose
from gan_lessons.history import History, Record

LESSON = bundle.FOLDER.parent / "notebooks/05_when_gans_fail.ipynb"
HEADINGS = {  # of each failure, by the name that the recorded runs have
    "mode collapse": "1 · Mode collapse",
    "strong D": "2 · D too strong",
    "oscillation": "3 · Oscillation",
    "weak D": "4 · D too weak",
    "linear G": "6 · No non-linearity in G",
    "one picture": "7 · One picture for every z",
    "mixed batch": "8 · Real and fake in one batch",
    "leaked gradients": "9 · Leaked gradients",
    "unscaled data": "10 · Unscaled data",
}


def played():
    """The runs that tools/record_tested_runs.py has recorded, by their name, and the classes counted in some of them."""
    with numpy.load(bundle.path("diagnosis/tested.npz")) as packed:
        return {name: packed[name].astype(float) for name in packed}


def history(rows):
    return History(Record(int(row[0]), *map(float, row[1:])) for row in rows)


def recorded():
    runs, labels = bundle.diagnosis_runs(), bundle.diagnosis_labels()
    twelve = {f"{labels[number]['name']}: run {number}": run for number, run in runs.items()}
    others = {name: history(rows) for name, rows in played().items() if not name.startswith("classes")}
    return twelve | others


RUNS = recorded()
HEALTHY = {name: run for name, run in RUNS.items() if name.startswith("healthy")}
ILL = {name: run for name, run in RUNS.items() if not name.startswith("healthy")}


# ------------------------------------------------------------------------------------------ recorded runs


def test_there_are_five_seeds_of_each_of_the_lessons_games():
    """As long as the lessons play them; of the long ones, 04's, 07's and 08's faces, four seeds a third of that."""
    lengths = {"03 bump": [600] * 5, "03 ring": [1500] * 5, "08 pretrained": [200] * 5}
    lengths |= {"04 digits": [3000] + [1000] * 4, "07 digits": [1200] + [400] * 4, "08 faces": [1800] + [600] * 4}
    for game, turns in lengths.items():
        assert [HEALTHY[f"healthy: {game}, seed {seed}"][-1].turn for seed in range(5)] == turns, game


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_runs_cause_no_alarm_at_any_turn(name):
    run = HEALTHY[name]
    alarms = {run[end - 1].turn: diagnose(History(run[:end])) for end in range(1, len(run) + 1, 5)} | {0: diagnose(run)}
    assert {turn: list(map(str, found)) for turn, found in alarms.items() if found} == {}


@pytest.mark.parametrize("name", [name for name in played() if name.startswith("classes")])
def test_healthy_digits_are_of_enough_classes_at_any_turn(name):
    run = HEALTHY[name.replace("classes", "healthy")]
    for turn, classes in played()[name]:
        assert diagnose(History(record for record in run if record.turn <= turn), classes) == [], turn


@pytest.mark.parametrize("name", ILL)
def test_failures_are_named_by_a_heading_that_treats_them(name):
    (finding,) = diagnose(ILL[name])
    assert HEADINGS[name.split(":")[0]] in finding.headings, finding


@pytest.mark.parametrize("name", ILL)
def test_words_do_not_come_and_go(name):
    """Looked at every tenth turn from 300 on, what is said of a failure changes at most four times until turn 1000."""
    run = ILL[name]
    said = [diagnose(History(record for record in run if record.turn <= turn)) for turn in range(300, run[-1].turn + 1, 10)]
    headings = [found[0].headings if found else () for found in said]
    assert sum(one != other for one, other in itertools.pairwise(headings)) <= 4, headings


def test_each_rule_has_a_run_that_it_speaks_of():
    said = {headings for run in ILL.values() for _, _, headings in diagnose(run)}
    assert len(said) == len(diagnosis.RULES) + 1, "the rule of waves says two things"


def test_each_heading_stands_in_lesson_05():
    cells = nbformat.read(LESSON, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown").splitlines()
    headings = {line.removeprefix("## ") for line in text if line.startswith("## ")}
    (few,) = diagnose(turns((500, HEALTHY_TURN)), classes=1.2)
    named = {*HEADINGS.values(), *few.headings} | {
        heading for run in ILL.values() for f in diagnose(run) for heading in f.headings
    }
    assert len(named) == 11 and named <= headings, named - headings


# -------------------------------------------------------------------------------------------- made-up ones

HEALTHY_TURN, WON = (0.55, 0.45, 0.85, 1.25, 1.0), (0.98, 0.02, 4.0, 0.05, 1.0)


def turns(*parts):
    """A history: so many turns with these measures, part after part."""
    rows = [measures for count, measures in parts for _ in range(count)]
    return History(Record(turn, *measures) for turn, measures in enumerate(rows, start=1))


def test_d_has_won_and_how_g_fares():
    faint = (*WON[:4], 0.025)
    (finding,) = diagnose(turns((300, HEALTHY_TURN), (200, faint)))
    assert finding.sees == "D has won: D(x) 0.98, D(G(z)) 0.02, and G's gradient is 40 times smaller than around turn 100"
    assert str(finding).startswith(f"{finding.sees}. Look at a batch of samples, and print")
    assert str(finding).endswith("Lesson 05: “2 · D too strong”, or “7 · One picture for every z”, or “10 · Unscaled data”.")


@pytest.mark.parametrize(
    ("gradient", "says"),
    [
        (0.5, "D(G(z)) 0.02"),
        (6.0, "D(G(z)) 0.02, and G's gradient is 6 times larger than around turn 100"),
        (math.nan, "D(G(z)) 0.02"),
        (0.0, "D(G(z)) 0.02"),
        (math.inf, "D(G(z)) 0.02"),
    ],
)
def test_g_s_gradient_is_told_where_it_is_known_and_far_from_what_it_was(gradient, says):
    (finding,) = diagnose(turns((300, HEALTHY_TURN), (200, (*WON[:4], gradient))))
    assert finding.sees.endswith(says)


def test_a_saturating_loss_is_told():
    (finding,) = diagnose(turns((300, (0.99, 0.01, -0.01, 0.02))))
    assert finding.sees == "D has won: D(x) 0.99, D(G(z)) 0.01; G's loss, a saturating one, is flat there"


@pytest.mark.parametrize(
    ("measures", "says"),
    [
        ((0.92, 0.30, 1.3, 0.5), "D is winning: D(x) 0.92, D(G(z)) 0.30"),
        ((0.80, 0.20, 1.7, 0.5), "D is ahead and G does not catch up: D(x) 0.80, D(G(z)) 0.20"),
        ((1.0, 0.5, 0.69, 0.7), "both losses stay at log 2 = 0.69"),
        ((0.97, 0.03, 0.2, 0.1), "G's loss is 0.20, too low for D(G(z)) 0.03, with which it would be 3.51 or more"),
        ((0.498, 0.503, 0.69, 1.4), "D does no better than a coin: D(x) 0.50, D(G(z)) 0.50, and its loss, 1.400, is above log 4"),
    ],
)
def test_what_is_seen_stands_there_in_numbers(measures, says):
    (finding,) = diagnose(turns((400, measures)))
    assert says in finding.sees


def swinging(real, fake, together=1.0):
    """Five hundred turns in which D(x) and D(G(z)) swing by so much, with a period of 80 turns, together or against each other."""
    waves = numpy.sin(numpy.arange(1, 501) * 2 * math.pi / 80)
    return History(
        Record(turn, 0.5 + real * wave, 0.5 + together * fake * wave, 0.8, 2.0)
        for turn, wave in enumerate(waves.tolist(), start=1)
    )


@pytest.mark.parametrize(
    ("run", "heading"),
    [
        (swinging(0.1, 0.2, together=-1.0), "3 · Oscillation"),
        (swinging(0.001, 0.1), "4 · D too weak"),
        (swinging(0.1, 0.1), None),  # D's opinion wanders, of both alike: nobody gets ahead
        (swinging(0.005, 0.005, together=-1.0), None),
    ],
)
def test_waves_are_those_of_who_is_ahead(run, heading):
    assert [finding.headings for finding in diagnose(run)] == ([(heading,)] if heading else [])


@pytest.mark.parametrize("shape", [numpy.linspace(0, 0.15, 500), numpy.repeat([0.0, 0.15], [350, 150])])
def test_neither_a_drift_nor_a_step_is_a_wave(shape):
    assert diagnose(History(Record(turn, 0.5 + x, 0.5 - x, 0.8, 1.38) for turn, x in enumerate(shape.tolist(), start=1))) == []


def test_nothing_is_said_before_it_has_lasted_nearly_two_hundred_turns():
    assert diagnose(History()) == diagnose(turns((199, WON))) == diagnose(turns((300, HEALTHY_TURN), (130, WON))) == []
    (finding,) = diagnose(turns((300, HEALTHY_TURN), (100, WON), (100, HEALTHY_TURN), (100, WON)))
    assert finding.headings == ("3 · Oscillation",), "who is ahead changes"
    (one,), (other,) = diagnose(turns((200, WON))), diagnose(turns((300, HEALTHY_TURN), (200, WON)))
    assert one.headings == other.headings == ("2 · D too strong", "7 · One picture for every z", "10 · Unscaled data")
    assert diagnose(turns((300, WON), (200, HEALTHY_TURN))) == []


def test_a_history_with_too_few_rows_says_nothing():
    run = turns((1000, WON))
    assert diagnose(History(run[9::10])) and diagnose(History(run[14::15])) == []


@pytest.mark.parametrize(
    "measures",
    [
        (0.73, 0.5, 0.5, 0.0),  # least squares: outputs of 1 and 0, where D has won
        (0.95, 0.45, 3.0, 0.05),  # relative logits: 3 for reals, -0.2 for fakes, and all that counts is their difference
        (0.9933, 0.5, 5.0, 0.0067),
    ],
)
def test_of_other_losses_nothing_is_said_but_the_number_of_classes(measures):
    assert diagnose(turns((600, measures))) == []
    (finding,) = diagnose(turns((600, measures)), classes=1.2)
    assert finding.sees == "Only 1.2 of 10 classes are drawn"


def test_classes_are_counted_against_how_many_there_are_and_not_too_early():
    run = turns((500, HEALTHY_TURN))
    assert diagnose(History(run[:-1]), classes=1.0) == [] == diagnose(run, classes=3.4) == diagnose(run, classes=2.0, of=5)
    (finding,) = diagnose(run, classes=1.6, of=5)
    assert finding.sees == "Only 1.6 of 5 classes are drawn" and finding.headings[0] == "1 · Mode collapse"
    won, few = diagnose(turns((500, WON)), classes=1.2)
    assert won.sees.startswith("D has won") and few.sees.startswith("Only 1.2")
    for wrong in (0.0, 10.5, math.nan):
        with pytest.raises(ValueError, match=r"classes is .* of 10; it lies from 1 to 10"):
            diagnose(run, classes=wrong)
