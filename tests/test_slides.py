"""Slides: what begins one, what is left out, and that showing them asks no other machine for anything."""

import re
from html.parser import HTMLParser

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from gan_lessons.widgets import predictions
from tools import browser, slides

# A white and a transparent picture of one pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC"
GIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


def shown(kind, content):
    return new_output("display_data", {kind: content, "text/plain": "<Figure>"})


def printed(text):
    return new_output("stream", name="stdout", text=text)


def code(source, *outputs, tags=()):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


@pytest.fixture
def lesson():
    badge = "[![Open in Colab](https://colab.example/badge.svg)](https://colab.example/open)"
    return new_notebook(
        cells=[
            new_markdown_cell(f"# 4 · Digits\n\n{badge}\n\n*About a minute on two CPU cores.*\n\nWhat this is about."),
            code("import torch  # set-up", printed("a version")),
            new_markdown_cell("## One\n\nA sum is $1 + 1$. *Predict*: which number?\n\nSo it goes, as a *Predict* says."),
            code("print(1 + 1)  # open", printed("2\n")),
            code("draw()  # folded", shown("image/png", PNG), shown("image/gif", GIF), tags=["hide-input"]),
            code("hold()  # a check", printed("held"), tags=["check", "hide-input"]),
            new_markdown_cell("## Your turn\n\n**1.** An exercise.\n\n*Predict* nothing here."),
            code("answer = ...  # to do", printed("Not yet."), tags=["exercise"]),
            new_markdown_cell("The last words of the exercises.\n\n## Summary\n\n- The end."),
            new_markdown_cell("## References\n\nA book."),
            new_markdown_cell("## Glossary · 術語表\n\nA word."),
        ]
    )


def on_slides(notebook):
    """The cells of each slide, in order."""
    found = []
    for cell in slides.slides(notebook).cells:
        if cell.metadata.slideshow.slide_type != "-":
            found.append([])
        found[-1].append(cell)
    return found


def words(slide):
    return [cell.source for cell in slide if cell.cell_type == "markdown"]


def test_each_heading_figure_and_predict_has_a_slide_of_its_own(lesson):
    title, one, predict, after, png, gif, summary = on_slides(lesson)
    assert words(title) == ["# 4 · Digits", "What this is about."]
    assert words(one) == ["## One", "A sum is $1 + 1$."]
    assert words(predict) == ["*Predict*: which number?"] and len(predict) == 1
    assert words(after) == ["So it goes, as a *Predict* says."] and after[1].outputs[0].text == "2\n"
    assert len(png) == len(gif) == 1 and "image/png" in png[0].outputs[0].data
    assert f"data:image/gif;base64,{GIF}" in gif[0].outputs[0].data["text/html"]
    assert words(summary) == ["## Summary", "- The end."]


def test_the_notebook_stays_as_it_was(lesson):
    before = nbformat.writes(lesson)
    slides.page(lesson, "made up")
    assert nbformat.writes(lesson) == before


def test_folded_code_set_up_exercises_and_what_is_looked_up_are_left_out(lesson):
    page = slides.page(lesson, "made up")
    seen = re.sub(r"<[^>]*>", "", page[page.index("<main>") : page.index("</main>")])
    assert "# open" in seen and "What this is about." in seen and "The end." in seen
    for word in (
        "set-up",
        "a version",
        "folded",
        "a check",
        "held",
        "Your turn",
        "exercise",
        "to do",
        "Not yet",
        "book",
        "A word",
    ):
        assert word not in seen, word


def test_slides_and_predicts_are_numbered_as_nbconvert_nests_them(lesson):
    page = slides.page(lesson, "made up")
    assert len(re.findall(r"<section\b", page)) == 7 + 3  # each slide, and the three sections that they stand in
    assert len(re.findall(r'class="[^"]*\bcelltag_predict\b', page)) == 1


def test_long_texts_go_over_several_slides_and_lose_nothing():
    paragraphs = [f"Paragraph {number}. " + "Words that fill lines. " * 14 + "The end." for number in range(10)]
    parts = on_slides(new_notebook(cells=[new_markdown_cell("## Long\n\n" + "\n\n".join(paragraphs))]))
    assert len(parts) > 3 and [text for slide in parts for text in words(slide)] == ["## Long", *paragraphs]
    assert all(len(" ".join(words(slide)).split()) < 200 for slide in parts)


