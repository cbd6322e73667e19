"""One card for many customers: who gets it, and what becomes of the rates that they have."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Forbidden, Invalid
from billing_core.identity.permissions import Role, actor_with
from billing_core.rating import copying
from billing_core.rating.copying import Own, Request, Whom
from billing_core.rating.models import Rate, TierMode
from tests.rating.test_service import ADMIN, JAN, MAR, MAY, NOW, a_customer, a_rate, a_service, stored

FINANCE = actor_with(Role.FINANCE, user_id=None, name="Fay")
END_OF_FEB = date(2026, 2, 28)


@pytest.fixture
def card(session):
    """Of ALPHA, in USD: picking at 1.50 and, in tiers, shipping. Others: two in USD, one in EUR."""
    alpha = a_customer(session, "ALPHA")
    others = {ref: a_customer(session, ref, currency) for ref, currency in (("B", "USD"), ("C", "USD"), ("E", "EUR"))}
    pick, ship = a_service(session, "PICK"), a_service(session, "SHIP")
    a_rate(session, alpha, pick)
    a_rate(
        session,
        alpha,
        ship,
        tier_mode=TierMode.VOLUME,
        tiers=[{"up_to": "10", "unit_price": "2"}, {"up_to": None, "unit_price": "1"}],
        condition={"field": "weight", "op": "gt", "value": 2},
    )
    session.flush()
    return {"ALPHA": alpha, **others, "pick": pick, "ship": ship}


def request(card, whom=Whom.ALL, own=Own.KEEP, *refs, day=MAR):
    return Request(card["ALPHA"], day, whom, own, tuple(card[ref] for ref in refs))


def told(done):
    return done.customers, done.new, done.kept, done.same, done.ended, done.withdrawn


def test_everybody_in_the_currency_gets_the_card_with_all_its_terms(session, card):
    assert told(copying.rehearse(session, ADMIN, request(card))) == (2, 4, 0, 0, 0, 0)
    assert stored(session, card["B"]) == []

    assert told(copying.copy(session, ADMIN, request(card), now=NOW)) == (2, 4, 0, 0, 0, 0)

    session.expire_all()
    rates = {
        ref: {
            rate.service_id: (
                rate.unit_price,
                rate.valid_from,
                rate.valid_to,
                rate.tier_mode,
                rate.tiers,
                rate.conditions,
            )
            for rate in session.scalars(select(Rate).where(Rate.customer_id == card[ref]))
        }
        for ref in ("ALPHA", "B", "C", "E")
    }
    of_alpha = {service: (one[0], MAR, *one[2:]) for service, one in rates["ALPHA"].items()}
    assert rates["B"] == rates["C"] == of_alpha
    assert rates["E"] == {}
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "rate.copy")).one()
    assert (entry.after["customers"], entry.after["new"]) == (2, 4)
    assert entry.after["first_customers"] == ["Acme B", "Acme C"]


def test_copied_again_nothing_changes(session, card):
    copying.copy(session, ADMIN, request(card), now=NOW)
    for own in Own:
        assert told(copying.rehearse(session, ADMIN, request(card, Whom.ALL, own)))[1:] == (0, 0, 4, 0, 0)
        with pytest.raises(Invalid, match="Nothing would change"):
            copying.copy(session, ADMIN, request(card, Whom.ALL, own), now=NOW)


def test_those_without_rates_alone(session, card):
    """C has an old rate, B none."""
    a_rate(session, card["C"], card["pick"], valid_from=JAN, valid_to=JAN)
    assert told(copying.copy(session, ADMIN, request(card, Whom.WITHOUT), now=NOW)) == (1, 2, 0, 0, 0, 0)
    assert len(stored(session, card["B"])) == 2
    assert len(stored(session, card["C"])) == 1


def test_own_rates_are_kept(session, card):
    """B has picking from January on, and C from May on, which the copied rate would overlap."""
    a_rate(session, card["B"], card["pick"], price="9")
    a_rate(session, card["C"], card["pick"], price="8", valid_from=MAY)
    done = copying.copy(session, ADMIN, request(card), now=NOW)
    assert told(done) == (2, 2, 2, 0, 0, 0)
    assert [(row.customer_name, row.service_name, row.effect, row.own_from) for row in done.rows] == [
        ("Acme B", "Pick", "kept", JAN),
        ("Acme B", "Ship", "new", None),
        ("Acme C", "Pick", "kept", MAY),
        ("Acme C", "Ship", "new", None),
    ]
    assert (Decimal(9), JAN, None) in stored(session, card["B"])


def test_own_rates_end_or_are_withdrawn(session, card):
    """C's picking changes in May: its first version ends with February, its second never comes to be."""
    a_rate(session, card["C"], card["pick"], price="8", valid_to=date(2026, 4, 30))
    a_rate(session, card["C"], card["pick"], price="7", valid_from=MAY)
    done = copying.copy(session, ADMIN, request(card, Whom.CHOSEN, Own.END, "C"), now=NOW)
    assert told(done) == (1, 2, 0, 0, 1, 1)
    rates = session.scalars(
        select(Rate)
        .where(Rate.customer_id == card["C"], Rate.service_id == card["pick"])
        .order_by(Rate.id)
        .execution_options(populate_existing=True)
    ).all()
    assert [(one.unit_price, one.valid_from, one.valid_to, one.withdrawn_at) for one in rates] == [
        (Decimal(8), JAN, END_OF_FEB, None),
        (Decimal(7), MAY, None, NOW),
        (Decimal("1.5"), MAR, None, None),
    ]


def test_who_is_billed_in_another_currency_is_named_and_refused(session, card):
    for verb in (copying.rehearse, lambda *asked: copying.copy(*asked, now=NOW)):
        with pytest.raises(Conflict, match="Acme ALPHA is billed in USD, Acme E in EUR"):
            verb(session, ADMIN, request(card, Whom.CHOSEN, Own.KEEP, "B", "E"))
    assert stored(session, card["B"]) == []


def test_whoever_is_deactivated_or_merged_is_nobody(session, card):
    session.get(Customer, card["B"]).active = False
    session.get(Customer, card["C"]).merged_into_id = card["B"]
    session.flush()
    assert told(copying.rehearse(session, ADMIN, request(card))) == (0, 0, 0, 0, 0, 0)
    # By name a deactivated one gets it all the same.
    assert copying.rehearse(session, ADMIN, request(card, Whom.CHOSEN, Own.KEEP, "B", "C")).customers == 1


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (lambda card: request(card, day=date(2025, 1, 1)), "has no rates on 2025-01-01"),
        (lambda card: request(card, Whom.CHOSEN), "Choose the customers"),
    ],
)
def test_what_means_nothing_is_refused(session, card, asked, why):
    with pytest.raises(Invalid, match=why):
        copying.rehearse(session, ADMIN, asked(card))


def test_whoever_may_not_change_rates_may_not_copy_them(session, card):
    for verb in (copying.rehearse, lambda *asked: copying.copy(*asked, now=datetime.now(UTC))):
        with pytest.raises(Forbidden):
            verb(session, FINANCE, request(card))
