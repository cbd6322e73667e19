"""What names an invoice to programs, and what lets its customer see it: as random as was said, and no longer."""

import re

import pytest

from billing_core.invoices import models, payment_links


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (models._public_id("inv"), "inv_[0-9a-f]{16}"),
        (models._public_id("li"), "li_[0-9a-f]{16}"),
        (models._public_id("cn"), "cn_[0-9a-f]{16}"),
        (models._token, r"[\w-]{32}"),
        (payment_links.new_public_id, "lnk_[0-9a-f]{16}"),
        (payment_links.new_token, r"[\w-]{32}"),
    ],
)
def test_each_is_new_every_time(make, shape):
    made = {make() for _ in range(20)}
    assert len(made) == 20
    assert all(re.fullmatch(shape, one) for one in made)
