"""A payment link wherever it is shown: what became of it, how to hand it over, and what can be done about it."""

import streamlit as st

from billing_core import runtime
from billing_core.identity import Actor, Permission
from billing_core.invoices.payment_links import LinkState, Mode
from billing_core.online_payments.links import link_candidates
from billing_core.online_payments.links.queries import LinkRow
from pages.payment_link_sections import creating, sharing
from pages.payment_link_sections.wording import COLORS, WAYS, happened, history, state
from pages.ui import collection_mode, formats, tables
from pages.ui.reads import Reader
from pages.ui.text import md

_EVERY = "2s"


def draw(read: Reader, actor: Actor, link: LinkRow, *, version: int | None = None) -> None:
    """A link, and the page drawn anew as soon as something happens to it. ``version``: of the invoice on the page."""
    _link(actor, link, read.company.time_zone)
    if link.state is LinkState.ACTIVE:
        _watch(link.id, version, (link.state, link.last_failed_at))


def _link(actor: Actor, link: LinkRow, zone: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{WAYS[link.way]}**", width="content")
        shown = state(link)
        st.badge(shown, color=COLORS[shown])
        collection_mode.mark_of(link.mode)
        st.caption(
            f"{md(formats.money(link.amount_minor, link.currency))} · {md(history(link, zone))}",
            width="content",
        )
    if link.state is LinkState.ACTIVE and link.mode is Mode.SANDBOX and collection_mode.mode() is not Mode.SANDBOX:
        st.warning(
            "This link is from before Stripe was set up: it leads to the sandbox, where nobody can pay any more. "
            "Create a new link.",
            icon=":material/link_off:",
        )
    if link.last_failure and link.state is LinkState.ACTIVE:
        when = formats.instant(link.last_failed_at, zone)
        st.warning(
            f"The last attempt to pay failed on {md(when)}: {md(link.last_failure)}", icon=":material/credit_card_off:"
        )
    if link.state is LinkState.CREATING:
        st.caption("Asking again is safe: it creates no second link. Giving up withdraws what may have been created.")
    shown = sharing.address(link) if link.state is LinkState.ACTIVE else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        if shown:
            sharing.buttons(actor, link, shown)
        if actor.may(Permission.LINK_WRITE):
            _ending(link)


def _ending(link: LinkRow) -> None:
    """What an administrator can do about a link that lives."""
    if link.state is LinkState.ACTIVE and st.button(
        "New link", icon=":material/autorenew:", key="renew_link", type="tertiary"
    ):
        creating.again(link)
    if link.state is LinkState.CREATING and st.button("Ask again", icon=":material/refresh:", key="ask_again"):
        creating.dialog(link.invoice_id)
    ends = {LinkState.ACTIVE: "Deactivate", LinkState.CREATING: "Give up"}.get(link.state)
    if ends and st.button(ends, icon=":material/link_off:", key="deactivate_link", type="tertiary"):
        creating.deactivate(link)


def earlier_ones(earlier: list[LinkRow], zone: str) -> None:
    tables.show(
        earlier,
        [
            tables.badge("State", state, COLORS),
            tables.money("Amount", "amount_minor"),
            tables.currency_of(),
            tables.instant("Requested", "created_at", zone),
            tables.instant("Ended", "ended_at", zone),
            tables.computed("Because", happened),
        ],
        key="earlier_links",
        alt="Earlier payment links of this invoice",
    )


@st.fragment(run_every=_EVERY)
def _watch(link_id: int, version: int | None, seen: tuple[object, ...]) -> None:
    """Look every two seconds whether the customer has paid; the page turns then by itself. It asks for no more than
    this, and shows nothing: who is signed in is asked when the page is drawn anew.
    """
    with runtime.sessions()() as session:
        now = link_candidates.glance(session, link_id)
    if now is not None and (now[1:] != seen or (version is not None and now[0] != version)):
        st.rerun()
