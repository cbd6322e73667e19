"""Who may import whom. Source files are read, not executed."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
CORE = PROJECT / "billing_core"

# A package may import those before it, never those after it; names on one line are equals.
ORDER = [
    ["errors"],
    ["money", "dates", "settings", "csv_text", "text", "logs"],
    ["database", "figures", "paper", "proof"],
    ["identity"],
    ["audit"],
    ["views", "businesses"],
    ["ledger", "outbox"],
    ["subscribers"],
    ["customers"],
    ["orders", "people"],
    ["rating"],
    ["reports"],
    ["invoices"],
    ["payments"],
    ["receivables"],
    ["collecting"],
    ["mailing"],
    ["imports"],
    ["schema", "runtime", "catalogue"],
    ["jobs", "demo"],
    ["web"],
    ["commands"],
    ["__main__"],
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}

# A library that only some places may know, so that it could be replaced there.
CONFINED = {
    "streamlit": ("app.py", "pages/"),
    "plotly": ("pages/",),
    "fastapi": ("billing_core/web/",),
    "starlette": ("app.py", "billing_core/web/"),
    "fpdf": ("/pdf",),
    "stripe": ("billing_core/collecting/stripe_",),
    "xlsxwriter": ("/xlsx",),
    "dbos": ("billing_core/jobs/",),
    "pandas": ("pages/",),
}
CORE_SOURCES = sorted(file for file in CORE.rglob("*.py") if file != CORE / "__init__.py")
SOURCES = sorted([PROJECT / "app.py", *CORE.rglob("*.py"), *(PROJECT / "pages").rglob("*.py")])


def place(file: Path) -> str:
    return str(file.relative_to(PROJECT))


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package(file: Path) -> str:
    return file.relative_to(CORE).with_suffix("").parts[0]


@pytest.mark.parametrize("file", [f for f in CORE.rglob("*.py") if f != CORE / "__init__.py"], ids=place)
def test_packages_import_downwards(file):
    mine = package(file)
    assert mine in RANK, f"{mine} has no place in the order of packages"
    for name in imports(file):
        match name.split("."):
            case ["billing_core", theirs, *_] if theirs in RANK and theirs != mine:
                assert RANK[theirs] < RANK[mine], f"{mine} stands left of {theirs}"


@pytest.mark.parametrize("file", SOURCES, ids=place)
def test_libraries_stay_where_they_belong(file):
    for name in imports(file):
        allowed = CONFINED.get(name.split(".")[0])
        if allowed:
            assert any(place(file).startswith(start) or start in f"/{place(file)}" for start in allowed), name


@pytest.mark.parametrize("file", SOURCES, ids=place)
def test_no_file_is_longer_than_a_reader_can_hold(file):
    if "migrations" not in file.parts:
        assert len(file.read_text().splitlines()) <= 400


@pytest.mark.parametrize("file", CORE_SOURCES, ids=place)
def test_files_are_named_for_what_they_hold(file):
    assert file.stem not in {"utils", "helpers", "common", "manager", "misc", "base_service"}


def test_requirements_are_pinned_exactly():
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (PROJECT / name).read_text().splitlines():
            if line and not line.startswith(("#", "-r")):
                assert "==" in line, line


def test_the_project_file_is_readable():
    assert tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["requires-python"] == ">=3.11"
