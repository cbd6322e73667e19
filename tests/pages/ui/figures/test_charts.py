"""Charts say amounts as people read them."""

import pytest

from pages.ui.figures.charts import _amounts_axis


def test_where_nothing_was_billed_the_axis_says_nought_and_nothing_else():
    assert _amounts_axis(0)["tickvals"] == [0]


@pytest.mark.parametrize(("tallest", "shortened"), [(0.8, False), (999.0, False), (1_000.0, True), (25_000.0, True)])
def test_only_thousands_are_shortened(tallest, shortened):
    assert _amounts_axis(tallest)["tickformat"].endswith("s") is shortened
