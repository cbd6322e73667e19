"""How far to take what was chosen, and the button that starts it. Whatever sends mails asks once more."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import streamlit as st

from billing_core import runtime
from billing_core.bill_runs import legal_content, planning
from billing_core.bill_runs.legal_content import Lacking
from billing_core.bill_runs.models import RunGoal, RunSource
from billing_core.bill_runs.overlapping import Overlapping
from billing_core.bill_runs.planning import Reach
from billing_core.dates import Period, utc_now
from billing_core.errors import BillingError
from billing_core.identity import Actor, Permission
from billing_core.invoices.from_reports import Grouping
from billing_core.jobs import bill_run
from billing_core.processes import pausing
from billing_core.processes.models import Queue
from billing_core.settings import settings
from pages.bill_run_sections import wording
from pages.report_sections import invoicing
from pages.ui import address, collection_mode, context, formats, mail_words
from pages.ui.context import actor as signed_in
from pages.ui.inputs import bounced_addresses, lacking
from pages.ui.reads import Reader
from pages.ui.text import md

_ICONS = {
    RunGoal.REHEARSAL: ":material/visibility:",
    RunGoal.REPORTS: ":material/play_circle:",
    RunGoal.DRAFTS: ":material/note_add:",
    RunGoal.SENT: ":material/send:",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be billed. ``customer_ids`` None: everybody who has something to bill; no services: all of them."""

    customer_ids: tuple[int, ...] | None
    period: Period
    service_ids: tuple[int, ...] = ()
    source: RunSource = RunSource.ORDERS


@dataclass(frozen=True, slots=True)
class HowFar:
    """The goal, and how its invoices are made: their lines, their tax rate in percent."""

    goal: RunGoal
    with_links: bool = False
    line_grouping: Grouping = Grouping.SERVICE
    tax_rate: Decimal = Decimal(0)


def possible(actor: Actor, source: RunSource) -> list[RunGoal]:
    """How far this actor may take a run."""
    return [goal for goal in planning.GOALS[source] if may(actor, source, goal)]


def may(actor: Actor, source: RunSource, goal: RunGoal, *, with_links: bool = False) -> bool:
    """Whether this actor may start such a run, and so pause or stop it."""
    return all(map(actor.may, planning.needed(source, goal, with_links=with_links)))


def draw(
    read: Reader, actor: Actor, chosen: Chosen, *, goals: Sequence[RunGoal], key: str, label: str = "How far"
) -> None:
    """Choose how far; then start. ``goals``: what is offered, the first of them proposed."""
    how = _how_far(actor, chosen.source, goals, key=key, label=label)
    if how is None:
        return
    reach = _reached(read, chosen)
    asks = how.goal is RunGoal.SENT
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            wording.CHOICES[how.goal] + (" …" if asks else ""),
            key=f"{key}_ask" if asks else f"{key}_start",
            type="primary",
            icon=_ICONS[how.goal],
            disabled=not reach.customers,
        )
        st.markdown(_reach(reach, chosen), width="content")
    st.caption(wording.EXPLAINED[chosen.source][how.goal])
    if chosen.period.end >= read.today and chosen.source is RunSource.ORDERS:
        st.info(
            f"{md(formats.period(chosen.period))} is not over. Orders that come in later are in another version of the "
            "report, which has to be billed then.",
            icon=":material/event_upcoming:",
        )
    if Queue.BILL_RUNS in read.plain(pausing.paused):
        st.warning(
            "Bill runs are paused. A run that is started now waits until an administrator resumes them on the page "
            "“Jobs”.",
            icon=":material/pause_circle:",
        )
    if pressed and asks:
        _confirm(chosen, how, opened_at=address.word("run"))
    elif pressed:
        begin(actor, chosen, how)


def begin(actor: Actor, chosen: Chosen, how: HowFar) -> None:
    """Start the run and show it; a refusal is said here, with the way to the run that is in the way."""
    try:
        with runtime.sessions().begin() as session:
            run_id = planning.plan(
                session,
                actor,
                source=chosen.source,
                customer_ids=chosen.customer_ids,
                period=chosen.period,
                service_ids=chosen.service_ids,
                goal=how.goal,
                with_links=how.with_links,
                line_grouping=how.line_grouping,
                tax_rate=how.tax_rate,
                now=utc_now(),
            )
    except Overlapping as refusal:
        refused(refusal)
        return
    except BillingError as refusal:
        context.refused(refusal)
        return
    bill_run.begin(run_id)
    st.query_params["run"] = str(run_id)
    st.rerun()


def refused(refusal: Overlapping) -> None:
    """Say that another run bills the same, and lead to it where this person may see it."""
    context.refused(refusal)
    if refusal.run_id is not None:
        # No link: one to the page that is open would leave its address as it is.
        st.button(
            f"Open run {refusal.run_id}",
            key="open_other_run",
            icon=":material/open_in_new:",
            on_click=_open,
            args=(refusal.run_id,),
        )


def _open(run_id: int) -> None:
    st.query_params["run"] = str(run_id)


