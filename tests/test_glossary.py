"""The glossary knows every package and every permission by its name."""

import re
from pathlib import Path

import pytest

from billing_core.identity import PERMISSIONS, Permission, Role

PROJECT = Path(__file__).parent.parent
CORE = PROJECT / "billing_core"
TERMS = set(re.findall(r"`([^`\n]+)`", (PROJECT / "docs" / "glossary.md").read_text()))
PACKAGES = [".".join(init.parent.relative_to(CORE).parts) for init in sorted(CORE.rglob("*/__init__.py"))]


@pytest.mark.parametrize("package", [package for package in PACKAGES if "migrations" not in package])
def test_every_package_is_explained(package):
    assert package in TERMS


@pytest.mark.parametrize("permission", Permission)
def test_every_permission_is_explained_with_the_roles_that_have_it(permission):
    row = next(
        line
        for line in (PROJECT / "docs" / "glossary.md").read_text().splitlines()
        if line.startswith(f"| `{permission}` |")
    )
    ticks = [cell.strip() == "✓" for cell in row.strip("|").split("|")[2:]]
    assert ticks == [permission in PERMISSIONS[role] for role in (Role.FINANCE, Role.MANAGER, Role.ADMIN)]


def test_no_permission_is_explained_that_does_not_exist():
    listed = (PROJECT / "docs" / "glossary.md").read_text().split("## Permissions")[1]
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", listed, re.MULTILINE)) == set(Permission)
