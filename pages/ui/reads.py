"""Cached reads: what a page shows is asked of the database once, and again as soon as anything has changed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, Concatenate, ParamSpec, TypeVar

import streamlit as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.audit.models import AuditEntry
from billing_core.businesses import queries as businesses
from billing_core.dates import Day, day_in, day_of, today_in, utc_now
from billing_core.errors import BillingError
from billing_core.figures import Figure
from billing_core.identity import Actor
from pages.ui import formats
from pages.ui.text import md

P = ParamSpec("P")
R = TypeVar("R")
# Built once: it is asked several times with every click.
_NEWEST_CHANGE = select(func.max(AuditEntry.id))


@dataclass(frozen=True, slots=True)
class Company:
    """What every page needs to know about the first business; ``zones`` are those of all, by their ids."""

    name: str
    currency: str
    time_zone: str
    zones: tuple[tuple[int, str], ...]


class Reader:
    """Runs ``query(session, actor, …)`` or answers from memory. Every change of data writes an audit entry, so the
    newest entry's id says whether an answer still holds. It is part of each cached answer's key, with the query, its
    arguments and whatever of the actor limits the answer. The minute's lifetime bounds what a change can hide that was
    recorded earlier but committed later.
    """

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        with runtime.sessions()() as session:
            self._newest_change = session.scalar(_NEWEST_CHANGE) or 0
        self._sees = (actor.user_id, actor.customer_id, sorted(actor.permissions))

    @property
    def company(self) -> Company:
        return self.plain(_company)

    @property
    def today(self) -> date:
        """The calendar day where the business is."""
        return day_in(self.company.time_zone, utc_now())

    @property
    def days(self) -> Day:
        """The calendar day in each business: what is overdue goes by that of the invoice's own."""
        return today_in(self.company.zones, utc_now())

    def day_of(self, business_id: int) -> date:
        """The calendar day where that business is."""
        return day_of(self.days, business_id)

    def __call__(self, query: Callable[Concatenate[Session, Actor, P], R], *arguments: P.args, **named: P.kwargs) -> R:
        """The answer; an expected failure becomes a message and ends the script."""
        return self._answered(query, (self.actor, *arguments), named)

    def plain(self, query: Callable[Concatenate[Session, P], R], *arguments: P.args, **named: P.kwargs) -> R:
        """The same for a query that is nobody's secret and takes no actor."""
        return self._answered(query, arguments, named)

    def _answered(self, query: Callable[..., R], arguments: tuple[Any, ...], named: dict[str, Any]) -> R:
        facts = [self._fact(value) for value in (*arguments, *named.items())]
        key = repr((query.__module__, query.__qualname__, self._newest_change, self._sees, facts))
        try:
            # By name: for arguments by place Streamlit inspects the signature each time.
            answer: R = _kept(key=key, _query=query, _arguments=arguments, _named=named)
        except BillingError as error:
            st.error(md(formats.with_days(str(error))), icon=":material/error:")
            st.stop()
        return answer

    def _fact(self, value: object) -> object:
        if isinstance(value, Actor):
            return "actor"
        if isinstance(value, list | tuple):
            return [self._fact(one) for one in value]
        return value.key if isinstance(value, Figure) else value


def _company(session: Session) -> Company:
    first, *others = businesses.every(session)
    zones = tuple((business.id, business.time_zone) for business in (first, *others))
    return Company(first.name, first.currency, first.time_zone, zones)


@st.cache_data(ttl="1m", max_entries=1_000, show_spinner=False)
def _kept(key: str, _query: Callable[..., Any], _arguments: tuple[Any, ...], _named: dict[str, Any]) -> Any:  # noqa: ARG001
    # The key alone tells answers apart: arguments with a leading underscore are not part of it.
    with runtime.sessions()() as session:
        return _query(session, *_arguments, **_named)
