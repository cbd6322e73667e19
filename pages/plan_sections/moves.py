"""Moves of a plan's subscriptions to another version: those that were asked for, and what has become of them."""

from typing import Final

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from billing_core.outbox.models import MessageState
from billing_core.plans.listing import VersionRow
from billing_core.subscriptions.changes import changing
from billing_core.subscriptions.models import ChangeState, MoveMail
from billing_core.subscriptions.moving import listing, service
from billing_core.subscriptions.moving.listing import MovedRow, MoveRow
from pages.plan_sections import moving
from pages.ui import formats, tables
from pages.ui.colors import Color
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.inputs import filters, parts
from pages.ui.reads import Reader
from pages.ui.text import md

PAGE_KEY = "moved_page"
_MOST = 50
_WHOLE, _ONE = "move_to_withdraw", "moved_to_withdraw"
_OF_MOVE: Final[dict[str, Color]] = {"Scheduled": "blue", "Done": "gray", "Withdrawn": "gray"}
_STATES: Final[dict[ChangeState, tuple[str, Color]]] = {
    ChangeState.SCHEDULED: ("Scheduled", "blue"),
    ChangeState.APPLIED: ("Moved", "gray"),
    ChangeState.WITHDRAWN: ("Not moved", "orange"),
}
_MAILS: Final = {
    MoveMail.NONE: "No mail",
    MoveMail.DUE: "About to be told",
    MoveMail.TOLD: "Told",
    MoveMail.RECALL_DUE: "About to be told that it does not come",
    MoveMail.RECALLED: "Told that it does not come",
}


def draw(read: Reader, actor: Actor, versions: list[VersionRow]) -> None:
    may_write = actor.may(Permission.SUBSCRIPTION_WRITE)
    rows = read(listing.moves, versions[0].code, limit=_MOST)
    if rows:
        _moves(read, rows, may_write=may_write)
        _subscriptions(read, rows, may_write=may_write)
    elif not may_write or len(versions) == 1:
        st.caption("No subscription was moved from one version to another.")
    if may_write and len(versions) > 1:
        moving.draw(read, actor, versions)


def _moves(read: Reader, rows: list[MoveRow], *, may_write: bool) -> None:
    st.subheader("Moves", anchor=False)
    columns = [
        tables.badge("State", _state, _OF_MOVE),
        tables.count("To version", "version"),
        tables.day("From", "first_day", help="Each subscription with its first period that begins then or later"),
        tables.count("Scheduled", "scheduled"),
        tables.count("Moved", "applied"),
        tables.count("Not moved", "withdrawn", help="Withdrawn, or the customer has changed plans or cancelled before"),
        tables.computed("Mail", lambda row: "Yes" if row.told else "No"),
        tables.instant("Asked for", "asked_at", read.company.time_zone),
        tables.text("By", "asked_by"),
        tables.instant("Withdrawn", "withdrawn_at", read.company.time_zone),
    ]
    if may_write:
        columns.insert(1, tables.button("Withdraw", _withdrawable, opens=_ask_whole, width=100))
    tables.show(rows, columns, key="plan_moves", alt="Moves to another version, the newest first")
    asked: MoveRow | None = st.session_state.pop(_WHOLE, None)
    if asked is not None:
        _withdraw_all(asked)


def _subscriptions(read: Reader, rows: list[MoveRow], *, may_write: bool) -> None:
    """Of one of the moves, the newest by default."""
    by_id = {row.id: row for row in rows}
    with filters.row():
        names = {one: _name(row) for one, row in by_id.items()}
        move_id = parts.one_of("Subscriptions of", names, key="move_shown", width=320)
    row = by_id[move_id]
    skipped = tables.pager(row.scheduled + row.applied + row.withdrawn, key=PAGE_KEY, noun="subscription", of=move_id)
    columns = [
        tables.button("Open", lambda one: f":material/open_in_new: {one.customer_name}", opens=_open, width=190),
        tables.badge("State", lambda one: _STATES[one.state][0], dict(_STATES.values())),
        tables.day("From", "begins_on", help="The first day of the first period by the other version"),
        tables.money("Before", "before_minor", help="A whole period at full prices, without usage and tax"),
        tables.money("After", "after_minor"),
        tables.currency_of(),
        tables.count("Version before", "version"),
        tables.computed("Mail", _mail),
    ]
    if may_write:
        columns.insert(2, tables.button("Withdraw", _one_withdrawable, opens=_ask_one, width=100))
    tables.show(
        read(listing.page, move_id, limit=tables.PAGE_SIZE, offset=skipped),
        columns,
        key=f"moved_subscriptions_{skipped}",
        alt="Subscriptions of the move",
    )
    asked: MovedRow | None = st.session_state.pop(_ONE, None)
    if asked is not None:
        _withdraw_one(asked)


def _mail(row: MovedRow) -> str:
    """What became of it: whose mail has not left was not told."""
    told = row.mail in (MoveMail.TOLD, MoveMail.RECALLED)
    if told and row.message is not None and row.message is not MessageState.DELIVERED:
        return f"Mail {row.message.word}"
    return _MAILS[row.mail]


def _name(row: MoveRow) -> str:
    return f"Version {row.version} from {formats.day(row.first_day)} (move {row.id})"


def _state(row: MoveRow) -> str:
    if row.scheduled:
        return "Scheduled"
    return "Done" if row.applied else "Withdrawn"


def _withdrawable(row: MoveRow) -> str | None:
    return "Withdraw" if row.scheduled else None


def _one_withdrawable(row: MovedRow) -> str | None:
    return "Withdraw" if row.state is ChangeState.SCHEDULED else None


def _ask_whole(row: MoveRow) -> None:
    st.session_state[_WHOLE] = row


def _ask_one(row: MovedRow) -> None:
    st.session_state[_ONE] = row


def _open(row: MovedRow) -> None:
    st.switch_page("subscriptions.py", query_params={"subscription": str(row.subscription_id)})


@st.dialog("Withdraw the move", icon=":material/undo:")
def _withdraw_all(row: MoveRow) -> None:
    actor = signed_in()
    staying = formats.counted(row.scheduled, "subscription")
    st.markdown(
        f"{staying} stay on their version. Customers who were told of the move are told by mail that it does not come. "
        "Subscriptions that have begun with the other version keep it."
    )
    if st.button("Withdraw it", type="primary", icon=":material/undo:", key="do_withdraw_move"):
        with attempt("The move is withdrawn") as session:
            service.withdraw(session, actor, row.id, now=utc_now())


@st.dialog("Withdraw the move of one subscription", icon=":material/undo:")
def _withdraw_one(row: MovedRow) -> None:
    actor = signed_in()
    st.markdown(
        f"The subscription of **{md(row.customer_name)}** stays on version {row.version}. A customer who was told of "
        "the move is told by mail that it does not come."
    )
    if st.button("Withdraw it", type="primary", icon=":material/undo:", key="do_withdraw_moved"):
        with attempt(f"{row.customer_name} is not moved") as session:
            changing.withdraw(session, actor, row.public_id, row.change_id, now=utc_now())
