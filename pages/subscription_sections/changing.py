"""Changing a subscription: other terms, what they come to before anything is done, and what was asked for so far."""

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from billing_core import runtime
from billing_core.dates import utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor, Permission
from billing_core.invoices.payment_links import Mode
from billing_core.plans import listing as plans
from billing_core.plans.offers import Offer
from billing_core.subscriptions.changes import changing, listing
from billing_core.subscriptions.changes.listing import ChangeRow
from billing_core.subscriptions.changes.proposing import Proposal
from billing_core.subscriptions.changes.wanted import Wanted, When
from billing_core.subscriptions.models import ChangeState
from billing_core.subscriptions.overview import rehearsal
from billing_core.subscriptions.overview.history import Shown
from pages.plan_sections.wording import due
from pages.subscription_sections import paying_by, term_fields
from pages.ui import collection_mode, context, formats, tables
from pages.ui.colors import Color
from pages.ui.context import actor as signed_in
from pages.ui.reads import Reader
from pages.ui.text import md

_MOST = 50
_ASKED, _SHOWN = "subscription_change_to_withdraw", "subscription_change_shown"
_WHEN: Final = {
    "": "More money now, less at the period's end",
    When.NOW: "Now",
    When.PERIOD_END: "At the period's end",
}
_STATES: Final[dict[ChangeState, tuple[str, Color]]] = {
    ChangeState.CHARGING: ("Being charged", "orange"),
    ChangeState.SCHEDULED: ("Scheduled", "blue"),
    ChangeState.APPLIED: ("Applied", "gray"),
    ChangeState.WITHDRAWN: ("Withdrawn", "gray"),
    ChangeState.FAILED: ("Failed", "red"),
}


@st.dialog("Change the subscription", width="large", icon=":material/edit:")
def dialog(shown: Shown) -> None:
    actor = signed_in()
    read = Reader(actor)
    collection_mode.mark()
    wanted = _fields(read, actor, shown)
    if wanted is None:
        st.caption("Choose what is to be different to see what that comes to.")
        return
    # What stands on the screen while the button is pressed: the run that follows computes anew.
    seen = st.session_state.get(_SHOWN)
    try:
        with runtime.sessions()() as session:
            proposal = changing.preview(session, actor, shown.row.public_id, wanted, now=utc_now())
    except BillingError as error:
        context.refused(error)
        return
    st.session_state[_SHOWN] = proposal.token
    st.markdown(_summary(proposal, has_card=shown.row.card_last4 is not None))
    if st.button("Change it", type="primary", icon=":material/check:", key="do_change_subscription"):
        with collection_mode.asking("The subscription is changed") as sessions:
            gateway = collection_mode.gateway()
            changing.change(sessions, actor, gateway, shown.row.public_id, wanted, token=seen, now=utc_now())
    _lines(proposal)


def draw(read: Reader, actor: Actor, shown: Shown) -> None:
    """What was asked for so far; what is scheduled can be withdrawn."""
    rows = read(listing.page, shown.row.public_id, limit=_MOST)
    if not rows:
        st.caption("Nothing was changed since it began.")
        return
    zone = read.company.time_zone
    columns = [
        tables.badge("State", lambda row: _STATES[row.state][0], dict(_STATES.values())),
        tables.computed("What", _words, width="medium"),
        tables.computed("Charged", lambda row: _amount(row, "total_minor"), right=True, width=100),
        tables.computed("Credited", lambda row: _amount(row, "credited_minor"), right=True, width=100),
        tables.currency_of(),
        tables.instant("From", "from_at", zone),
        tables.instant("Asked for", "asked_at", zone),
        tables.text("By", "asked_by"),
        tables.text("Outcome", "outcome", width="medium"),
    ]
    if actor.may(Permission.SUBSCRIPTION_WRITE):
        columns.insert(1, tables.button("Withdraw", _withdrawable, opens=_ask, width=100))
    tables.show(rows, columns, key="subscription_changes", alt="What was asked to change, the newest first")
    asked: ChangeRow | None = st.session_state.pop(_ASKED, None)
    if asked is not None:
        _withdraw(asked)


def _words(row: ChangeRow) -> str:
    """With the day of a move."""
    told = words(row.wanted)
    return told if row.not_before is None else f"{told}, with the first period from {formats.day(row.not_before)} on"


def words(wanted: Mapping[str, Any]) -> str:
    """What was asked for: ``plan team, 5 seats, add-ons: 2 × sms``, or ``version 3 of plan team``."""
    plan = f"version {wanted['version']} of plan" if "version" in wanted else "plan"
    parts = [f"{plan} {wanted['plan']}"] if "plan" in wanted else []
    parts += [formats.counted(wanted["seats"], "seat")] if "seats" in wanted else []
    if "add_ons" in wanted:
        counted = [f"{formats.count(many)} × {code}" for code, many in sorted(wanted["add_ons"].items())]
        parts.append(f"add-ons: {', '.join(counted)}" if counted else "no add-ons")
    return ", ".join(parts) or formats.NOTHING


