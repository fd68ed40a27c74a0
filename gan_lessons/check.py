"""What a lesson's text says of a run, held against the run that the reader has just made."""

import textwrap


def expect(holds: bool, otherwise: str) -> None:
    """Say nothing where `holds` is true, and where it is not, `otherwise`: in words, what differs from the text.

    The lesson goes on either way. On another machine, or with a recipe that the reader has changed, a run may come out
    differently, which is worth knowing and not worth a traceback. Where the lessons are tested it says nothing, or the test fails.
    """
    if not holds:
        print(textwrap.fill(f"This run differs from the text: {otherwise}", 90, break_long_words=False))
