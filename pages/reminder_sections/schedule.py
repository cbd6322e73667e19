"""When a business reminds, switched on with open eyes: the next run is rehearsed before anything is saved."""

from dataclasses import replace
from datetime import date, timedelta

import streamlit as st
from sqlalchemy.orm import Session

from billing_core.dates import utc_now
from billing_core.errors import Invalid
from billing_core.identity import Actor, Permission
from billing_core.invoices.models import Invoice
from billing_core.mailing import reminder_planning, reminder_schedules, schedule
from billing_core.mailing.reminder_planning import PlannedReminder
from billing_core.mailing.reminder_schedules import Schedule
from billing_core.settings import settings
from pages.ui import context, formats, mail_words, messages, tables
from pages.ui.inputs import bounced_addresses
from pages.ui.reads import Reader
from pages.ui.text import mail_frame, md

# A rehearsal shows the longest due first; whoever wants them all sends them.
MOST_REHEARSED = 200
_OUTCOMES = {"Goes out": "blue", "Kept": "gray", "Held": "orange"}
_OFFERED = [*range(schedule.EARLIEST, schedule.LATEST + 1)]


def draw(read: Reader, actor: Actor, business_id: int) -> None:
    saved = read(reminder_schedules.of_business, business_id)
    edited, steps_fit = _steps(saved)
    changed = edited != saved
    missed, send_missed = 0, False
    if steps_fit and changed and edited.reminds:
        missed = read(reminder_schedules.missed, business_id, steps=edited.steps, today=read.day_of(business_id))
    if missed:
        send_missed = st.checkbox(
            f"Also remind of the {formats.counted(missed, 'open invoice')} whose reminder days are over",
            key=f"send_missed_{business_id}",
            help="Each gets one mail, the one for its latest day. Otherwise their past days are skipped for good.",
        )
    with st.container(horizontal=True):
        if st.button(
            "Save", type="primary", icon=":material/save:", key="reminders_save", disabled=not (changed and steps_fit)
        ):
            with context.transaction() as session:
                reminder_schedules.change(
                    session,
                    actor,
                    business_id,
                    reminds=edited.reminds,
                    steps=edited.steps,
                    send_missed=send_missed,
                    uses_credit=edited.uses_credit,
                    now=utc_now(),
                    today=read.day_of(business_id),
                )
            messages.say(_now_on() if edited.reminds else "Saved. No reminders are sent.")
            st.rerun()
        if changed:
            st.caption("Not saved yet: it has no effect.", width="content")
    if steps_fit:
        _rehearsal(read, edited, only_of_the_day=(changed or not saved.reminds) and not send_missed)


def _steps(saved: Schedule) -> tuple[Schedule, bool]:
    with st.container(border=True):
        reminds = st.toggle(
            "Remind customers of open invoices", value=saved.reminds, key=f"reminds_{saved.business_id}"
        )
        chosen = st.multiselect(
            "Days",
            _OFFERED,
            default=list(saved.steps),
            format_func=step_words,
            key=f"reminder_steps_{saved.business_id}",
            max_selections=schedule.MOST_STEPS,
            placeholder="Such as 7 days after the due date",
        )
        uses_credit = st.toggle(
            "Use the customer's credit first",
            value=saved.uses_credit,
            key=f"reminds_uses_credit_{saved.business_id}",
            help="Before a reminder goes, credit that the customer has with this business in the invoice's currency "
            "pays what has reached a day of this list, the oldest first. What it covers is not reminded of. Invoices "
            "that are held, or are being paid, are left alone.",
        )
        edited = replace(saved, reminds=reminds, steps=tuple(sorted(chosen)), uses_credit=uses_credit)
        try:
            schedule.checked(edited.steps)
        except Invalid as error:
            st.markdown(f":red[:material/error: The days {md(formats.with_days(error.fields['steps']))}]")
            return edited, False
        st.caption(
            "Each invoice gets one reminder on each day of this list, but none on the day it was sent. A missed day is "
            "made up for once; of several missed days, only the latest. Nobody who has paid gets a reminder."
        )
        return edited, True


