"""Setting up alerts on usage, by whom, and who sees them."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers.models import Customer
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Role, actor_with
from billing_core.metering.alerts import AlertMeasure, UsageAlert
from billing_core.usage import alerts
from billing_core.usage.alerts import Threshold, Told
from tests.invoices.company import GRACE, READER, a_customer
from tests.usage.watching import NOBODY, NOW, SET, call, check, reached, ten_calls, watch

ALLOWANCE, CALLS, COST = AlertMeasure.ALLOWANCE, AlertMeasure.CALLS, AlertMeasure.COST


def test_an_alert_is_created_changed_and_removed_and_each_leaves_a_trace(session):
    acme = a_customer(session)
    told = Told((" ana@example.com", "", "ben@example.com", "ana@example.com"), to_customer=True)
    alert = alerts.create(session, GRACE, acme, Threshold(ALLOWANCE, 80), told, now=SET)
    (row,) = alerts.alerts(session, READER, customer_id=acme)
    assert (row.customer, row.measure, row.threshold, row.currency) == ("Acme Corp", ALLOWANCE, 80, "")
    assert (row.recipients, row.to_customer) == (["ana@example.com", "ben@example.com"], True)

    alerts.change(session, GRACE, alert.id, 90, Told(("ana@example.com",)), drawn_from=row.version, now=NOW)
    (changed,) = alerts.alerts(session, READER)
    assert (changed.threshold, changed.recipients, changed.to_customer) == (90, ["ana@example.com"], False)
    assert (row.set_at, changed.set_at) == (SET, NOW)
    with pytest.raises(Conflict, match="in the meantime"):
        alerts.change(session, GRACE, alert.id, 95, NOBODY, drawn_from=row.version, now=NOW)
    with pytest.raises(Invalid, match="Nothing would change"):
        alerts.change(session, GRACE, alert.id, 90, Told(("ana@example.com",)), drawn_from=changed.version, now=NOW)

    alerts.remove(session, GRACE, alert.id, now=NOW)
    assert alerts.alerts(session, READER) == []
    with pytest.raises(NotFound):
        alerts.remove(session, GRACE, alert.id, now=NOW)
    session.flush()
    trace = select(AuditEntry.action, AuditEntry.before, AuditEntry.after).where(
        AuditEntry.action.like("usage_alert.%")
    )
    (created, moved, removed) = session.execute(trace.order_by(AuditEntry.id)).all()
    assert (created.action, created.after["threshold"]) == ("usage_alert.create", 80)
    assert (moved.action, moved.before["threshold"], moved.after["threshold"]) == ("usage_alert.change", 80, 90)
    assert (removed.action, removed.before["threshold"]) == ("usage_alert.remove", 90)


def test_other_recipients_alone_do_not_begin_the_watch_anew(session):
    alert_id = watch(session, a_customer(session), 100)
    alerts.change(session, SYSTEM, alert_id, 100, Told(("ana@example.com",)), drawn_from=1, now=NOW)
    assert [row.set_at for row in alerts.alerts(session, SYSTEM)] == [SET]


@pytest.mark.parametrize(
    ("threshold", "told", "field"),
    [
        (Threshold(ALLOWANCE, 0), NOBODY, "threshold"),
        (Threshold(ALLOWANCE, 10_001), NOBODY, "threshold"),
        (Threshold(CALLS, -5), NOBODY, "threshold"),
        (Threshold(CALLS, 10**15 + 1), NOBODY, "threshold"),
        (Threshold(COST, 10**15 + 1, "USD"), NOBODY, "threshold"),
        (Threshold(CALLS, 5), Told(("ana",)), "recipients"),
        (Threshold(CALLS, 5), Told(tuple(f"{number}@example.com" for number in range(21))), "recipients"),
    ],
)
def test_what_cannot_be_watched_for_is_named(session, threshold, told, field):
    with pytest.raises(Invalid) as refusal:
        alerts.create(session, GRACE, None, threshold, told, now=SET)
    assert field in refusal.value.fields


@pytest.mark.parametrize(
    ("measure", "greatest", "currency"), [(ALLOWANCE, 10_000, ""), (CALLS, 10**15, ""), (COST, 10**15, "USD")]
)
def test_the_least_and_the_greatest_threshold_can_be_watched_for(session, measure, greatest, currency):
    for value in (1, greatest):
        assert watch(session, None, value, measure, currency=currency)


def test_a_cost_is_in_the_customer_s_currency_and_for_everybody_in_a_given_one(session):
    acme = a_customer(session, currency="EUR")
    watch(session, acme, 500, COST)
    watch(session, None, 500, COST, currency="usd")
    watch(session, None, 500, COST, currency="EUR")
    assert [row.currency for row in alerts.alerts(session, SYSTEM)] == ["EUR", "USD", "EUR"]
    with pytest.raises(Invalid):
        watch(session, None, 500, COST)


def test_the_same_threshold_is_watched_for_once_until_it_is_removed(session):
    acme = a_customer(session)
    first = watch(session, acme, 100)
    watch(session, None, 100)
    watch(session, acme, 100, ALLOWANCE)
    watch(session, a_customer(session, "OTHER"), 100)
    for again in (acme, None):
        with pytest.raises(Conflict, match="already"):
            watch(session, again, 100)
    alerts.remove(session, SYSTEM, first, now=NOW)
    assert watch(session, acme, 100) != first


@pytest.mark.parametrize("everybodys", [True, False])
def test_an_alert_is_not_moved_onto_a_threshold_that_is_watched_for(session, everybodys):
    whose = None if everybodys else a_customer(session)
    watch(session, whose, 5)
    moved, cost = watch(session, whose, 6), watch(session, whose, 5, COST, currency="USD")
    with pytest.raises(Conflict, match="already") as refusal:
        alerts.change(session, SYSTEM, moved, 5, NOBODY, drawn_from=1, now=NOW)
    assert list(refusal.value.fields) == ["threshold"]
    assert [row.threshold for row in alerts.alerts(session, SYSTEM)] == [5, 6, 5]
    # Its own threshold is no other's.
    alerts.change(session, SYSTEM, cost, 5, Told(to_customer=True), drawn_from=1, now=NOW)
    alerts.change(session, SYSTEM, moved, 7, NOBODY, drawn_from=1, now=NOW)


def test_a_cost_is_watched_for_once_also_after_the_customer_is_billed_in_another_currency(session):
    acme = a_customer(session, currency="EUR")
    watch(session, acme, 500, COST)
    session.get_one(Customer, acme).currency = "USD"
    with pytest.raises(Conflict, match="already"):
        watch(session, acme, 500, COST)


def test_only_who_sets_terms_sets_alerts_and_who_is_bound_sees_its_own(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    mine = watch(session, acme, 100)
    watch(session, other, 200)
    watch(session, None, 300)
    bound = actor_with(Role.ADMIN, user_id=None, name="Olga", customer_id=acme)
    for actor in (READER, bound):
        with pytest.raises(Forbidden):
            alerts.create(session, actor, acme, Threshold(CALLS, 5), NOBODY, now=SET)
        with pytest.raises(Forbidden):
            alerts.change(session, actor, mine, 5, NOBODY, drawn_from=1, now=SET)
        with pytest.raises(Forbidden):
            alerts.remove(session, actor, mine, now=SET)
    assert [row.threshold for row in alerts.alerts(session, bound)] == [100]
    assert [row.threshold for row in alerts.alerts(session, bound, customer_id=other)] == []
    assert [row.threshold for row in alerts.alerts(session, READER, customer_id=other)] == [200, 300]
    # Whoever may set terms and is bound nevertheless cannot watch the others.
    allowed = replace(SYSTEM, customer_id=acme)
    with pytest.raises(Forbidden):
        alerts.create(session, allowed, None, Threshold(CALLS, 5), NOBODY, now=SET)
    with pytest.raises(NotFound):
        alerts.create(session, allowed, other, Threshold(CALLS, 5), NOBODY, now=SET)


def test_lists_go_on_after_and_before_a_row(session):
    acme = a_customer(session)
    ids = [watch(session, acme, value) for value in (10, 20, 30)]
    assert [row.id for row in alerts.alerts(session, SYSTEM, limit=2)] == ids[:2]
    assert [row.id for row in alerts.alerts(session, SYSTEM, after_id=ids[1])] == ids[2:]


def test_what_was_reached_is_seen_by_its_own_customer_alone(sessions):
    with sessions.begin() as session:
        acme, other = ten_calls(session), ten_calls(session, "OTHER")
        watch(session, None, 1)
        watch(session, None, 2)
    call(sessions, 1, 2)
    call(sessions, 1, 2, "OTHER")
    assert len(check(sessions)) == 4
    bound = actor_with(Role.MANAGER, user_id=None, name="Olga", customer_id=acme)
    with sessions() as session:
        seen = alerts.reached(session, bound)
        assert [(row.customer_id, row.threshold) for row in seen] == [(acme, 2), (acme, 1)]
        assert alerts.reached(session, bound, customer_id=other) == []
        (theirs, *_) = alerts.reached(session, READER, customer_id=other)
        with pytest.raises(NotFound):
            alerts.reached_one(session, bound, theirs.id)
        assert alerts.reached_one(session, READER, theirs.id) == theirs
        latest = alerts.reached(session, READER, limit=3)
        assert len(latest) == 3
        assert alerts.reached(session, READER, before_id=latest[-1].id) == seen[1:]


def test_what_a_removed_alert_told_stays_on_the_list(sessions):
    with sessions.begin() as session:
        ten_calls(session)
        alert_id = watch(session, None, 1)
    call(sessions, 1, 1)
    check(sessions)
    with sessions.begin() as session:
        alerts.remove(session, SYSTEM, alert_id, now=NOW)
    call(sessions, 2, 5)
    assert check(sessions) == []
    assert reached(sessions) == [("ACME", 1, "2026-03-01", 1)]


def test_the_database_itself_refuses_a_second_one(sessions):
    facts = {"measure": CALLS, "threshold": 5, "to_customer": False, "recipients": [], "set_at": SET}
    with sessions.begin() as session:
        session.add(UsageAlert(customer_id=None, **facts))
    with pytest.raises(Exception, match=r"(?i)unique"), sessions.begin() as session:
        session.add(UsageAlert(customer_id=None, **facts))
