"""What invoices lack by the law of our country, told before they are sent, each with the way to where it is missing."""

from collections.abc import Iterable, Mapping, Sequence

import streamlit as st

from billing_core.identity import Actor, Permission
from billing_core.invoices.legal_content import of_invoices
from billing_core.invoices.legal_content.missing import Missing, in_words
from billing_core.invoices.models import InvoiceState
from billing_core.invoices.rows import InvoiceView
from pages.ui import formats, opened
from pages.ui.reads import Reader
from pages.ui.text import md

_ICON = ":material/rule:"
_MOST_NAMES = 5
NO_ADVICE = "The check knows the common rules and is no legal advice."
_TO_BE_SENT = "It can be sent all the same: the timeline and the audit log keep what was missing."
_SENT = "What was sent stays as it is: cancel it and send a complete copy where that matters."
_ADDRESSES = {"invoice": "/invoice_editor?invoice=", "customer": "/customers?customer="}
BANK_ACCOUNT = (
    "Our bank details are missing: without them, or a payment link, nobody can tell from the invoice how to pay."
)


def warn(read: Reader, actor: Actor, invoice: InvoiceView) -> bool:
    """Of one invoice; whether it lacks anything."""
    found = read(of_invoices.of_many, [invoice.id]).get(invoice.id, [])
    if not found:
        return False
    is_draft = invoice.state is InvoiceState.DRAFT
    st.warning(
        f"The invoice lacks {md(in_words(found))}. {NO_ADVICE} {_TO_BE_SENT if is_draft else _SENT}",
        icon=_ICON,
    )
    if not is_draft:
        return True
    ours = any(one.is_ours for one in found)
    theirs = any(not one.is_ours for one in found)
    with st.container(horizontal=True):
        if ours and actor.may(Permission.BUSINESS_WRITE):
            to_business(invoice.business_id)
        if theirs:
            if st.button("Fill in on the draft", icon=":material/edit:", key="lacking_draft"):
                opened.go_to_invoice(invoice.id)
            to_customer(invoice.customer_id)
    return True


def warn_many(
    actor: Actor,
    found: Mapping[int, Sequence[Missing]],
    *,
    names: Mapping[int, str],
    noun: str,
    page: str,
    business_ids: Iterable[int] = (),
    sent: bool = False,
) -> None:
    """Of many, by what is missing: the first that lack it, by their ``names``, each leading to ``page`` (``invoice`` or
    ``customer``). ``business_ids``: of those of ours whose details can be filled in.
    """
    if not found:
        return
    by_lack: dict[Missing, list[str]] = {}
    for key, lacks in found.items():
        for one in lacks:
            by_lack.setdefault(one, []).append(f"[{md(names[key])}]({_ADDRESSES[page]}{key})")
    lack = "lacks" if len(found) == 1 else "lack"
    st.warning(
        f"**{formats.counted(len(found), noun)}** {lack} what the law or usage wants on invoices. {NO_ADVICE} "
        f"{_SENT if sent else _TO_BE_SENT}\n" + "\n".join(_told(one, those) for one, those in by_lack.items()),
        icon=_ICON,
    )
    if actor.may(Permission.BUSINESS_WRITE) and not sent:
        with st.container(horizontal=True):
            for business_id in sorted(set(business_ids)):
                to_business(business_id)


def warn_of_us(actor: Actor, found: Mapping[int, Sequence[Missing]]) -> None:
    """What the details of our businesses lack, by the business's id."""
    for business_id, lacks in found.items():
        st.warning(f"All invoices would lack {md(in_words(lacks))}. {NO_ADVICE}", icon=_ICON)
        if actor.may(Permission.BUSINESS_WRITE):
            to_business(business_id)


def to_business(business_id: int) -> None:
    """The way to the details of one of our businesses."""
    if st.button("Fill in our details", icon=":material/domain:", key=f"lacking_business_{business_id}"):
        st.switch_page("admin/business.py", query_params={"business": str(business_id)})


def to_customer(customer_id: int) -> None:
    """The way to a customer's details, which the next drafts begin with."""
    if st.button("Open the customer", icon=":material/person:", key=f"lacking_customer_{customer_id}"):
        st.switch_page("customers.py", query_params={"customer": str(customer_id)})


def _told(one: Missing, those: Sequence[str]) -> str:
    more = f" and {formats.count(len(those) - _MOST_NAMES)} more" if len(those) > _MOST_NAMES else ""
    return f"- {md(in_words([one]))}: {', '.join(those[:_MOST_NAMES])}{more}"