def _now_on() -> str:
    if settings().sends_mails:
        return "Reminders are on."
    return "Reminders are on, and kept in the outbox: no mail server is set up, so nobody gets them."


def step_words(step: int) -> str:
    if step == 0:
        return "On the due date"
    days = formats.counted(abs(step), "day")
    return f"{days} {'before' if step < 0 else 'after'} the due date"


def _rehearsal(read: Reader, edited: Schedule, *, only_of_the_day: bool) -> None:
    today = read.day_of(edited.business_id)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.subheader("What would go out", anchor=False, width="content")
        on = st.date_input(
            "On",
            value=today,
            min_value=today,
            max_value=today + timedelta(days=60),
            key="rehearse_on",
            width=170,
            help="On a later day: if nobody pays and nothing is sent until then.",
            format=formats.day_form(),
        )
    plans = read(_planned, edited, on=on or today, only_of_the_day=only_of_the_day)
    if not edited.reminds:
        st.info("Reminders are off. This is what they would be; nothing is sent.", icon=":material/notifications_off:")
    if not plans:
        st.caption("No reminder would go out on this day.")
        return
    mail_words.warn_of_none()
    bounced_addresses.warn({one for plan in plans if not plan.reason for one in plan.recipients.everybody})
    outcome = "Goes out" if settings().sends_mails else "Kept"
    held = sum(bool(plan.reason) for plan in plans)
    going = (
        f"{formats.counted(len(plans) - held, 'reminder')} would {'go out' if settings().sends_mails else 'be kept'}"
    )
    going += f", {formats.count(held)} would not: the table says why." if held else "."
    more = f" The first {MOST_REHEARSED} are shown." if len(plans) == MOST_REHEARSED else ""
    st.caption(f"{going}{more} Click one to read its mail.")
    tables.show(
        plans,
        [
            tables.badge("Outcome", lambda plan: "Held" if plan.reason else outcome, _OUTCOMES),
            tables.text("Invoice", "number"),
            tables.text("Customer", "customer_name"),
            tables.text("To", "to"),
            tables.computed("Reminder", lambda plan: step_words(plan.step)),
            tables.day("Due", "due_on"),
            tables.money("Amount due", "amount_due"),
            tables.computed("Currency", lambda plan: plan.amount_due.currency, width=70),
            tables.computed("Why not", lambda plan: formats.sentence(plan.reason)),
        ],
        key="rehearsal",
        alt="The reminders of that day, who gets them, and who does not and why",
        opens=_opened,
        height=min(36 * (len(plans) + 1) + 4, 420),
    )
    shown = next((plan for plan in plans if plan.invoice_id == st.session_state.get("rehearsed")), None)
    if shown:
        _mail(shown)


def _opened(plan: PlannedReminder) -> None:
    st.session_state["rehearsed"] = plan.invoice_id


def _mail(plan: PlannedReminder) -> None:
    with st.container(border=True):
        st.markdown(f"**{md(plan.letter.subject)}**")
        st.caption(f"To {md(plan.to or 'nobody: there is no address')}, with the invoice as PDF")
        st.iframe(mail_frame(plan.letter.html), height=420)


def _planned(
    session: Session, actor: Actor, edited: Schedule, *, on: date, only_of_the_day: bool
) -> list[PlannedReminder]:
    """``only_of_the_day``: without what a change of the schedule would skip."""
    actor.require(Permission.REMINDER_WRITE)
    days = [on - timedelta(days=step) for step in edited.steps]
    limits = [Invoice.due_on.in_(days)] if only_of_the_day else []
    plans = reminder_planning.by_schedule(session, edited, *limits, today=on, limit=MOST_REHEARSED)
    return [plan for plan in plans if plan.step is not None]
