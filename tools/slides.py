"""Make reveal.js slides of lessons from their notebooks as they are: slides/04_mlp_gan.html and what it shows itself with.

A heading and a figure begin a slide, a *Predict* has one of its own, and long texts go over several. Folded code, checks, set-up,
exercises, references and the glossary are left out. Nothing is fetched when the slides are shown: reveal.js, MathJax and their fonts
lie beside them, so copy the folder as a whole. How the slides look is told in slides_template/.
"""

import argparse
import importlib.util
import math
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = {"Your turn", "References", "Glossary"}  # sections that are worked through or looked up, not shown
ROOM, WIDTH, LEAD = 14, 75, 3  # lines on a slide, characters in a line; lines of a text that may stand above a figure
UNSHOWN = re.compile(r"\[!\[|\*About .*two CPU cores")  # badges, which come from elsewhere, and the times
PREDICT = re.compile(r"(?<![^.?!:)] )(?<![^\s])\*Predict\*")  # where a sentence begins with it
FIGURES = ("image/png", "image/gif", "image/jpeg")
STILL = "[A place for your prediction"  # what stands for the line of a prediction in a recorded notebook


@dataclass
class Piece:
    """What stays together on a slide: a cell of its own, how many lines it takes, and whether and how it begins a slide."""

    cell: nbformat.NotebookNode
    lines: int
    begins: str = "-"  # "slide" for a section, "subslide" within one, "-" where there is room
    alone: bool = False  # nothing follows on the same slide
    heading: bool = False


# ------------------------------------------------------------------------------------------- taking apart


def blocks(text: str) -> list[str]:
    """Paragraphs, fenced code, tables, lists and formulas; those that a sentence leads to with a colon stay with it."""
    found: list[str] = []
    is_open = False
    for part in re.split(r"\n{2,}", text.strip()):
        if is_open or (found and (found[-1].endswith(":") or part.startswith("$$")) and not found[-1].startswith("#")):
            found[-1] += f"\n\n{part}"
        else:
            heading, _, rest = part.partition("\n") if part.startswith("#") else ("", "", part)
            found += filter(None, (heading, rest))
        is_open = found[-1].count("```") % 2 == 1 or found[-1].count("$$") % 2 == 1
    return found


def split_predict(block: str) -> list[str]:
    """A paragraph as what comes before its *Predict* and what begins there; the paragraph alone where it has none."""
    found = PREDICT.search(block)
    return [part for part in (block[: found.start()].strip(), block[found.start() :]) if part] if found else [block]


def section(heading: str) -> str:
    """The English title of a heading, as of "## Glossary · 術語表"."""
    return heading.lstrip("# ").split(" · ")[0]


def text_lines(text: str) -> int:
    """About how many lines a text takes on a slide."""
    return sum(math.ceil(len(line) / WIDTH) or 1 for line in text.splitlines())


def text_piece(block: str) -> Piece:
    """A piece of Markdown; a heading and a *Predict* begin a slide."""
    cell = nbformat.v4.new_markdown_cell(block)
    if level := re.match(r"#+ ", block):
        return Piece(cell, 2, "slide" if len(level.group()) <= 3 else "subslide", heading=True)
    if PREDICT.match(block):
        cell.metadata["tags"] = ["predict"]
        return Piece(cell, text_lines(block), "subslide", alone=True)
    return Piece(cell, text_lines(block))


def is_figure(output: nbformat.NotebookNode) -> bool:
    """Whether an output is a picture."""
    return any(kind in output.get("data", {}) for kind in FIGURES)


def shows(output: nbformat.NotebookNode) -> bool:
    """Whether there is something to see in an output without a kernel."""
    data = output.get("data", {})
    html = re.sub(r"<(style|script).*?</\1>|<[^>]*>", "", data.get("text/html", ""), flags=re.DOTALL)
    said = html if "text/html" in data else output.get("text", data.get("text/plain", ""))
    return is_figure(output) or (bool(said.strip()) and STILL not in said)


