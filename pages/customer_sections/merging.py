"""Merging a customer into another one: chosen, rehearsed, done."""

import streamlit as st

from billing_core.customer_lifecycle import merging
from billing_core.customer_lifecycle.merging import BALANCES, Moving, Rehearsal
from billing_core.customers import queries
from billing_core.customers.models import Customer
from billing_core.dates import utc_now
from billing_core.identity import Actor
from pages.ui import formats
from pages.ui.context import actor as signed_in
from pages.ui.context import attempt
from pages.ui.formats import counted
from pages.ui.inputs import customer_names
from pages.ui.reads import Reader
from pages.ui.text import md


def button(actor: Actor, customer: Customer) -> None:
    if merging.may(actor) and st.button("Merge", icon=":material/merge:", key="merge_customer"):
        merge(customer.id)


def note(read: Reader, customer: Customer) -> None:
    """That it is another customer now, and the way there; or who was merged into it, with what is to be found there."""
    if customer.merged_into_id is None:
        _formers(read, customer)
        return
    into = read(queries.one, customer.merged_into_id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(
            f"Merged into {md(into.name)}. Its reports and what they billed are kept here.", icon=":material/merge:"
        )
        if st.button(f"Open {md(into.name)}", icon=":material/arrow_forward:", key="open_merged"):
            st.query_params["customer"] = str(into.id)
            st.rerun()


def _formers(read: Reader, customer: Customer) -> None:
    for former_id, name in read(queries.formers, customer.id):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f":material/merge: {md(name)} was merged into it. The reports of {md(name)} are kept there.")
            if st.button("Open them", key=f"open_former_{former_id}", type="tertiary"):
                st.query_params["customer"] = str(former_id)
                st.rerun()


@st.dialog("Merge customer", icon=":material/merge:", width="large")
def merge(customer_id: int) -> None:
    actor = signed_in()
    read = Reader(actor)
    customer = read(queries.one, customer_id)
    names = customer_names.offered(read, key="merge_into", active_only=True)
    into_id = st.selectbox(
        f"Merge {md(customer.name)} into",
        [one for one in names if one != customer_id],
        index=None,
        format_func=lambda one: names.get(one, str(one)),
        placeholder="The customer that stays",
        key="merge_into",
    )
    if into_id is None:
        return
    rehearsed = read(merging.rehearse, customer_id, into_id)
    _show(rehearsed)
    if rehearsed.conflicts:
        return
    st.caption("It cannot be undone.")
    if st.button("Merge for good", type="primary", icon=":material/merge:", key="do_merge"):
        with attempt(f"Merged {customer.name} into {rehearsed.into}") as session:
            merging.merge(session, actor, customer_id, into_id, now=utc_now())


def _show(rehearsed: Rehearsal) -> None:
    for reason in rehearsed.conflicts:
        st.error(md(formats.with_days(reason)), icon=":material/block:")
    moves, stays = _listed(rehearsed.moves), _listed(rehearsed.stays)
    st.markdown(f"**Moves to {md(rehearsed.into)}**: {moves or 'nothing'}.")
    if stays:
        st.markdown(f"**Stays with {md(rehearsed.former)}**: {stays}.")
    if rehearsed.balances:
        rows = [
            (
                f"{BALANCES[one.account][0]}, {one.currency}",
                *(
                    formats.money(BALANCES[one.account][1] * minor, one.currency)
                    for minor in (one.former_minor, one.into_minor, one.together_minor)
                ),
            )
            for one in rehearsed.balances
        ]
        heads = ("Balance", "Former", "Stays", "Together")
        st.table({head: [row[place] for row in rows] for place, head in enumerate(heads)}, alt="Balances")
    if rehearsed.sees_both:
        st.warning(f"See both from then on: {md(', '.join(rehearsed.sees_both))}", icon=":material/visibility:")
    if rehearsed.given_up:
        told = "; ".join(
            f"{formats.words(name)} {kept or '(empty)'}, not {theirs}" for name, theirs, kept in rehearsed.given_up
        )
        st.caption(f"What holds from then on: {md(told)}. Documents keep what stands on them.")


def _listed(rows: tuple[Moving, ...]) -> str:
    return ", ".join(counted(one.count, one.noun) for one in rows)
