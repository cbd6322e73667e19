"""The list of promo codes as a file, as a browser asks for it."""

from datetime import date
from decimal import Decimal

import pytest

from billing_core.identity import SYSTEM, Role
from billing_core.promotions import service
from billing_core.promotions.models import PromoDuration
from tests.promotions.codes import NOW, a_code, a_plan_id, customers, redeem
from tests.web.downloading import get, read, signed_in

THEN = "2026-05-04T09:30:00Z"
FILE = "/downloads/promo-codes.csv"


@pytest.fixture
def codes(served) -> None:
    with served.begin() as session:
        plan, (customer,) = a_plan_id(session), customers(session, 1)
        a_code(session, "WELCOME", limit=1, limit_per_customer=1, valid_to=date(2199, 12, 31))
        tenner = {"amount": Decimal("10.5"), "currency": "USD", "duration": PromoDuration.PERIODS, "periods": 3}
        a_code(session, "TENNER", plan_code="basic", **tenner)
        redeem(session, "WELCOME", customer, plan)
        service.end(session, SYSTEM, "TENNER", now=NOW)


def test_the_file_has_what_an_import_takes_and_what_became_of_each(served, codes):
    rows = read(get(FILE, signed_in(served, Role.MANAGER)))
    assert [list(row.values()) for row in rows] == [
        ["TENNER", "basic", "", "10.50", "USD", "periods", "3", "", "", "", "ended", "0", THEN, THEN],
        ["WELCOME", "", "20", "", "", "once", "", "1", "1", "2199-12-31", "used_up", "1", THEN, ""],
    ]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ("?text=tenn", ["TENNER"]),
        ("?status=used_up", ["WELCOME"]),
        ("?plan=basic", ["TENNER", "WELCOME"]),
    ],
)
def test_the_file_has_the_filters_of_the_page(served, codes, filters, names):
    rows = read(get(FILE + filters, signed_in(served, Role.MANAGER)))
    assert [row["code"] for row in rows] == names


def test_who_may_not_export_gets_no_file(served, codes):
    assert get(FILE, signed_in(served, Role.FINANCE)).status_code == 403
    assert get(FILE, {}).status_code == 401


def test_an_unknown_status_or_plan_is_refused(served, codes):
    cookies = signed_in(served, Role.MANAGER)
    for asked in ("status=good", "plan=other"):
        assert get(f"{FILE}?{asked}", cookies).status_code == 400
