"""What is installed is written in three places, and they agree; what is imported is written there."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
METADATA = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = METADATA["project"]
CONDA_NAMES = {"torch": "pytorch"}


def test_conda_environment_has_the_projects_dependencies_and_no_others():
    lines = re.findall(r"^  - (\S.*)$", (ROOT / "environment.yml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    listed = {line for line in lines if line not in ("conda-forge", "nodefaults", "pip", "pip:")}
    requirements = (Requirement(text) for text in PROJECT["dependencies"])
    expected = {f"{CONDA_NAMES.get(each.name, each.name)}{each.specifier}" for each in requirements}
    expected |= {f"python{PROJECT['requires-python']}", "setuptools>=77"}
    assert listed == expected


def test_conda_environment_comes_from_conda_forge_alone():
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    channels = re.search(r"^channels:\n((?:  - .*\n)+)", text, flags=re.MULTILINE).group(1)
    assert channels.split() == ["-", "conda-forge", "-", "nodefaults"]


def test_lock_has_every_dependency_in_an_exact_version_with_hashes_and_no_address():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = {}
    for block in re.split(r"\n(?=\S)", text):
        if found := re.match(r"([a-z0-9-]+)==([^ ;\\]+)", block):
            assert "--hash=sha256:" in block, found[1]
            pinned.setdefault(found[1], []).append(found[2])
    assert "://" not in text
    wanted = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    for requirement in map(Requirement, wanted):
        assert requirement.name in pinned, f"{requirement.name} is missing: run make lock"
        assert all(version in requirement.specifier for version in pinned[requirement.name])


def imported(path):
    """The top-level names of what a Python file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


# packaging: `python -m gan_lessons` knows an empty environment by its absence.
@pytest.mark.parametrize(
    ("folder", "undeclared"), [("gan_lessons", {"packaging"}), ("tools", set()), ("benchmarks", set()), ("tests", set())]
)
def test_what_is_imported_is_declared(folder, undeclared):
    ours = {"gan_lessons", "tools", "benchmarks", *(path.stem for path in (ROOT / "tests").glob("*.py"))}
    foreign = {name for path in (ROOT / folder).rglob("*.py") for name in imported(path)} - ours - sys.stdlib_module_names
    wanted = PROJECT["dependencies"] + (PROJECT["optional-dependencies"]["test"] if folder != "gan_lessons" else [])
    declared = {canonicalize_name(Requirement(text).name) for text in wanted}
    comes_with = importlib.metadata.packages_distributions()
    missing = {name for name in foreign if not declared & {canonicalize_name(each) for each in comes_with[name]}}
    assert foreign and missing == undeclared


def test_nothing_is_imported_against_the_current():
    """The package needs neither tools nor benchmarks, and neither of these needs a test."""
    for folder, foreign in (
        ("gan_lessons", {"tools", "benchmarks", "tests"}),
        ("tools", {"benchmarks", "tests"}),
        ("benchmarks", {"tests"}),
    ):
        tests = {path.stem for path in (ROOT / "tests").glob("*.py")}
        names = {name for path in (ROOT / folder).rglob("*.py") for name in imported(path)}
        assert not names & (foreign | tests), folder


def test_the_version_is_the_same_everywhere():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, flags=re.MULTILINE) == [PROJECT["version"]]
    assert re.search(r"^license:\n  - CC-BY-4.0\n  - MIT$", citation, flags=re.MULTILINE)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## ([\d.]+)", changes, flags=re.MULTILINE)[0] == PROJECT["version"]
