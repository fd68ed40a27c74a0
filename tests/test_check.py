"""What check cells say, and when."""

from gan_lessons import check


def test_nothing_is_said_where_the_text_is_right(capsys):
    check.expect(True, "never seen")
    assert capsys.readouterr().out == ""


def test_a_run_that_differs_is_told_in_words_and_the_lesson_goes_on(capsys):
    check.expect(0.5 > 0.85, "only 50 % of the fakes lie on the heart, where the text says that more than 85 % do, and so on")
    said = capsys.readouterr().out
    assert " ".join(said.split()).startswith("This run differs from the text: only 50 % of the fakes lie on the heart,")
    assert max(map(len, said.splitlines())) <= 90
