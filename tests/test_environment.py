"""What is installed is written in three places, and they agree."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"torch": "pytorch"}


def test_conda_environment_has_the_projects_dependencies_and_no_others():
    lines = re.findall(r"^  - (\S.*)$", (ROOT / "environment.yml").read_text(), flags=re.MULTILINE)
    listed = {line for line in lines if line not in ("conda-forge", "nodefaults", "pip", "pip:")}
    requirements = (Requirement(text) for text in PROJECT["dependencies"])
    expected = {f"{CONDA_NAMES.get(each.name, each.name)}{each.specifier}" for each in requirements}
    expected |= {f"python{PROJECT['requires-python']}", "setuptools>=77"}
    assert listed == expected


def test_conda_environment_comes_from_conda_forge_alone():
    text = (ROOT / "environment.yml").read_text()
    channels = re.search(r"^channels:\n((?:  - .*\n)+)", text, flags=re.MULTILINE).group(1)
    assert channels.split() == ["-", "conda-forge", "-", "nodefaults"]


def test_lock_has_every_dependency_in_an_exact_version_with_hashes_and_no_address():
    text = (ROOT / "requirements.lock").read_text()
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
