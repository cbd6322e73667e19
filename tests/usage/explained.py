"""What a line of a billed period opens into, in the histories of ``tests/usage/test_bills_naive.py``."""

from decimal import ROUND_HALF_UP, Decimal

from billing_core.identity import SYSTEM
from billing_core.metering.models import Aggregation
from billing_core.usage.billed import explaining
from tests.usage import naive


def opens_into(session, line, period):
    """Its days, users and events come to the line; the period by the instants at which it begins and ends."""
    days, users, events = (
        read(session, SYSTEM, line.id) for read in (explaining.days, explaining.users, explaining.events)
    )
    assert all(line.first_day <= day.day <= line.last_day for day in days)
    match line.aggregation:
        case Aggregation.COUNT | Aggregation.SUM | Aggregation.UNIQUE:
            assert sum(day.quantity for day in days) == sum(user.quantity for user in users) == line.quantity
        case Aggregation.MAX:
            assert max((day.quantity for day in days), default=0) == line.quantity
            assert max((user.quantity for user in users), default=0) == line.quantity
        case Aggregation.TIME_WEIGHTED_SUM:
            begun, ended = period
            seconds = Decimal(naive.microseconds(ended - begun)) / 10**6
            held = explaining.held(session, SYSTEM, line.id)
            parts = [part.held for part in held]
            assert parts == [
                part.quantity * Decimal(naive.microseconds(part.ended - part.begun)) / 10**6 for part in held
            ]
            for told in (parts, [day.quantity for day in days], [user.quantity for user in users]):
                assert (sum(told) / seconds).quantize(Decimal("0.000001"), ROUND_HALF_UP) == line.quantity
            in_all = explaining.held_in_all(session, SYSTEM, line.id)
            assert (in_all.total, in_all.seconds, in_all.quantity) == (sum(parts), seconds, line.quantity)
    if line.aggregation is Aggregation.COUNT:
        assert len(events) == line.quantity
    if line.aggregation is Aggregation.SUM:
        assert sum(one.quantity for one in events) == line.quantity
    if line.aggregation is Aggregation.UNIQUE:
        assert len(explaining.values(session, SYSTEM, line.id)) == line.quantity
    if line.aggregation in (Aggregation.MAX, Aggregation.LATEST):
        reached = explaining.reached(session, SYSTEM, line.id)
        assert (reached.quantity if reached else 0) == line.quantity
