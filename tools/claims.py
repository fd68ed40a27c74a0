"""The numbers in the lessons' texts, held against the runs that they come from.

A sentence that states what a run gave is bound to the cell of that run, in the cell's metadata, which readers never see:

    "claims": [{"text": "11 932 crumbs", "value": "crumbs"},
               {"text": "about half of the modes", "value": "modes / 8", "low": 0.4, "high": 0.6}]

`text` is a piece of the lesson's text, word for word. `value` is an expression that the kernel evaluates right after the cell has run.
It must not draw random numbers or change anything: the cells after it are to run as they do for a reader.
It has to lie from `low` to `high`, either of which may be missing; where both are, it has to round to the first number in `text`.
tools/record.py and tools/run_notebooks.py ask for every claim. As a program this lists the sentences with numbers that no claim covers.
"""

import argparse
import math
import re
from pathlib import Path
from typing import Any

import nbformat

NUMBER = re.compile(r"[-−]?\d+(?:[ \u00a0\u202f]\d{3}\b)*(?:\.\d+)?")


def expressions(cell: nbformat.NotebookNode) -> dict[str, str]:
    """What the kernel is to evaluate after this cell, as Jupyter's user_expressions."""
    return {str(place): f"float({claim['value']})" for place, claim in enumerate(cell.metadata.get("claims", []))}


def differences(cell: nbformat.NotebookNode, evaluated: dict[str, Any]) -> list[str]:
    """In words, the claims that the kernel's answer to `expressions` does not bear out."""
    found = []
    for place, claim in enumerate(cell.metadata.get("claims", [])):
        answer = evaluated[str(place)]
        if answer["status"] != "ok":
            found.append(f"“{claim['text']}”: {claim['value']} stopped with {answer['ename']}: {answer['evalue']}")
        elif not holds(claim, value := float(answer["data"]["text/plain"])):
            found.append(f"the text says “{claim['text']}”, {claim['value']} is {value:.6g}")
    return found


def holds(claim: dict[str, Any], value: float) -> bool:
    """Whether the value lies from `low` to `high`, or rounds to the number in the claim's text."""
    if "low" in claim or "high" in claim:
        return claim.get("low", -math.inf) <= value <= claim.get("high", math.inf)
    number, decimals = stated(claim["text"])
    return abs(value - number) <= 0.5000001 * 10**-decimals


def stated(text: str) -> tuple[float, int]:
    """The first number in a text and how many decimals it has; thousands may be set apart by a space."""
    found = NUMBER.search(text)
    if not found:
        raise ValueError(f"no number in “{text}”: give the claim a low or a high")
    digits = re.sub(r"\s", "", found.group()).replace("−", "-")
    return float(digits), len(digits.partition(".")[2])


def uncovered(path: Path) -> list[str]:
    """The sentences of a lesson with a number that no claim covers."""
    cells = nbformat.read(path, as_version=4).cells
    texts = [" ".join(claim["text"].split()) for cell in cells for claim in cell.metadata.get("claims", [])]
    prose = (re.sub(r"\$[^$]*\$|`[^`]*`", "", cell.source) for cell in cells if cell.cell_type == "markdown")
    sentences = (sentence for text in prose for sentence in re.split(r"(?<=[.?!:;]) ", " ".join(text.split())))
    return [each for each in sentences if NUMBER.search(each) and not any(text in each for text in texts)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK", help="for example notebooks/04_mlp_gan.ipynb")
    for path in parser.parse_args().notebooks:
        print(f"{path}", *uncovered(path), sep="\n    ")


if __name__ == "__main__":
    main()
