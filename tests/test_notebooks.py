"""The rules that every lesson keeps, and that the lessons' definitions compute what the package computes."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import torch

from gan_lessons import data, latent, metrics, models, runtime, training
from tools import claims

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("[0-9]*.ipynb"))
LESSONS = [path for path in NOTEBOOKS if path.parent.name == "notebooks"]
BANNED = ("clear_output", "%%time", "%matplotlib widget", "num_workers", "import previous_chapters", "svg", "ipympl")


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def name(path):
    return str(path.relative_to(ROOT))


def is_folded(cell):
    return "hide-input" in cell.metadata.get("tags", [])


def code_lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_committed_as_it_was_executed(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < 1_500_000
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    counts = [cell.execution_count for cell in cells(path, "code") if cell.source.strip()]
    assert counts == list(range(1, len(counts) + 1)), "recorded out of order, or not at all: use make record"
    for cell in notebook.cells:
        folded = {"jupyter": {"source_hidden": True}, "cellView": "form"} if is_folded(cell) else {}
        assert {key: value for key, value in cell.metadata.items() if key not in ("tags", "claims")} == folded
        outputs = cell.get("outputs", [])
        assert not any(output.output_type == "error" for output in outputs)
        assert not any(output.get("name") == "stderr" for output in outputs), "a warning was recorded"
    text = path.read_text()
    assert str(ROOT) not in text and "/site-packages/" not in text and "/tmp/" not in text


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_cells_are_short_and_introduced(path):
    before = None
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
        where = f"cell {number}"
        if cell.cell_type == "code":
            lines = code_lines(cell)
            assert 0 < len(lines) <= (30 if is_folded(cell) else 15), where
            assert max(map(len, lines)) <= 120, f"{where}: a line is too wide for a projector"
            assert not any(word in cell.source.lower() for word in BANNED), where
            assert not cell.source.rstrip().endswith(";"), where
            assert before == "markdown" or is_folded(cell), f"{where}: code follows code without a word"
        else:
            assert len(cell.source.split()) <= 220, f"{where}: a wall of text"
        before = cell.cell_type


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_lesson_has_its_parts_in_order(path):
    source = nbformat.read(path, as_version=4).cells
    number = int(path.name[:2])
    assert source[0].source.startswith(f"# {number} · ")
    assert "**What you will be able to do**" in "".join(cell.source for cell in source[:5] if cell.cell_type == "markdown")
    assert "google.colab" in source[1].source and "import" in source[2].source
    assert is_folded(source[1]) and is_folded(source[2])
    headings = [line for cell in source if cell.cell_type == "markdown" for line in cell.source.splitlines()]
    parts = [line for line in headings if line in ("## Summary", "## What comes next", "## References")]
    assert parts == ["## Summary", "## What comes next", "## References"]
    assert "*Predict*" in "".join(cell.source for cell in source)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_folded_cells_say_what_they_do(path):
    for cell in filter(is_folded, cells(path, "code")):
        title, *code = code_lines(cell)
        assert re.fullmatch(r"# @title [A-Z].{10,90}[^.:]", title) and code, title


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_what_the_text_explains_is_open(path):
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    explained = set(re.findall(r"`([A-Za-z_]\w*)(?:\(.*?\))?`", text))
    for cell in filter(is_folded, cells(path, "code")):
        hidden = explained & defined(cell.source)
        assert not hidden, f"the text speaks of {sorted(hidden)}, which “{code_lines(cell)[0]}” hides"


def defined(source):
    """The names of functions and classes that a cell defines and of variables that it sets, at its outermost level."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            found |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    return found


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_a_reader_is_shown_numbers_and_checks_are_silent(path):
    for cell in cells(path, "code"):
        tags = cell.metadata.get("tags", [])
        text = "".join(output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in cell.outputs)
        assert "exercise" in tags or not re.search(r"\b(True|False)\b", text), text
        if "check" in tags:
            assert is_folded(cell) and cell.source.startswith("# @title Check: ") and "check.expect(" in cell.source
            assert not cell.outputs and "nbval-ignore-output" not in tags
        else:
            assert "check.expect(" not in cell.source and not re.search(r"^assert ", cell.source, flags=re.MULTILINE)


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_claims_are_made_in_the_lessons_own_words(path):
    text = " ".join(" ".join(cell.source.split()) for cell in cells(path, "markdown"))
    for claim in (claim for cell in cells(path, "code") for claim in cell.metadata.get("claims", [])):
        assert set(claim) <= {"text", "value", "low", "high"} and " ".join(claim["text"].split()) in text, claim
        compile(claim["value"], claim["text"], "eval")
        assert {"low", "high"} & set(claim) or claims.stated(claim["text"]), claim


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_solutions_have_their_lessons_title_and_run_on_colab_too(path):
    lesson, solutions = (nbformat.read(each, as_version=4).cells for each in (path, path.parent / "solutions" / path.name))
    title = lesson[0].source.splitlines()[0].removeprefix("# ")
    assert solutions[0].source.startswith(f"# Solutions {title}\n\nTry each exercise of lesson {path.name[:2]} yourself first")
    assert solutions[1].source == lesson[1].source


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_lesson_shows_pictures(path):
    outputs = [output for cell in cells(path, "code") for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3


@pytest.mark.parametrize("path", LESSONS, ids=name)
def test_every_exercise_has_a_stub_and_a_solution(path):
    stubs = [cell for cell in cells(path, "code") if "exercise" in cell.metadata.get("tags", [])]
    assert 3 <= len(stubs) <= 5
    checks = [re.findall(r"lesson_\d\d\.check_\w+", cell.source) for cell in stubs]
    for cell, called in zip(stubs, checks):
        assert "..." in cell.source and len(called) == 1
        assert "Not attempted yet. " in cell.outputs[0].text
    solved = [cell for cell in cells(path.parent / "solutions" / path.name, "code") if "check_" in cell.source]
    assert [re.findall(r"lesson_\d\d\.check_\w+", cell.source) for cell in solved] == checks
    assert all(any(output.get("text", "").count("Right. ") for output in cell.outputs) for cell in solved)


def definitions(path, *names):
    """Run the notebook's imports and the named definitions, and give back what they define."""
    wanted, scope = set(names), {}
    for cell in cells(path, "code"):
        tree = ast.parse(re.sub(r"^[%!].*$", "", cell.source, flags=re.MULTILINE))
        keep = [
            node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)) or getattr(node, "name", None) in wanted
        ]
        exec(compile(ast.Module(keep, []), str(path), "exec"), scope)
    return scope