def test_a_sentence_keeps_what_its_colon_leads_to():
    text = "It is:\n\n$$a\n\n= b$$\n\nThen:\n\n```\none\n\ntwo\n```\n\nThe end."
    assert slides.blocks(text) == ["It is:\n\n$$a\n\n= b$$", "Then:\n\n```\none\n\ntwo\n```", "The end."]
    lead = [new_markdown_cell("## One\n\n" + "Long. " * 200), new_markdown_cell("As a picture:")]
    *_, last = on_slides(new_notebook(cells=[*lead, code("draw()", shown("image/png", PNG), tags=["hide-input"])]))
    assert words(last) == ["As a picture:"] and len(last) == 2


def test_the_line_of_a_prediction_is_left_out_and_what_it_came_out_as_is_shown():
    line = predictions.predict("How many?")
    panel = new_output("display_data", {"text/html": "<style>.a {}</style><script>if (a < b) {}</script>"})
    cells = [
        code("ask", panel, new_output("display_data", {"text/plain": repr(line)}), tags=["hide-input"]),
        code(
            "answer",
            panel,
            new_output("display_data", {"text/plain": repr(predictions.compare({line: "7"}))}),
            tags=["hide-input"],
        ),
    ]
    (slide,) = on_slides(new_notebook(cells=[new_markdown_cell("## One"), *cells]))
    assert [cell.source for cell in slide] == ["## One", "answer"]
    assert [output.data["text/plain"] for output in slide[1].outputs] == ["How many? It came out as: 7."]


class Resources(HTMLParser):
    """What a browser loads for a page, by tag and attribute; a link that is only clicked is no such thing."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.found += [named[name] for name in ("src", "srcset", "data", "poster") if named.get(name)]
        self.found += [named["href"]] if tag == "link" else []


def loaded(page):
    parser = Resources()
    parser.feed(page)
    css = re.sub(r"/\*.*?\*/", "", page, flags=re.DOTALL)
    return parser.found + re.findall(r"url\(\s*[\"']?([^\"')]*)", css) + re.findall(r"(?:import|from)\s+[\"']([^\"']+)", css)


def test_nothing_comes_from_another_machine(lesson):
    found = [address for address in loaded(slides.page(lesson, "made up")) if not address.startswith(("data:", "#"))]
    assert {"reveal/dist/reveal.js", "reveal/dist/reveal.css"} <= set(found)
    assert all(address.startswith(("reveal/", "mathjax/")) for address in found), found


def test_an_unknown_lesson_is_named():
    with pytest.raises(SystemExit, match=r"There is no lesson 42; there are 00, .*09\."):
        slides.lessons(["04", "42"])


@pytest.mark.browser
@pytest.mark.skipif(browser.CHROMIUM is None, reason="no Chromium on this machine")
def test_without_a_network_formulas_are_set_and_nothing_is_cut_off(lesson, tmp_path):
    lesson.cells[2].source += "\n\n" + "A long text. " * 80 + "\n\n$$" + "x + " * 50 + "x$$"
    lesson.cells[3].source += "\n" + "y = 1  # " + "a long line " * 11
    slides.lay_beside(tmp_path)
    path = tmp_path / "slides.html"
    path.write_text(slides.page(lesson, "made up"), encoding="utf-8")
    with browser.chromium() as chrome:
        page = chrome.new_page(viewport={"width": 1280, "height": 720})
        page.context.set_offline(True)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_function("() => window.Reveal && Reveal.isReady()", timeout=120_000)
        assert len(asked) > 5 and not [url for url in asked if not url.startswith(("file:", "data:", "about:"))]
        assert page.evaluate("() => document.querySelectorAll('.MathJax').length") == 2
        assert page.evaluate("() => Reveal.getTotalSlides()") == len(on_slides(lesson))
        sizes = page.evaluate(
            """() => Reveal.getSlides().map(slide => {
                const place = Reveal.getIndices(slide);
                Reveal.slide(place.h, place.v);
                const boxes = [...slide.querySelectorAll("p, pre, img, li, .MathJax")].map(each => each.getBoundingClientRect());
                return [Math.max(...boxes.map(box => box.right)), Math.max(...boxes.map(box => box.bottom))];
            })"""
        )
        assert all(right <= 1280 and bottom <= 720 for right, bottom in sizes), sizes
