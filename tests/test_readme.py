"""The README tells what is true now."""

import re
from pathlib import Path

import pytest

from billing_core.imports.kinds.registry import DEFINITIONS
from billing_core.online_payments.webhooks.events import HANDLED
from billing_core.settings import Settings

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_every_setting_is_in_the_table():
    names = {str(field.validation_alias or f"BILLING_{name.upper()}") for name, field in Settings.model_fields.items()}
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE)) == names


@pytest.mark.parametrize("kind", [*DEFINITIONS])
def test_every_import_names_its_columns(kind):
    row = re.search(rf"^\| `{kind.value}` \| `([a-z_,]+)` \|$", README, re.MULTILINE)
    assert row is not None
    assert set(row[1].split(",")) == {field.name for field in DEFINITIONS[kind].fields}


def test_pictures_and_pages_that_it_links_to_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (Path(__file__).parent.parent / target).exists(), target


def test_stripe_is_asked_for_every_event_that_is_acted_upon():
    named = re.search(r"with these events: ([^\n]+?)\. On", README)
    assert named is not None
    assert set(re.findall(r"`([a-z._]+)`", named[1])) == set(HANDLED)