# ----------------------------------------------------------------- what a lesson writes, the package has


def test_lesson_04_trains_as_the_package_does():
    scope = definitions(ROOT / "notebooks/04_mlp_gan.ipynb", "train", "update_discriminator", "update_generator")
    by_hand, by_package = ((models.mlp_generator(), models.mlp_discriminator()) for _ in range(2))
    for mine, its in zip(by_hand, by_package):
        its.load_state_dict(mine.state_dict())
    digits = data.mnist()
    scope |= {"digits": digits, "device": runtime.device(), "fixed_z": torch.zeros(32, 100, device=runtime.device())}
    torch.manual_seed(5)
    history = scope["train"](*by_hand, turns=50, lr=(2e-3, 4e-4), betas=(0.0, 0.999))
    game = training.Game(*by_package, seed=5)
    assert list(game.play(digits.draw, 50)) == list(range(1, 51))
    assert [record[:5] for record in game.history] == [record[:5] for record in history], "the lesson leaves G's gradient out"
    for mine, its in zip(by_hand, by_package):
        for name, tensor in mine.state_dict().items():
            assert torch.equal(tensor, its.state_dict()[name]), name


def test_lesson_06_measures_as_the_package_does():
    names = ("frechet_distance", "kernel_distance", "effective_classes", "radii", "among", "precision_recall")
    scope = definitions(ROOT / "notebooks/06_measuring_gans.ipynb", *names)
    torch.manual_seed(0)
    real, fake = torch.randn(200, 5), torch.randn(150, 5) * 1.2 + 0.3
    for name in ("frechet_distance", "kernel_distance", "precision_recall"):
        assert scope[name](real, fake) == pytest.approx(getattr(metrics, name)(real, fake), rel=1e-5), name
    shares = torch.tensor([0.5, 0.3, 0.2, 0.0])
    assert scope["effective_classes"](shares) == pytest.approx(metrics.effective_classes(shares))


