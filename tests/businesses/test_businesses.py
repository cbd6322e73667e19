"""Changing what is known about our own business."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.businesses import service
from billing_core.businesses.choices import currency_names, time_zones
from billing_core.businesses.queries import default_business
from billing_core.businesses.service import Details
from billing_core.errors import Conflict, Forbidden, Invalid
from billing_core.identity import SYSTEM, Role, actor_with

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
WANTED = Details("Söhne & Co", "Am Markt 1\n12345 Berlin", "DE123", "EUR", "Europe/Berlin")


def test_a_fresh_database_has_one_business_that_nobody_has_set_up(session):
    business = default_business(session)
    assert service.details(business) == Details("My business", "", "", "USD", "UTC")
    assert business.set_up_at is None


def test_a_change_is_saved_and_recorded(session):
    service.change(session, SYSTEM, wanted=WANTED, drawn_from=1, now=NOW)
    session.expire_all()
    business = default_business(session)
    assert (service.details(business), business.version) == (WANTED, 2)
    entry = session.scalars(select(AuditEntry)).one()
    assert entry.action == "business.change"
    assert entry.before["currency"] == "USD"
    assert entry.after == {
        "name": "Söhne & Co",
        "address": "Am Markt 1\n12345 Berlin",
        "tax_id": "DE123",
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
    }


def test_only_what_differs_is_recorded_and_nothing_where_nothing_does(session):
    service.change(session, SYSTEM, wanted=WANTED, drawn_from=1, now=NOW)
    service.change(session, SYSTEM, wanted=WANTED, drawn_from=2, now=NOW)
    assert len(session.scalars(select(AuditEntry)).all()) == 1


def test_a_stale_save_is_refused_with_what_changed(session):
    service.change(session, SYSTEM, wanted=WANTED, drawn_from=1, now=NOW)
    mine = Details("Mine", WANTED.address, WANTED.tax_id, "EUR", "UTC")
    with pytest.raises(Conflict) as refusal:
        service.change(session, SYSTEM, wanted=mine, drawn_from=1, now=NOW)
    assert "name is now “Söhne & Co”; time zone is now “Europe/Berlin”" in str(refusal.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", "x" * 201),
        ("name", "a\x00b"),
        ("address", "x" * 1001),
        ("tax_id", "x" * 65),
        ("currency", "XXY"),
        ("currency", ""),
        ("time_zone", "Mars/Olympus"),
        ("payment_terms", "  "),
        ("time_zone", "../../etc/passwd"),
        ("country", "Germany"),
        ("country", "XX"),
        ("register_number", "x" * 121),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(session, field, value):
    wanted = Details(**{**{name: getattr(WANTED, name) for name in WANTED.__slots__}, field: value})
    with pytest.raises(Invalid) as refusal:
        service.change(session, SYSTEM, wanted=wanted, drawn_from=1, now=NOW)
    assert list(refusal.value.fields) == [field]
    assert not session.dirty


def test_text_is_tidied(session):
    wanted = Details("  Acme   Ltd ", " Street ", " 1 ", " eur ", " UTC ")
    service.change(session, SYSTEM, wanted=wanted, drawn_from=1, now=NOW)
    assert service.details(default_business(session)) == Details("Acme Ltd", "Street", "1", "EUR", "UTC")


def test_the_first_set_up_is_marked(session):
    service.set_up(session, SYSTEM, wanted=Details("Acme", "", "", "JPY", "Asia/Tokyo"), now=NOW)
    business = default_business(session)
    assert (business.name, business.currency, business.time_zone, business.set_up_at) == (
        "Acme",
        "JPY",
        "Asia/Tokyo",
        NOW,
    )


@pytest.mark.parametrize("role", [Role.FINANCE, Role.MANAGER])
def test_only_administrators_may(session, role):
    with pytest.raises(Forbidden):
        service.change(session, actor_with(role, user_id=1, name="x"), wanted=WANTED, drawn_from=1, now=NOW)


def test_every_choice_is_accepted():
    offered = currency_names(date(2026, 3, 1))
    assert {"EUR", "USD", "JPY"} <= set(offered)
    assert not {"DEM", "FRF", "ITL", "XAU", "XXX"} & set(offered), "nobody pays with them any more, or ever did"
    assert "DEM" in currency_names(date(2026, 3, 1), also="DEM")
    assert "HRK" in currency_names(date(2022, 12, 31))
    assert "HRK" not in offered
    for zone in time_zones():
        service.checked(Details("Acme", "", "", "USD", zone))


def test_how_stripe_collects_is_a_choice_of_each_business(session):
    business = default_business(session)
    assert business.collects_by == "payment_link"
    service.collect_by(session, SYSTEM, business.id, "hosted_invoice", now=NOW)
    service.collect_by(session, SYSTEM, business.id, "hosted_invoice", now=NOW)
    assert business.collects_by == "hosted_invoice"
    entry = session.scalars(select(AuditEntry)).one()
    assert (entry.before, entry.after) == ({"collects_by": "payment_link"}, {"collects_by": "hosted_invoice"})
    with pytest.raises(Invalid):
        service.collect_by(session, SYSTEM, business.id, "by cheque", now=NOW)
    with pytest.raises(Forbidden):
        service.collect_by(session, actor_with(Role.MANAGER, user_id=None, name="M"), business.id, "x", now=NOW)
