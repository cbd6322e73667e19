"""Sending or reminding of several invoices: first the rehearsal, then the mails, which can be recalled."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st

from billing_core.dates import utc_now
from billing_core.identity import Actor
from billing_core.invoices.documents import legibility
from billing_core.invoices.legal_content import of_invoices
from billing_core.languages.available import own_name
from billing_core.mailing import reminders, service
from billing_core.mailing.letters import TO_BE_DRAWN
from billing_core.mailing.reminder_planning import PlannedReminder
from billing_core.mailing.service import Planned
from billing_core.settings import settings
from pages.invoice_sections import recalling
from pages.ui import context, formats, mail_words, messages, tables
from pages.ui.context import actor as signed_in
from pages.ui.inputs import bounced_addresses, lacking, print_hint
from pages.ui.reads import Reader
from pages.ui.text import md

_HEIGHT = 260
_LETTER = "letter_to_read"


def _forget() -> None:
    st.session_state.pop(_LETTER, None)


@st.dialog("Send invoices", width="large", icon=":material/send:", on_dismiss=_forget)
def send(invoice_ids: Sequence[int]) -> None:
    """Who gets which mail, and who gets none and why; then send."""
    actor = signed_in()
    read = Reader(actor)
    plans = read(service.rehearse, invoice_ids, today=read.days)
    going = [plan for plan in plans if not plan.reason]
    _rehearsal(plans, tables.money("Amount", "total"), read.company.time_zone)
    if drafts := sum(plan.is_draft for plan in going):
        st.warning(
            f"{formats.counted(drafts, 'draft')} will get {'its number' if drafts == 1 else 'their numbers'} and be "
            "posted to the ledger. That cannot be undone; the mails can be recalled for a minute.",
            icon=":material/warning:",
        )
    if late := sum(plan.is_draft and plan.due_on < read.day_of(plan.business_id) for plan in going):
        st.warning(
            f"{formats.counted(late, 'draft')} {'is' if late == 1 else 'are'} due before today, and overdue as soon as "
            "sent: change the dates first if that is not intended.",
            icon=":material/event_busy:",
        )
    missing = read(legibility.of_drafts, [plan.invoice_id for plan in going])
    names = {plan.invoice_id: plan.customer_name for plan in going}
    print_hint.warn(
        {f"{names[one]}, {field}": found for one, fields in missing.items() for field, found in fields.items()}
    )
    _warn_of_lacking(read, actor, going)
    if again := sum(plan.sent_before is not None for plan in going):
        again_words = "was mailed before and goes" if again == 1 else "were mailed before and go"
        st.caption(f"{formats.counted(again, 'invoice')} {again_words} out again.")
    if going and st.button(f"Send {formats.counted(len(going), 'invoice')}", type="primary", icon=":material/send:"):
        chosen = [plan.invoice_id for plan in going]
        with context.transaction() as session:
            done = service.send_many(session, actor, chosen, now=utc_now(), today=read.days)
        _finish(done.message_ids, len(done.left_out), "invoice")


@st.dialog("Remind of invoices", width="large", icon=":material/notifications:", on_dismiss=_forget)
def remind(invoice_ids: Sequence[int], opened_at: datetime) -> None:
    """Who is reminded of what, and who is held or left out and why; then remind."""
    actor = signed_in()
    read = Reader(actor)
    plans = read(reminders.rehearse_now, invoice_ids, now=opened_at, today=read.days)
    going = [plan for plan in plans if not plan.reason]
    _rehearsal(plans, tables.money("Amount due", "amount_due"), read.company.time_zone)
    _warn_of_lacking(read, actor, going)
    if going and st.button(
        f"Send {formats.counted(len(going), 'reminder')}", type="primary", icon=":material/notifications:"
    ):
        chosen = [plan.invoice_id for plan in going]
        with context.transaction() as session:
            done = reminders.remind_now(session, actor, chosen, now=utc_now(), today=read.days)
        _finish(done.message_ids, len(done.left_out), "reminder")


def _warn_of_lacking(read: Reader, actor: Actor, going: Sequence[Planned | PlannedReminder]) -> None:
    found = read(of_invoices.of_many, [plan.invoice_id for plan in going])
    drafts = [plan for plan in going if isinstance(plan, Planned) and plan.is_draft]
    lacking.warn_many(
        actor,
        found,
        names={plan.invoice_id: plan.number or plan.customer_name for plan in going},
        noun="invoice",
        page="invoice",
        business_ids={
            plan.business_id for plan in drafts if any(one.is_ours for one in found.get(plan.invoice_id, ()))
        },
        sent=not drafts,
    )


def _rehearsal(plans: Sequence[Planned | PlannedReminder], amount: tables.Column, zone: str) -> None:
    going = [plan for plan in plans if not plan.reason]
    left_out = [plan for plan in plans if plan.reason]
    st.markdown(
        f"**{formats.count(len(going))} of {formats.counted(len(plans), 'mail')}** would "
        f"{'go out' if settings().sends_mails else 'be kept'}. Nothing has been sent yet."
    )
    who = [
        tables.computed("Invoice", lambda plan: plan.number or f"Draft {plan.invoice_id}"),
        tables.text("Customer", "customer_name"),
    ]
    if left_out:
        st.markdown(f":orange[:material/block:] **Left out: {formats.count(len(left_out))}**")
        tables.show(
            left_out,
            [*who, tables.computed("Why", lambda plan: formats.sentence(plan.reason), width="large")],
            key="rehearsal_left_out",
            alt="Invoices about which there is no mail, and why",
            height=_height(len(left_out)),
        )
    if not going:
        return
    mail_words.warn_of_none()
    bounced_addresses.warn({address for plan in going for address in plan.recipients.everybody})
    columns = [
        *who,
        tables.text("To", "to"),
        amount,
        tables.computed("Currency", _currency, width=70),
        tables.day("Due", "due_on"),
        tables.computed("Subject", lambda plan: _with_number(plan.letter.subject), width="large"),
        tables.computed("Language", lambda plan: own_name(plan.language), width=90),
    ]
    if any(isinstance(plan, Planned) and plan.sent_before for plan in going):
        columns.append(tables.instant("Mailed before", "sent_before", zone))
    tables.show(
        going,
        columns,
        key="rehearsal_going",
        alt="The mails that there would be",
        opens=_read_letter,
        height=_height(len(going)),
    )
    st.caption("Click a mail to read its text.")
    chosen = next((plan for plan in going if plan.invoice_id == st.session_state.get(_LETTER)), None)
    if chosen is not None:
        with st.container(border=True):
            st.markdown(f"**To** {md(chosen.to)}  \n**Subject** {md(_with_number(chosen.letter.subject))}")
            st.text(_with_number(chosen.letter.text))


def _with_number(text: str) -> str:
    """As it will read: a draft's number is drawn when it is sent."""
    return text.replace(TO_BE_DRAWN, "(its number)")


def _currency(plan: Planned | PlannedReminder) -> str:
    return (plan.total if isinstance(plan, Planned) else plan.amount_due).currency


def _height(rows: int) -> tables.Height:
    return "content" if rows <= 6 else _HEIGHT


def _read_letter(plan: Planned | PlannedReminder) -> None:
    st.session_state[_LETTER] = plan.invoice_id


def _finish(message_ids: list[int], left_out: int, noun: str) -> None:
    _forget()
    if message_ids:
        recalling.keep(message_ids, formats.counted(len(message_ids), noun))
    if left_out:
        messages.say(
            f"{formats.counted(left_out, 'invoice')} changed in the meantime and got no mail: look at the list again.",
            icon=":material/warning:",
        )
    st.rerun()