def _fields(read: Reader, actor: Actor, shown: Shown) -> Wanted | None:
    """None while everything is as it is."""
    present = shown.terms
    with st.container(horizontal=True, vertical_alignment="bottom"):
        codes = list(dict.fromkeys([present.offer.code, *read(plans.codes)]))
        code = st.selectbox("Plan", codes, key="change_plan")
        when = st.selectbox("When", list(_WHEN), format_func=_WHEN.__getitem__, key="change_when")
    offer = present.offer if code == present.offer.code else _offer(actor, shown, code)
    if offer is None:
        return None
    st.caption(f"{md(offer.name)}: {md(formats.money(offer.price_minor, offer.currency))} {due(offer)}")
    has_seats = offer.seat_price_minor is not None
    seats = term_fields.seats(shown.row.seats, key=f"change_seats_{code}") if has_seats else 1
    add_ons = term_fields.add_ons(offer, present.add_ons, key=f"change_{offer.version_id}")
    if (code, seats, add_ons) == (present.offer.code, present.seats, dict(present.add_ons)):
        return None
    return Wanted(code, seats, add_ons, When(when) if when else None)


def _offer(actor: Actor, shown: Shown, code: str) -> Offer | None:
    """What the other plan costs this customer; a refusal is said here."""
    try:
        with runtime.sessions()() as session:
            return rehearsal.offered(session, actor, shown.row.customer_id, code)
    except BillingError as error:
        context.refused(error)
        return None


def _summary(proposal: Proposal, *, has_card: bool) -> str:
    """What happens now, and what the next invoice will be."""
    code = proposal.currency
    told = []
    if proposal.when is When.PERIOD_END:
        told.append("It is scheduled: nothing is charged now, and it begins with the next period.")
    elif not proposal.sums.total_minor and not proposal.credited_minor:
        told.append("It costs nothing now, and holds at once.")
    else:
        to_pay = md(formats.money(proposal.to_pay_minor, code))
        how = "charged at once; if that fails, nothing changes" if has_card else "to pay by the link of an invoice"
        warning = paying_by.warning(proposal.to_pay_minor, code)
        told.append(f"Now **{to_pay}**, {how}.{warning}" if proposal.to_pay_minor else "Nothing is to pay now.")
        if proposal.credited_minor:
            told.append(f"{md(formats.money(proposal.credited_minor, code))} of unused days are credited.")
        if proposal.credit_used_minor:
            told.append(f"{md(formats.money(proposal.credit_used_minor, code))} are paid by credit.")
    following = proposal.next_invoice
    if following is not None:
        total = md(formats.money(following.sums.total_minor, code))
        told.append(f"The next invoice is **{total}** on {md(formats.day(following.day))}.")
    return " ".join(told)


def _lines(proposal: Proposal) -> None:
    """Line by line: now, and on the next invoice."""
    following = proposal.next_invoice
    rows = [("Now", line.description, line.amount_minor) for line in proposal.lines]
    if proposal.sums.tax_minor:
        rows.append(("Now", "Tax", proposal.sums.tax_minor))
    if following is not None:
        rows += [(formats.day(following.day), line.description, line.amount_minor) for line in following.sums.lines]
        if following.sums.tax_minor:
            rows.append((formats.day(following.day), "Tax", following.sums.tax_minor))
    if rows:
        tables.show(
            rows,
            [
                tables.computed("On", lambda row: row[0], width=120),
                tables.computed("What", lambda row: row[1], width="large"),
                tables.computed(
                    f"Amount, {proposal.currency}",
                    lambda row: formats.amount(row[2], proposal.currency),
                    right=True,
                    width=130,
                ),
            ],
            key="subscription_change_lines",
            alt="What the change comes to, line by line",
        )


def _amount(row: ChangeRow, name: str) -> str:
    minor = row.amounts.get(name, 0)
    return formats.amount(minor, row.currency) if minor else formats.NOTHING


def _withdrawable(row: ChangeRow) -> str | None:
    is_given_up = row.state is ChangeState.CHARGING and collection_mode.mode() is not Mode.LIVE
    return "Withdraw" if row.state is ChangeState.SCHEDULED or is_given_up else None


def _ask(row: ChangeRow) -> None:
    st.session_state[_ASKED] = row


@st.dialog("Withdraw the change", icon=":material/undo:")
def _withdraw(row: ChangeRow) -> None:
    actor = signed_in()
    st.markdown(f"It does not begin: {md(_words(row))}. The next period is billed as the present one.")
    if row.state is ChangeState.CHARGING:
        st.caption(
            "It is not known whether the card was charged. Money that came in becomes credit, with a case, when it is."
        )
    if row.not_before is not None:
        st.caption("A customer who was told of it by mail is told that it does not come.")
    if st.button("Withdraw it", type="primary", icon=":material/undo:", key="do_withdraw_change"):
        with context.attempt("The change is withdrawn") as session:
            changing.withdraw(session, actor, row.subscription_id, row.id, mode=collection_mode.mode(), now=utc_now())
