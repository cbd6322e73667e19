"""The compiled requirements: what pyproject.toml declares and all that it needs in turn, pinned."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from billing_core import VERSION

PROJECT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
DECLARED = {
    "requirements.txt": PYPROJECT["project"]["dependencies"],
    "requirements-dev.txt": [*PYPROJECT["project"]["dependencies"], *PYPROJECT["dependency-groups"]["dev"]],
}
ONE_VERSION = re.compile(r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==[^\s;*]+( ; .+)?")
compiled_files = pytest.mark.parametrize("file", [*DECLARED])


def pinned_lines(file: str) -> list[str]:
    lines = (PROJECT / file).read_text().splitlines()
    return [line for line in lines if not line.lstrip().startswith("#")]


def pinned_here(file: str) -> dict[str, str]:
    """Names and versions of the lines that hold for this Python and this system."""
    versions = {}
    for requirement in map(Requirement, pinned_lines(file)):
        if requirement.marker is None or requirement.marker.evaluate():
            versions[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return versions


def needed_here(declared: list[str]) -> list[Requirement]:
    """What these need, and what that needs in turn, as the installed packages tell."""
    requirements: list[Requirement] = []
    waiting = [Requirement(line) for line in declared]
    while waiting:
        requirement = waiting.pop()
        if requirement not in requirements:
            requirements.append(requirement)
            waiting += needed_by(requirement)
    return requirements


def needed_by(requirement: Requirement) -> list[Requirement]:
    needed = [Requirement(line) for line in metadata.requires(requirement.name) or ()]
    extras = ("", *requirement.extras)
    return [item for item in needed if not item.marker or any(item.marker.evaluate({"extra": e}) for e in extras)]


@compiled_files
def test_every_line_is_one_exact_version(file):
    for line in pinned_lines(file):
        assert ONE_VERSION.fullmatch(line), line


@compiled_files
def test_no_address_and_no_path_of_a_machine_stands_in_the_file(file):
    assert "/" not in (PROJECT / file).read_text()


@pytest.mark.parametrize("line", DECLARED["requirements-dev.txt"])
def test_what_is_declared_is_one_exact_version(line):
    assert ONE_VERSION.fullmatch(line)


@compiled_files
def test_what_is_pinned_is_what_is_declared_and_what_that_needs(file):
    """`make lock` was run after the last change of pyproject.toml."""
    needed = needed_here(DECLARED[file])
    pinned = pinned_here(file)
    assert pinned.keys() == {canonicalize_name(requirement.name) for requirement in needed}
    for requirement in needed:
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement


def test_tests_run_on_what_production_runs_on():
    assert set(pinned_lines("requirements.txt")) <= set(pinned_lines("requirements-dev.txt"))
    for name, version in pinned_here("requirements-dev.txt").items():
        assert metadata.version(name) == version, name


def test_the_product_knows_its_own_version():
    assert PYPROJECT["project"]["version"] == VERSION
