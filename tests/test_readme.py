"""The README and the documents that it points to tell what is true now."""

import re
from pathlib import Path

import pytest

from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.online_payments.stripe import API_VERSION
from billing_core.online_payments.webhooks.events import HANDLED
from billing_core.settings import Settings

PROJECT = Path(__file__).parent.parent
DOCUMENTS = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])


def document(name: str) -> str:
    return (PROJECT / "docs" / name).read_text()


def test_every_setting_is_in_the_table():
    names = {str(field.validation_alias or f"BILLING_{name.upper()}") for name, field in Settings.model_fields.items()}
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", document("configuration.md"), re.MULTILINE)) == names


@pytest.mark.parametrize("kind", [*DEFINITIONS])
def test_every_import_names_its_columns(kind):
    row = re.search(rf"^\| `{kind.value}` \| `([a-z_,]+)` \|$", document("importing.md"), re.MULTILINE)
    assert row is not None
    assert set(row[1].split(",")) == {field.name for field in DEFINITIONS[kind].fields}


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(PROJECT)))
def test_pictures_and_pages_that_it_links_to_exist(file):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", file.read_text()):
        assert (file.parent / target).exists(), target


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(PROJECT)))
def test_files_that_a_document_names_exist(file):
    """A path in code style, such as `billing_core/money.py`; `…`, `<` and `*` stand for something else."""
    if file.name == "CHANGELOG.md":
        return
    for named in re.findall(r"`((?:billing_core|pages|tests|docs|benchmarks|data)/[\w./-]*)`", file.read_text()):
        assert named.startswith("data/") or (PROJECT / named).exists(), named


def test_stripe_is_asked_for_every_event_that_is_acted_upon():
    named = re.search(r"with these events: ([^\n]+?)\. On", document("configuration.md"))
    assert named is not None
    assert set(re.findall(r"`([a-z._]+)`", named[1])) == set(HANDLED)


@pytest.mark.parametrize("file", ["README.md", "docs/configuration.md"])
def test_the_version_of_stripes_api_is_named_that_is_asked_for(file):
    named = re.findall(r"`(\d{4}-\d{2}-\d{2}\.[a-z]+)`", (PROJECT / file).read_text())
    assert set(named) == {API_VERSION}