def _how_far(actor: Actor, source: RunSource, goals: Sequence[RunGoal], *, key: str, label: str) -> HowFar | None:
    """None where the tax rate is none."""
    names = {goal.value: wording.CHOICES[goal] for goal in goals}
    address.read(f"{key}_goal", "Goal", partial(address.called, names), next(iter(names)))
    goal = RunGoal(
        st.segmented_control(
            label,
            list(names),
            default=next(iter(names)),
            required=True,
            format_func=lambda one: names.get(one, one),
            key=f"{key}_goal",
            bind="query-params",
        )
    )
    address.stop_in_doubt()
    if goal not in (RunGoal.DRAFTS, RunGoal.SENT):
        return HowFar(goal)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        lines = Grouping.SERVICE
        if source is RunSource.ORDERS:
            lines = st.selectbox(
                "Lines of the invoices",
                list(invoicing.LINES),
                format_func=invoicing.LINES.__getitem__,
                key=f"{key}_lines",
                width=240,
            )
        rate = invoicing.tax_rate("Tax rate, %", key=f"{key}_tax", width=130)
        with_links = (
            goal is RunGoal.SENT
            and actor.may(Permission.LINK_WRITE)
            and st.toggle(
                "With payment links",
                key=f"{key}_links",
                help="Each invoice gets a link by which it can be paid online, and its mail carries it.",
            )
        )
    return None if rate is None else HowFar(goal, with_links, lines, rate)


def warn_of_lacking(actor: Actor, found: Lacking) -> None:
    """What the invoices would lack by the law of our country."""
    lacking.warn_of_us(actor, found.ours)
    lacking.warn_many(actor, found.of_customers, names=found.names, noun="customer", page="customer")


def _reached(read: Reader, chosen: Chosen) -> Reach:
    return read(
        planning.reach,
        source=chosen.source,
        customer_ids=chosen.customer_ids,
        period=chosen.period,
        service_ids=chosen.service_ids,
    )


def _reach(reach: Reach, chosen: Chosen) -> str:
    period = md(formats.period(chosen.period))
    if not reach.customers:
        return f"Nobody has anything to bill in {period}. Choose another period."
    customers = f"**{formats.counted(reach.customers, 'customer')}**"
    if chosen.customer_ids is not None:
        return f"{customers} for {period}"
    one = reach.customers == 1
    if chosen.source is RunSource.USAGE:
        return f"{customers} used something in {period}, or {'was' if one else 'were'} on a plan"
    return f"{customers} {'has' if one else 'have'} orders in {period}, or a report for it already"


@st.dialog("Send invoices", width="medium", icon=":material/send:")
def _confirm(chosen: Chosen, how: HowFar, opened_at: str) -> None:
    """To how many customers mails leave, and what cannot be undone; then start."""
    if address.word("run") != opened_at:
        st.rerun()
    actor = signed_in()
    read = Reader(actor)
    if how.with_links:
        collection_mode.mark()
    reach = _reached(read, chosen)
    customers = formats.counted(reach.customers, "customer")
    leaves = "leaves" if settings().sends_mails else "is kept"
    with_link = " and a payment link" if how.with_links else ""
    st.markdown(
        f"**{customers}** {'is' if reach.customers == 1 else 'are'} billed for "
        f"**{md(formats.period(chosen.period))}**. Whoever has something to pay and was not invoiced for it gets an "
        f"invoice: **a mail with its PDF{with_link} {leaves} for each**, one after the other, from the moment you "
        "confirm. Drafts that exist already stay drafts: send them from *Invoices*."
    )
    st.warning(
        "Each invoice gets its number and is posted to the ledger. That cannot be undone: mistakes are corrected by "
        "credit notes. Stopping the run keeps back only what has not been sent by then.",
        icon=":material/warning:",
    )
    mail_words.warn_of_none()
    bounced_addresses.warn_of(
        planning.bounced,
        source=chosen.source,
        customer_ids=chosen.customer_ids,
        period=chosen.period,
        service_ids=chosen.service_ids,
    )
    if reach.without_email:
        has = "has" if reach.without_email == 1 else "have"
        st.info(
            f"{formats.counted(reach.without_email, 'customer')} of them {has} no e-mail address, so that no mail can "
            "go to them: the run says which.",
            icon=":material/alternate_email:",
        )
    warn_of_lacking(
        actor,
        read(
            legal_content.of_chosen,
            source=chosen.source,
            customer_ids=chosen.customer_ids,
            period=chosen.period,
            service_ids=chosen.service_ids,
            tax_rate=how.tax_rate,
        ),
    )
    lines = "the parts of its usage" if chosen.source is RunSource.USAGE else invoicing.LINES[how.line_grouping].lower()
    st.caption(f"Invoices with {lines}, {formats.decimal(how.tax_rate)} % tax.")
    up_to = "up to " if reach.mailed > 1 else ""
    mailed = formats.counted(reach.mailed, "customer")
    if st.button(f"Send to {up_to}{mailed}", type="primary", icon=":material/send:", key="confirm_send"):
        begin(actor, chosen, how)
