"""One subscription: what is agreed, where it stands, and all that was and will be billed of it."""

from collections.abc import Callable

import streamlit as st

from billing_core.audit import queries as audit
from billing_core.audit.queries import AuditFilter
from billing_core.dates import utc_now
from billing_core.identity import Actor, Permission
from billing_core.plans.models import BillingTiming
from billing_core.subscriptions import renewals
from billing_core.subscriptions.models import SubscriptionState
from billing_core.subscriptions.overview import history
from billing_core.subscriptions.overview.history import Shown
from pages.plan_sections.wording import due
from pages.subscription_sections import asking, billed, changing, ending, pausing, timeline, usage, wording
from pages.ui import formats, opened, tables
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.inputs import parts
from pages.ui.reads import Reader
from pages.ui.text import md

PERIODS, INVOICES, CHANGES = "Periods", "Invoices and charges", "Changes"
USAGE, ACTIVITY = "Usage", "Activity"


def draw(read: Reader, actor: Actor, subscription_id: int) -> None:
    opened.back("All subscriptions", "subscription")
    shown = read(history.one, subscription_id)
    _header(read, actor, shown)
    asking.draw(read, actor, shown)
    names = [PERIODS]
    names += [INVOICES] if actor.may(Permission.INVOICE_READ) and actor.may(Permission.PAYMENT_READ) else []
    names.append(CHANGES)
    names += [USAGE] if shown.terms.offer.has_usage and actor.may(Permission.USAGE_READ) else []
    names += [ACTIVITY] if actor.may(Permission.AUDIT_READ) else []
    tabs = parts.tabs(names, key="subscription_tab")
    for name, tab in tabs.items():
        if not tab.open:
            continue
        with tab:
            if name == PERIODS:
                timeline.draw(read, shown)
            elif name == INVOICES:
                billed.draw(read, shown)
            elif name == CHANGES:
                changing.draw(read, actor, shown)
            elif name == USAGE:
                usage.draw(read, shown)
            else:
                _activity(read, shown)


def _header(read: Reader, actor: Actor, shown: Shown) -> None:
    row, zone = shown.row, read.company.time_zone
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.title(md(f"{row.customer_name}, {row.plan_name}"), anchor=False, width="content")
        with st.container(horizontal=True, width="content"):
            if st.button("Customer", icon=":material/groups:", key="subscription_customer"):
                opened.go_to_customer(row.customer_id, "Overview")
            if actor.may(Permission.SUBSCRIPTION_WRITE) and row.state is not SubscriptionState.CANCELED:
                _actions(actor, shown)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for state in wording.states(row):
            st.badge(state, color=wording.COLORS[state])
        facts = [wording.next_event(row, zone), wording.price(row), wording.card(row.card_brand, row.card_last4)]
        st.markdown(f"**{md(facts[0])}** · {md(' · '.join(facts[1:]))}", width="content")
    st.caption(md(" · ".join([row.public_id, *_agreed(shown)])))
    if row.held_at and row.state is not SubscriptionState.CANCELED:
        _held(actor, shown, zone)


def _actions(actor: Actor, shown: Shown) -> None:
    row = shown.row
    steps: dict[str, Callable[[Shown], None]] = {"Other payment method": pausing.other_method}
    steps |= {"Ask for a card": asking.dialog} if asking.may_ask_for_card(actor) else {}
    steps |= {} if row.paused_at else {"Pause": pausing.pause}
    steps |= {"Resume": pausing.resume} if row.paused_at or row.cancel_at_period_end else {}
    steps["Cancel"] = ending.cancel
    chosen = st.menu_button("More", list(steps), key="subscription_more", icon=":material/more_horiz:")
    if chosen:
        steps[chosen](shown)
    if st.button("Change", type="primary", icon=":material/edit:", key="change_subscription"):
        changing.dialog(shown)


def _agreed(shown: Shown) -> list[str]:
    """What the customer has, besides the plan's price."""
    offer, row = shown.terms.offer, shown.row
    told = [f"version {offer.number}: {formats.money(offer.price_minor, offer.currency)} {due(offer)}"]
    told += ["billed in arrears"] if offer.timing is BillingTiming.ARREARS else []
    told += [formats.counted(row.seats, "seat")] if offer.seat_price_minor is not None else []
    told += [f"{formats.count(many)} × {offer.add_on(code).name}" for code, many in sorted(shown.terms.add_ons.items())]
    told += [f"promo code {shown.promo_code}"] if shown.promo_code else []
    told += [f"ends after {formats.counted(offer.ends_after, 'period')}"] if offer.ends_after else []
    told += [f"{formats.decimal(shown.tax_rate)}% tax"] if shown.tax_rate else []
    told += [shown.cancel_reason] if shown.cancel_reason else []
    return [*told, f"by {shown.created_by} on {formats.instant(row.created_at, shown.zone)}"]


def _held(actor: Actor, shown: Shown, zone: str) -> None:
    since = formats.instant(shown.row.held_at, zone)
    st.warning(
        f"{md(shown.hold_reason)}. Nothing is billed of it until somebody has looked.",
        title=f"It has waited for a decision since {since}",
        icon=":material/front_hand:",
    )
    if actor.may(Permission.SUBSCRIPTION_WRITE) and st.button(
        "Release", icon=":material/play_arrow:", key="release_subscription"
    ):
        _release(shown)


@st.dialog("Release the subscription", icon=":material/play_arrow:")
def _release(shown: Shown) -> None:
    actor = signed_in()
    st.markdown(
        "All periods that have begun by now are billed, each with an invoice of its own dated with its first day, "
        "the oldest first. What is still in the way holds it again."
    )
    if st.button("Release it", type="primary", icon=":material/play_arrow:", key="do_release_subscription"):
        with attempt("The subscription goes on: what is due is billed in a moment") as session:
            renewals.release(session, actor, shown.row.id, now=utc_now())


def _activity(read: Reader, shown: Shown) -> None:
    entry_filter = AuditFilter(subject_kind="subscription", subject_id=str(shown.row.id))
    skipped = tables.pager(
        read(audit.count, entry_filter), key="subscription_activity_page", noun="change", of=shown.row.id
    )
    tables.show(
        read(audit.page, entry_filter, limit=tables.PAGE_SIZE, offset=skipped),
        [
            tables.instant("When", "at", read.company.time_zone),
            tables.text("Who", "actor_name"),
            tables.computed("What", lambda entry: formats.action(entry.action)),
            tables.link("Open", lambda entry: f"/admin_audit?entry={entry.id}"),
        ],
        key="subscription_activity",
        alt="Who did what to this subscription",
    )
