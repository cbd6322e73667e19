"""Plans of a former version: they are billed as before, and can have what subscriptions need from then on."""

from decimal import Decimal

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing_core.database import for_changes, migrate
from billing_core.identity import SYSTEM
from billing_core.plans import parts, queries, service
from billing_core.plans.models import PlanInterval
from billing_core.plans.terms import Phase, Terms
from tests.plans.agreed import NOW

# These migrations are released, and never change.
pytestmark = pytest.mark.later

_VERSION = (
    "INSERT INTO plan_versions (id, plan_id, number, currency, price_minor, interval, included_calls, price_per_call, "
    "created_at) VALUES (7, 1, 1, 'USD', 2990, 'year', 100, 1000000000, '2023-01-01')"
)


def at(revision, sessions, *, move=command.upgrade):
    with for_changes(sessions.engine).begin() as connection:
        move(migrate.configuration(connection), revision)


@pytest.fixture
def former(empty_database):
    at("0030", empty_database)
    with empty_database.begin() as session:
        session.execute(text("INSERT INTO plans (id, code, name, created_at) VALUES (1, 'old', 'Old', '2023-01-01')"))
        session.execute(text(_VERSION))
    return empty_database


def test_a_version_of_a_former_release_keeps_its_terms_and_can_be_followed_by_any(former):
    migrate.upgrade(former.engine)
    with former.begin() as session:
        kept = Terms("USD", Decimal("29.90"), 100, Decimal("0.001"), PlanInterval.YEAR)
        assert parts.terms_of(session, 7) == kept
        weekly = Terms("USD", Decimal(1), 0, Decimal(0), PlanInterval.WEEK, 2, phases=(Phase(1, Decimal(0)),))
        service.add_version(session, SYSTEM, "old", weekly, now=NOW)
        assert queries.latest(session, SYSTEM, "old").interval is PlanInterval.WEEK
        with pytest.raises(DBAPIError, match="append-only"), session.begin_nested():
            session.execute(text("UPDATE plan_versions SET interval_count = 2"))


def test_the_tables_of_the_former_release_come_back_where_plans_are_as_it_knows_them(former):
    migrate.upgrade(former.engine)
    at("0030", former, move=command.downgrade)
    with former.begin() as session:
        assert session.execute(text("SELECT price_minor, interval FROM plan_versions")).all() == [(2990, "year")]
        with pytest.raises(DBAPIError), session.begin_nested():
            session.execute(text(_VERSION.replace("7, 1, 1", "8, 1, 2").replace("'year'", "'week'")))
    assert migrate.upgrade(former.engine) is True
