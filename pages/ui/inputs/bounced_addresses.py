"""Addresses that mails came back from: told before the next one is sent there, and dismissed."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import streamlit as st

from billing_core.bounces import queries, service
from billing_core.bounces.queries import BounceRow
from billing_core.dates import utc_now
from billing_core.identity import Permission
from pages.ui import context, formats
from pages.ui.reads import Reader
from pages.ui.text import md

_MOST_NAMED: Final = 5


def warn(addresses: Collection[str]) -> None:
    """Which of these mails came back from, when and why."""
    if addresses:
        warn_of(queries.of_addresses, addresses)


def warn_of_customer(customer_id: int) -> None:
    """The same of those of a customer."""
    warn_of(queries.of_customer, customer_id)


def warn_of(found: Callable[..., list[BounceRow]], *facts: Any, **named: Any) -> None:
    """The same of those that a service finds."""
    actor = context.actor()
    if actor.may(Permission.OUTBOX_READ):
        # Not from memory: mails come back without anybody's doing.
        with context.reading() as session:
            rows = found(session, actor, *facts, **named)
        _warn(rows)


def _warn(rows: Sequence[BounceRow]) -> None:
    if not rows:
        return
    zone = Reader(context.actor()).company.time_zone
    lines = [sentence(row, zone) for row in rows[:_MOST_NAMED]]
    lines += [f"and from {formats.count(len(rows) - _MOST_NAMED)} more"] if rows[_MOST_NAMED:] else []
    st.warning("  \n".join(lines), icon=":material/unsubscribe:")


def sentence(row: BounceRow, zone: str) -> str:
    """As Markdown."""
    answer = row.reason or row.status
    because = f": “{md(answer)}”" if answer else ""
    return f"A mail came back from {md(row.address)} on {md(formats.instant(row.told_at, zone))}{because}"


def button(address: str, key: str) -> None:
    """For those who may send mails."""
    if context.actor().may(Permission.INVOICE_SEND) and st.button(
        f"Dismiss {md(address)}",
        icon=":material/check:",
        key=key,
        help="The address works again, or is of no importance: nobody is warned of it any more",
    ):
        dismiss(address)


def dismiss(address: str) -> None:
    with context.attempt(f"Nobody is warned of {address} any more") as session:
        service.dismiss(session, context.actor(), address, now=utc_now())
