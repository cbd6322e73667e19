"""What an address may name as an id."""

import pytest

from pages.ui import opened


@pytest.mark.parametrize(("text", "identity"), [("7", 7), ("999999999", 999_999_999)])
def test_an_id_is_read(text, identity):
    assert opened.parsed(text) == identity


@pytest.mark.parametrize("text", ["", "new", "-1", "1.5", "1 ", "²", "9999999999"])
def test_what_can_be_no_id_is_none(text):
    assert opened.parsed(text) is None


def test_ids_of_larger_tables_may_be_longer():
    assert opened.parsed("9999999999", digits=opened.LONG_ID_DIGITS) == 9_999_999_999