def test_lesson_07_builds_the_packages_networks():
    names = ("up", "down", "digit_generator", "digit_discriminator", "initialise")
    scope = definitions(ROOT / "notebooks/07_dcgan_digits.ipynb", *names)
    pairs = (
        (scope["digit_generator"](16), models.conv_generator(width=16)),
        (scope["digit_discriminator"](16), models.conv_discriminator(width=16)),
    )
    for mine, its in pairs:
        torch.manual_seed(5), scope["initialise"](mine)
        its.load_state_dict(mine.state_dict())
    z = torch.randn(4, 100)
    images = [generator(z) for generator in pairs[0]]
    assert torch.allclose(*images, atol=1e-6)
    assert torch.allclose(*(discriminator(images[0]) for discriminator in pairs[1]), atol=1e-5)


def test_lesson_08_builds_the_packages_discriminator_and_shifts_as_it_does():
    scope = definitions(ROOT / "notebooks/08_dcgan_faces.ipynb", "down", "face_discriminator", "RandomShift")
    mine, its = scope["face_discriminator"](4), models.spectral_discriminator((3, 64, 64), 4)
    its.load_state_dict(mine.state_dict())
    images = torch.rand(6, 3, 64, 64) * 2 - 1
    assert torch.allclose(mine(images), its(images), atol=1e-5)
    shifted = []
    for shift in (scope["RandomShift"](3), models.RandomShift(3)):
        torch.manual_seed(5)
        shifted.append(shift(images))
    assert torch.equal(*shifted)


def test_lesson_08_finds_the_largest_singular_value():
    scope = definitions(ROOT / "notebooks/08_dcgan_faces.ipynb", "power_iteration")
    torch.manual_seed(0)
    matrix = torch.randn(5, 9)
    found, v = scope["power_iteration"](matrix, torch.randn(9), 200)
    assert found == pytest.approx(torch.linalg.svdvals(matrix)[0].item(), rel=1e-5)
    assert (matrix @ v).norm() == pytest.approx(found.item(), rel=1e-5)


def test_lesson_07_stamps_as_torch_does():
    scope = definitions(ROOT / "notebooks/07_dcgan_digits.ipynb", "transposed_convolution")
    torch.manual_seed(0)
    image, kernel = torch.randn(5, 5), torch.randn(3, 3)
    expected = torch.nn.functional.conv_transpose2d(image[None, None], kernel[None, None], stride=2)[0, 0]
    assert torch.allclose(scope["transposed_convolution"](image, kernel, 2), expected, atol=1e-5)


def test_lesson_09_goes_both_ways_as_the_package_does():
    scope = definitions(ROOT / "notebooks/09_latent_space.ipynb", "lerp", "slerp")
    torch.manual_seed(0)
    starts, ends = torch.randn(2, 7, 100)
    for name in ("lerp", "slerp"):
        by_hand, by_package = scope[name], getattr(latent, name)
        for t in (0.0, 0.3, 1.0):
            assert torch.allclose(by_hand(starts, ends, t), by_package(starts, ends, t), atol=1e-4), (name, t)
        steps = torch.linspace(0, 1, 9)[:, None]
        assert torch.allclose(by_hand(starts[0], ends[0], steps), latent.path(starts[0], ends[0], 9, by_package), atol=1e-4)
        assert torch.allclose(by_hand(starts, ends, steps[:, None]), latent.path(starts, ends, 9, by_package), atol=1e-4)
