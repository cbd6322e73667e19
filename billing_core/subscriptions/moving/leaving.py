"""Who is to leave their plan, and so is not moved to another version of it."""

from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, exists, literal_column, select
from sqlalchemy.orm import aliased

from billing_core.database.functions import number_in
from billing_core.plans.models import PlanVersion
from billing_core.subscriptions.models import ChangeState, SubscriptionChange


def goes_to_other_plan(
    subscription_id: SQLColumnExpression[int], version_id: SQLColumnExpression[int]
) -> ColumnElement[bool]:
    """In SQL, of a subscription on this version: of the plans that are asked for, the last one is another one. Who was
    to leave and has come back stays.
    """
    asked, later = aliased(SubscriptionChange), aliased(SubscriptionChange)
    last = ~exists().where(*_names_a_plan(later, asked.subscription_id), later.id > asked.id)
    return exists().where(
        *_names_a_plan(asked, subscription_id), last, _plan_of(_version_of(asked)) != _plan_of(version_id)
    )


def _names_a_plan(change: Any, subscription_id: SQLColumnExpression[int]) -> tuple[ColumnElement[bool], ...]:
    waits = change.state.in_((ChangeState.SCHEDULED, ChangeState.CHARGING))
    return change.subscription_id == subscription_id, waits, change.move_id.is_(None), _version_of(change).is_not(None)


def _version_of(change: Any) -> ColumnElement[int]:
    return number_in(change.wanted, literal_column("'version_id'"))


def _plan_of(version_id: SQLColumnExpression[int]) -> ColumnElement[int]:
    version = aliased(PlanVersion)
    return select(version.plan_id).where(version.id == version_id).correlate_except(version).scalar_subquery()
