"""Predictions are kept, may be changed, and are set beside what came out."""

import pytest

from gan_lessons import widgets


def place(prediction):
    (row,) = [child for child in prediction.children if hasattr(child, "children")]
    return row.children[0]


def test_a_choice_is_kept_and_may_be_changed():
    prediction = widgets.predict("Whole heart, or one place?", ["the whole heart", "one place"])
    assert prediction.answer == "" and place(prediction).value is None, "nothing is said for the reader"
    place(prediction).value = "one place"
    assert prediction.answer == "one place" and "Kept: one place" in prediction.message.value
    place(prediction).value = "the whole heart"
    assert prediction.answer == "the whole heart"


@pytest.mark.parametrize(
    "said, kept",
    [("60", "60 %"), (" 60% ", "60 %"), ("60.5", "60.5 %"), ("60,5", "60.5 %"), ("−3", "-3 %"), ("1e3", "1000 %"), ("", "")],
)
def test_a_number_is_kept_with_its_unit(said, kept):
    prediction = widgets.predict("What share?", unit="%")
    place(prediction).value = said
    assert prediction.answer == kept


def test_what_is_no_number_is_told_and_what_was_said_before_stays():
    prediction = widgets.predict("What share?", unit="%")
    place(prediction).value = "60"
    place(prediction).value = "more than half"
    assert "please type a number, such as 60, not &#x27;more than half&#x27;" in prediction.message.value
    assert prediction.answer == "60 %"


def test_the_table_follows_what_is_said():
    share, where = widgets.predict("What share?", unit="%"), widgets.predict("Where?", ["here", "there <b>"])
    table = widgets.compare({share: "93 %", where: "here & there"})
    unshown = "answer it, or press Show all"
    assert table.rows == [("What share?", "nothing yet", unshown), ("Where?", "nothing yet", unshown)]
    assert repr(table) == "What share? It came out as: 93 %.\nWhere? It came out as: here & there."
    place(share).value = "70"
    assert table.rows == [("What share?", "70 %", "93 %"), ("Where?", "nothing yet", unshown)]
    place(where).value = "there <b>"
    assert [said for _, said, _ in table.rows] == ["70 %", "there <b>"]
    markup = table.children[1].value
    assert "<td>there &lt;b&gt;</td><td>here &amp; there</td>" in markup and "<td>70 %</td>" in markup


def test_a_button_shows_what_came_out_of_all():
    table = widgets.compare({widgets.predict("What share?", unit="%"): "93 %"})
    table.children[-1].click()
    assert table.rows == [("What share?", "nothing yet", "93 %")]


def test_without_widgets_the_question_can_be_read(monkeypatch):
    shown = []
    monkeypatch.setattr("gan_lessons.widgets.panel.display", lambda bundle, raw: shown.append(bundle))
    widgets.predict('Is "this" <real>?', ["yes", "no"])._ipython_display_()
    sheet, view = shown
    assert "content: \"[A place for your prediction: Is 'this'  real>? Run the notebook to answer.]\"" in sheet["text/html"]
    assert view["text/plain"] == '[A place for your prediction: Is "this" <real>? Run the notebook to answer.]'
    assert "\n" not in sheet["text/html"], "the sanitizer of outputs replaces one line"


def test_a_single_choice_and_an_empty_table_are_refused():
    with pytest.raises(ValueError, match="One choice, 'yes', is none"):
        widgets.predict("Sure?", ["yes"])
    with pytest.raises(ValueError, match="nothing to compare"):
        widgets.compare({})
