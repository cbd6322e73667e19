"""What needs a hand, each with the action that settles it. Whatever is settled is not listed."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import streamlit as st

from billing_core.bill_runs.figures import FAILED_IN_RUNS, PAUSED_RUNS
from billing_core.dates import Day, Period, usual_day
from billing_core.figures import Scope
from billing_core.identity import Actor, Permission
from billing_core.imports.queries import FAILED_IMPORTS
from billing_core.online_payments import figures as online
from billing_core.orders.figures import DRAFT_ORDERS
from billing_core.outgoing_webhooks.figures import FAILED_WEBHOOKS
from billing_core.processes.figures import FAILED_SCHEDULES, LOST_PROCESSES, PAUSED_QUEUES
from billing_core.rating.models import QuestionKind
from billing_core.receivables import attention as money
from billing_core.receivables import debts
from billing_core.reports import figures
from billing_core.reports.wording import question_words
from billing_core.subscriptions.overview import attention as subscribers
from pages.overview_sections import at_the_doors, bounced_mails, failed_charges, odd_terms, unsent_mails
from pages.overview_sections.matter import Matter
from pages.ui import formats
from pages.ui.figures.cards import Known
from pages.ui.figures.drilldown import panel
from pages.ui.reads import Reader
from pages.ui.text import md

OLD_DRAFT = timedelta(days=30)


def draw(read: Reader, actor: Actor, listed: Sequence[Matter], known: Known, *, starting: bool) -> None:
    st.subheader("Needs attention", anchor=False)
    counts = [(matter, known[matter.shown, matter.scope].get(None, 0)) for matter in listed]
    waiting = [(matter, count) for matter, count in counts if count]
    odd = odd_terms.found(read, actor)
    if starting and not waiting and not odd:
        st.caption("What cannot be billed will be listed here, each with the step that resolves it.")
        return
    st.caption("All time, regardless of the period chosen above.")
    if odd:
        odd_terms.draw(actor, odd)
    elif not waiting:
        st.success(
            "Nothing needs attention: every order of the closed months is billed in full.", icon=":material/task_alt:"
        )
    if not waiting:
        return
    # Where no row has a button of its own, its place would be a hole.
    widths = [17, 8, 10] if any(actor.may(matter.permission) for matter, _ in waiting) else [27, 8]
    with st.container(border=True, gap="xsmall"):
        for matter, count in waiting:
            # Each column keeps its place at every width, so that the rows stand under each other.
            what, rows, *action = st.columns(widths, vertical_alignment="center", gap="small")
            key = matter.shown.key
            what.markdown(f"{matter.icon} {md(matter.sentence(count))}")
            if rows.button("Show rows", key=f"attention_{key}", type="tertiary", icon=":material/table_rows:"):
                panel(matter.shown, matter.scope, count, None)
            if actor.may(matter.permission) and action[0].button(matter.action, key=f"settle_{key}", width="stretch"):
                st.switch_page(matter.page, query_params=matter.query or {})
            if matter.below is not None:
                matter.below(actor)


def matters(actor: Actor, today: Day, known_at: datetime | None) -> list[Matter]:
    """All that could need a hand, whether it does or not."""
    day = usual_day(today)
    closed = figures.scope(actor, period=figures.closed_months(day), known_at=known_at)
    ever = figures.scope(actor, known_at=known_at)
    return [
        Matter(
            figures.UNBILLED_ORDERS,
            closed,
            lambda count: f"{formats.counted(count, 'order')} of closed months not on any report",
            "reports.py",
            {"tab": "Generate"},
            "Generate reports",
            Permission.REPORT_GENERATE,
            ":material/pending_actions:",
        ),
        Matter(
            figures.CUSTOMERS_WITHOUT_RATE,
            ever,
            lambda count: f"{formats.counted(count, 'customer')} with orders but no rate",
            "rate_cards.py",
            None,
            "Set prices",
            Permission.RATE_WRITE,
            ":material/price_change:",
        ),
        *(_question(kind, ever) for kind in QuestionKind),
        *_about_money(actor, today),
        *_paid_online(actor, today),
        *_of_subscriptions(actor, today),
        *_in_the_background(actor, ever),
        *at_the_doors.matters(actor, today),
        Matter(
            DRAFT_ORDERS,
            figures.scope(actor, period=Period(date.min, day - OLD_DRAFT)),
            lambda count: f"{formats.counted(count, 'order')} in draft for over {OLD_DRAFT.days} days, so not billed",
            "imports.py",
            None,
            "Import",
            Permission.IMPORT,
            ":material/draft:",
        ),
    ]


def _about_money(actor: Actor, today: Day) -> list[Matter]:
    """What is as it is now, whatever day was asked for: these are things to do."""
    now = debts.scope(actor, today=today)
    listed = [
        Matter(
            money.OVERDUE_INVOICES,
            now,
            lambda count: f"{formats.counted(count, 'invoice')} overdue",
            "invoices.py",
            {"invoices_tab": "overdue"},
            "Open invoices",
            Permission.INVOICE_READ,
            ":material/running_with_errors:",
        ),
        Matter(
            money.FAILED_PAYMENTS,
            now,
            lambda count: f"{formats.counted(count, 'open invoice')} on which a payment failed",
            "invoices.py",
            {"invoices_tab": "open"},
            "Open invoices",
            Permission.INVOICE_READ,
            ":material/credit_card_off:",
        ),
        Matter(
            money.OLD_DRAFTS,
            now,
            lambda count: f"{formats.counted(count, 'invoice')} in draft for a week or longer, so not sent",
            "invoices.py",
            {"invoices_tab": "draft"},
            "Open drafts",
            Permission.INVOICE_WRITE,
            ":material/edit_document:",
        ),
        Matter(
            money.UNSPENT_CREDIT,
            now,
            lambda count: f"{formats.counted(count, 'customer')} with unspent credit while invoices are open",
            "payments.py",
            {"payments_tab": "Customer credit"},
            "Use the credit",
            Permission.PAYMENT_WRITE,
            ":material/savings:",
        ),
        Matter(
            money.UNDONE_DISCOUNTS,
            now,
            lambda count: f"{formats.counted(count, 'invoice')} whose early payment was undone, but not its discount",
            "invoices.py",
            {"invoices_tab": "open"},
            "Open invoices",
            Permission.INVOICE_WRITE,
            ":material/percent_discount:",
        ),
        Matter(
            money.REFUSED_TOP_UPS,
            now,
            lambda count: f"{formats.counted(count, 'customer')} whose prepaid credit could not be topped up",
            "customers.py",
            None,
            "Open customers",
            Permission.PAYMENT_READ,
            ":material/battery_alert:",
        ),
    ]
    listed += unsent_mails.matters(actor, now)
    listed += bounced_mails.matters(actor, now)
    if actor.may(Permission.WEBHOOK_ENDPOINT_WRITE):
        untold = Matter(
            FAILED_WEBHOOKS,
            now,
            lambda count: f"{formats.counted(count, 'webhook message')} not delivered",
            "admin/outgoing_webhooks.py",
            None,
            "Open webhooks",
            Permission.WEBHOOK_ENDPOINT_WRITE,
            ":material/webhook:",
        )
        listed.append(untold)
    return listed


def _paid_online(actor: Actor, today: Day) -> list[Matter]:
    """What the payment service told that no program may decide, and what could not be understood."""
    now = debts.scope(actor, today=today)
    listed = [
        Matter(
            online.OPEN_CASES,
            now,
            lambda count: f"{formats.counted(count, 'online payment')} to settle",
            "payments.py",
            {"payments_tab": "To settle"},
            "Settle",
            Permission.PAYMENT_READ,
            ":material/balance:",
        ),
        Matter(
            online.OPEN_DISPUTES,
            now,
            lambda count: f"{formats.counted(count, 'payment')} disputed by the customer's bank",
            "payments.py",
            {"payments_tab": "To settle"},
            "Open disputes",
            Permission.PAYMENT_READ,
            ":material/gavel:",
        ),
    ]
    if actor.may(Permission.WEBHOOK_READ):
        failed = Matter(
            online.FAILED_EVENTS,
            now,
            lambda count: f"{formats.counted(count, 'event')} of the payment service not applied",
            "admin/incoming_webhooks.py",
            None,
            "Open webhooks",
            Permission.WEBHOOK_READ,
            ":material/webhook:",
        )
        listed.append(failed)
    return listed


def _of_subscriptions(actor: Actor, today: Day) -> list[Matter]:
    """What is not billed or not paid of them, or soon will not be."""
    if not actor.may(Permission.SUBSCRIPTION_READ):
        return []
    now = debts.scope(actor, today=today)
    return [
        Matter(
            subscribers.FAILED_CHARGES,
            now,
            lambda count: f"{formats.counted(count, 'invoice')} could not be charged to a card",
            "subscriptions.py",
            {"subscriptions_tab": "past_due"},
            "Open past due",
            Permission.SUBSCRIPTION_READ,
            ":material/credit_card_off:",
            failed_charges.draw,
        ),
        Matter(
            subscribers.HELD_SUBSCRIPTIONS,
            now,
            lambda count: f"{formats.counted(count, 'subscription')} not billed until somebody decides",
            "subscriptions.py",
            {"subscriptions_tab": "held"},
            "Decide",
            Permission.SUBSCRIPTION_WRITE,
            ":material/front_hand:",
        ),
        Matter(
            subscribers.UNANSWERED_CHANGES,
            now,
            lambda count: f"{formats.counted(count, 'subscription')} with a change whose charge is not answered",
            "subscriptions.py",
            None,
            "Open subscriptions",
            Permission.SUBSCRIPTION_READ,
            ":material/hourglass_disabled:",
        ),
        Matter(
            subscribers.EXPIRING_CARDS,
            now,
            lambda count: f"{formats.counted(count, 'subscription')} with a card about to expire",
            "subscriptions.py",
            {"subscriptions_tab": "card_expires"},
            "Ask for cards",
            Permission.PAYMENT_WRITE,
            ":material/credit_card_clock:",
        ),
    ]


def _in_the_background(actor: Actor, scope: Scope) -> list[Matter]:
    """Work that failed, and processes that died."""
    listed = [
        Matter(
            FAILED_IN_RUNS,
            scope,
            lambda count: f"{formats.counted(count, 'customer')} whom a bill run failed with",
            "reports.py",
            {"tab": "Generate"},
            "Open runs",
            Permission.REPORT_READ,
            ":material/playlist_remove:",
        ),
        Matter(
            PAUSED_RUNS,
            scope,
            lambda count: f"{formats.counted(count, 'bill run')} paused, by no person",
            "reports.py",
            {"tab": "Generate"},
            "Open runs",
            Permission.REPORT_READ,
            ":material/pause:",
        ),
    ]
    if actor.may(Permission.JOBS_MANAGE):
        listed += [
            Matter(
                FAILED_IMPORTS,
                scope,
                lambda count: f"{formats.counted(count, 'import')} failed, through no fault of the files",
                "admin/jobs.py",
                None,
                "Open jobs",
                Permission.JOBS_MANAGE,
                ":material/upload_file:",
            ),
            Matter(
                FAILED_SCHEDULES,
                scope,
                lambda count: f"{formats.counted(count, 'kind')} of scheduled work failed the last time",
                "admin/jobs.py",
                None,
                "Open jobs",
                Permission.JOBS_MANAGE,
                ":material/event_busy:",
            ),
            Matter(
                PAUSED_QUEUES,
                scope,
                lambda count: f"{formats.counted(count, 'kind')} of background work paused",
                "admin/jobs.py",
                None,
                "Open jobs",
                Permission.JOBS_MANAGE,
                ":material/pause_circle:",
            ),
            Matter(
                LOST_PROCESSES,
                scope,
                lambda count: f"{formats.count(count)} {'process' if count == 1 else 'processes'} lost",
                "admin/jobs.py",
                None,
                "Open jobs",
                Permission.JOBS_MANAGE,
                ":material/power_off:",
            ),
        ]
    return listed


def _question(kind: QuestionKind, scope: Scope) -> Matter:
    """What current reports could not bill: a price settles it, or the missing facts in another import."""
    priced = kind in (QuestionKind.NO_RATE, QuestionKind.RATE_GAP)
    return Matter(
        figures.questions_of(kind),
        scope,
        lambda count: f"{question_words(kind)}: {formats.counted(count, 'time')}",
        "rate_cards.py" if priced else "imports.py",
        None,
        "Set prices" if priced else "Import",
        Permission.RATE_WRITE if priced else Permission.IMPORT,
        ":material/help:",
    )