def as_html(figure: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A GIF as an <img>, since nbconvert knows none; any other figure as it is."""
    if "image/gif" not in figure.data:
        return figure
    img = f'<img src="data:image/gif;base64,{figure.data["image/gif"].strip()}" alt="An animation">'
    return nbformat.v4.new_output("display_data", {"text/html": img})


def part_of(cell: nbformat.NotebookNode, outputs: list, with_source: bool) -> nbformat.NotebookNode:
    """A code cell with some of its outputs, and with or without its code."""
    part = nbformat.v4.new_code_cell(cell.source, outputs=outputs, execution_count=cell.execution_count)
    part.metadata["transient"] = {"remove_source": not with_source}
    return part


def code_pieces(cell: nbformat.NotebookNode, is_set_up: bool) -> Iterator[Piece]:
    """The code of an open cell with what it printed, then each of its figures; of a set-up cell the figures alone."""
    tags = cell.metadata.get("tags", [])
    if "exercise" in tags or "check" in tags:
        return
    shown = [output for output in cell.outputs if shows(output)]
    printed = [output for output in shown if not is_figure(output)]
    is_open = "hide-input" not in tags
    if not is_set_up and (is_open or printed):
        texts = "".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in printed)
        lines = (cell.source.count("\n") + 2 if is_open else 0) + texts.count("\n")
        yield Piece(part_of(cell, printed, is_open), lines)
    for output in filter(is_figure, shown):
        yield Piece(part_of(cell, [as_html(output)], False), ROOM, "subslide", alone=True)


def pieces(notebook: nbformat.NotebookNode) -> Iterator[Piece]:
    """All of a lesson that is shown, in order."""
    left_out, sections = False, 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            yield from () if left_out else code_pieces(cell, is_set_up=sections == 0)
            continue
        for block in blocks(cell.source):
            if re.match(r"##? ", block):
                left_out = section(block) in LEFT_OUT
                sections += block.startswith("## ")
            if not left_out and not UNSHOWN.match(block):
                yield from map(text_piece, split_predict(block))


# ---------------------------------------------------------------------------------------- putting together


def joined(found: list[Piece]) -> list[Piece]:
    """The pieces, with what a heading or a short sentence with a colon leads to on the same slide."""
    for lead, piece in pairwise(found):
        short = lead.lines <= LEAD and lead.cell.source.rstrip().endswith(":") and not lead.alone
        if piece.begins == "slide" or not (lead.heading or short):
            continue
        if short and not lead.heading and piece.begins != "-" and lead.begins == "-":
            lead.begins = piece.begins
        piece.begins = "with"
    return found


def slides(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A notebook of what is shown, with the slide on which each cell stands in its metadata, as nbconvert wants it."""
    used, title = 0, ""
    shown = joined(list(pieces(notebook)))
    for piece in shown:
        if piece.begins == "-" and used + piece.lines > ROOM:
            piece.begins = "subslide"
        is_new = piece.begins in ("slide", "subslide")
        if piece.heading:
            title = re.sub(r"[#$*`]", "", piece.cell.source).strip()
        data = {} if piece.heading else {"title": title}
        piece.cell.metadata["slideshow"] = {"slide_type": piece.begins if is_new else "-", "data": data}
        used = (0 if is_new else used) + (2 * ROOM if piece.alone else piece.lines)
    return nbformat.v4.new_notebook(cells=[piece.cell for piece in shown], metadata=notebook.metadata)


# ----------------------------------------------------------------------------------------------- writing


def page(notebook: nbformat.NotebookNode, title: str) -> str:
    """The slides as HTML, which looks for reveal.js and MathJax in folders beside it."""
    exporter = SlidesExporter(
        template_name="slides_template",
        extra_template_basedirs=[str(ROOT / "tools")],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        reveal_url_prefix="reveal",
        reveal_theme="white",
    )
    html, _ = exporter.from_notebook_node(slides(notebook), {"metadata": {"name": title}})
    return html


def installed(package: str, folder: str) -> Path:
    """A folder of files that an installed package brings along."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        sys.exit(f"{package} is not installed: run make slides, which installs it first.")
    return Path(spec.origin).parent / folder


def lay_beside(folder: Path) -> None:
    """Copy reveal.js and MathJax there, unless they are there already."""
    reveal, mathjax = installed("sphinx_revealjs", "_static/revealjs"), installed("jupyter_server_mathjax", "static")
    for source, target in ((reveal, folder / "reveal"), (mathjax, folder / "mathjax")):
        if not target.exists():
            unfinished = shutil.copytree(source, folder / f".{target.name}", dirs_exist_ok=True)
            Path(unfinished).rename(target)


def lessons(words: list[str]) -> list[Path]:
    """The notebooks of the lessons with these numbers, or of all."""
    found = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))}
    if unknown := set(words) - set(found):
        sys.exit(f"There is no lesson {', '.join(sorted(unknown))}; there are {', '.join(found)}.")
    return [found[word] for word in words or found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="a number such as 04; without any, all lessons")
    parser.add_argument("--folder", type=Path, default=ROOT / "slides", help="default slides/")
    options = parser.parse_args()
    chosen = lessons(options.lessons)
    options.folder.mkdir(parents=True, exist_ok=True)
    lay_beside(options.folder)
    for path in chosen:
        target = options.folder / f"{path.stem}.html"
        target.write_text(page(nbformat.read(path, as_version=4), path.stem), encoding="utf-8")
        print(target)


if __name__ == "__main__":
    main()
