"""``report run``: a bill run, worked on here beside whoever else works on it."""

import os
import secrets
import signal
import socket
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from billing_core import VERSION, runtime
from billing_core.bill_runs import legal_content, planning, progress, rehearsal
from billing_core.bill_runs.models import BillRunCustomer, RunGoal, RunOutcome
from billing_core.bill_runs.overlapping import Overlapping
from billing_core.bill_runs.progress import Progress
from billing_core.bill_runs.rehearsal import Change
from billing_core.businesses import queries as businesses
from billing_core.commands import Answer
from billing_core.commands.reports import warn_of_outdated
from billing_core.customers import queries as customers
from billing_core.dates import Period, utc_now
from billing_core.errors import Conflict, Invalid, NotFound
from billing_core.identity import SYSTEM
from billing_core.invoices.legal_content.missing import in_words
from billing_core.jobs import bill_run_work, nudges
from billing_core.money import Money
from billing_core.processes import current, pausing
from billing_core.processes import service as processes
from billing_core.processes.models import ProcessKind, Queue
from billing_core.processes.queries import BEAT_SECONDS
from billing_core.settings import settings

_TELL_SECONDS: Final = 2
# While others have in hand what is left.
_LOOK_SECONDS: Final = 0.5


def run(arguments: Namespace) -> Answer:
    run_id = _planned(arguments)
    nudges.tell(Queue.BILL_RUNS)
    with _told_to_end() as ending, _registered(), _telling(run_id, quiet=arguments.json):
        _work(run_id, ending)
    return _answer(run_id)


def _planned(arguments: Namespace) -> int:
    """The run, or the unfinished one that is the same."""
    sessions = runtime.sessions()
    try:
        with sessions.begin() as session:
            if Queue.BILL_RUNS in pausing.paused(session):
                raise Conflict("Bill runs are paused: resume them first")
            chosen = [_customer(session, ref_or_id) for ref_or_id in arguments.customer]
            return planning.plan(
                session,
                SYSTEM,
                customer_ids=chosen or None,
                period=Period(arguments.start, arguments.end),
                goal=RunGoal(arguments.goal),
                with_links=arguments.links,
                tax_rate=arguments.tax_rate,
                now=utc_now(),
            )
    except Overlapping as overlapping:
        if overlapping.run_id is None or not overlapping.is_same:
            raise
        if not arguments.json:
            _say(f"Run {overlapping.run_id} is the same and not finished: joining it")
        return overlapping.run_id


def _work(run_id: int, ending: Callable[[], bool]) -> None:
    """Until the run is finished, or somebody pauses or stops it. KeyboardInterrupt once it is to end."""
    while True:
        helped = bill_run_work.help_with(run_id, ending)
        if ending():
            raise KeyboardInterrupt
        done = _progress(run_id)
        if not done.running:
            return
        if not helped:
            time.sleep(_LOOK_SECONDS)
        with runtime.sessions()() as session:
            if Queue.BILL_RUNS in pausing.paused(session):
                return


@contextmanager
def _told_to_end() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM has told it to end: after the customer in its hand. Told again, it ends at once.

    A transaction that is cut off anywhere may keep its lock, and saying goodbye would wait for that.
    """
    told = threading.Event()

    def hear(_number: int, _frame: FrameType | None) -> None:
        if told.is_set():
            raise KeyboardInterrupt
        told.set()

    # One that is ignored, as in a shell's background, stays so.
    heard = [each for each in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(each) is not signal.SIG_IGN]
    former = {each: signal.signal(each, hear) for each in heard}
    try:
        yield told.is_set
    finally:
        for each, handler in former.items():
            signal.signal(each, handler)


@contextmanager
def _registered() -> Iterator[None]:
    """This process says that it lives, so that others leave it what it has in hand, and free it when it dies."""
    sessions = runtime.sessions()
    ending = threading.Event()

    def register() -> None:
        process_id = f"{ProcessKind.COMMAND.value}-{secrets.token_hex(8)}"
        with sessions.begin() as session:
            host, pid = socket.gethostname(), os.getpid()
            processes.register(session, process_id, ProcessKind.COMMAND, host=host, pid=pid, version=VERSION)
        current.become(process_id)

    def beat() -> None:
        while not ending.wait(BEAT_SECONDS):
            try:
                with sessions.begin() as session:
                    lives = processes.beat(session, current.process_id() or "")
                if not lives:
                    register()
            except SQLAlchemyError:
                # The work tells what is wrong with the database, or waits for it.
                continue

    register()
    beating = threading.Thread(target=beat, name="heartbeat", daemon=True)
    beating.start()
    try:
        yield
    finally:
        ending.set()
        beating.join(BEAT_SECONDS)
        # Otherwise it is missed soon.
        with suppress(SQLAlchemyError), sessions.begin() as session:
            processes.end(session, current.process_id() or "")
        current.become(None)


@contextmanager
def _telling(run_id: int, *, quiet: bool) -> Iterator[None]:
    """Tell on stderr every other second how far the run is."""
    if quiet:
        yield
        return
    ending = threading.Event()

    def tell() -> None:
        while not ending.wait(_TELL_SECONDS):
            try:
                _say(_line(_progress(run_id)))
            except SQLAlchemyError:
                continue

    telling = threading.Thread(target=tell, name="progress", daemon=True)
    telling.start()
    try:
        yield
    except KeyboardInterrupt:
        _say(f"Run {run_id} goes on where jobs run; the same command works on it again.")
        raise
    finally:
        ending.set()
        telling.join(_TELL_SECONDS)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _progress(run_id: int) -> Progress:
    with runtime.sessions()() as session:
        return progress.progress(session, SYSTEM, run_id, now=utc_now())


def _line(run: Progress) -> str:
    said = f"{run.done:,} of {run.total:,} customers"
    if run.failed:
        said += f", {run.failed:,} failed"
    if run.running and run.per_minute:
        said += f", {run.per_minute:,.0f} a minute"
    if run.seconds_left is not None:
        left = run.seconds_left
        said += f", about {left} s left" if left < 90 else f", about {-(-left // 60):,} min left"
    return said


def _answer(run_id: int) -> Answer:
    sessions = runtime.sessions()
    with sessions() as session:
        done = progress.progress(session, SYSTEM, run_id, now=utc_now())
        failed = progress.items(session, SYSTEM, run_id, outcome=RunOutcome.FAILED, limit=done.total)
        unpriced = progress.without_rates(session, SYSTEM, run_id, limit=done.total)
        of_run = select(BillRunCustomer.customer_id).where(BillRunCustomer.run_id == run_id)
        changed = warn_of_outdated(session, of_run)
    data: dict[str, Any] = {
        "run": run_id,
        "goal": done.goal.value,
        "customers": done.total,
        "created": done.created,
        "unchanged": done.unchanged,
        "drafts": done.drafts,
        "sent": done.sent,
        "invoiced_minor": done.invoiced,
        "not_done": done.waiting,
        "without_rates": unpriced,
        "outdated": changed,
        "failed": [{"customer_id": row.customer_id, "reason": row.reason} for row in failed],
    }
    lines = [
        f"{done.total} customers: {done.created} new reports, {done.unchanged} unchanged, {done.failed} failed",
        *(f"  {row.customer_name}: {row.reason}" for row in failed),
    ]
    if done.drafts:
        sums = " and ".join(str(Money(minor, currency)) for currency, minor in done.invoiced.items())
        kept = ", their mails kept: no mail server is set up" if done.sent and not settings().sends_mails else ""
        lines.append(f"{done.drafts} invoices of {sums}, {done.sent} of them sent{kept}")
    if unpriced:
        lines.append(f"{len(unpriced)} without any rate for their orders, billed 0: {', '.join(unpriced)}")
    if done.goal is RunGoal.REHEARSAL:
        data["changes"], told = _changes(run_id, done.total)
        lines += told
    if done.goal in (RunGoal.REHEARSAL, RunGoal.SENT):
        data["lacking"], told = _lacking(run_id)
        lines += told
    if done.waiting:
        lines.append(f"{done.waiting} not done: run {run_id} was paused or stopped")
    return Answer(data, "\n".join(lines), refused=bool(failed) or bool(done.waiting))


def _changes(run_id: int, customer_count: int) -> tuple[list[dict[str, Any]], list[str]]:
    """What a rehearsal found against the period before, as data and in words; who stays the same is left out."""
    with runtime.sessions()() as session:
        counts = rehearsal.counts(session, SYSTEM, run_id, now=utc_now())
        limit = customer_count + counts.get(Change.MISSING, 0)
        rows = rehearsal.page(session, SYSTEM, run_id, limit=limit, now=utc_now())
    changed = [row for row in rows if row.change is not Change.SAME]
    data = [
        {
            "customer_id": row.customer_id,
            "change": row.change.value,
            "currency": row.currency or row.previous_currency,
            "total_minor": row.total_minor,
            "previous_total_minor": row.previous_total_minor,
            "difference_minor": row.difference_minor,
        }
        for row in changed
    ]
    lines = ["Nothing was made. Against the period before:"]
    for row in changed:
        now = "–" if row.currency is None else str(Money(row.total_minor or 0, row.currency))
        before = "–"
        if row.previous_currency is not None:
            before = str(Money(row.previous_total_minor or 0, row.previous_currency))
        lines.append(f"  {row.customer_name}: {row.change.value}, {before} before, {now} now")
    lines.append(f"  {counts.get(Change.SAME, 0)} the same")
    return data, lines


def _lacking(run_id: int) -> tuple[list[dict[str, Any]], list[str]]:
    """What the law of our country wants on the invoices of a run and they lack, as data and in words: of our details
    by the business, of customers' by the customer.
    """
    with runtime.sessions()() as session:
        found = legal_content.of_run(session, SYSTEM, run_id)
        ours = businesses.names(session)
    of_each = [(ours[key], lacks) for key, lacks in found.ours.items()]
    of_each += [(found.names[key], lacks) for key, lacks in found.of_customers.items()]
    data = [{"name": name, "lacks": [one.particular.value for one in lacks]} for name, lacks in of_each]
    told = [f"  {name}: {in_words(lacks)}" for name, lacks in of_each]
    return data, ["Large invoices lack by law or usage:", *told] if told else []


def _customer(session: Session, ref_or_id: str) -> int:
    try:
        return customers.id_of(session, SYSTEM, ref_or_id)
    except NotFound:
        raise Invalid(f"Customer with ID {ref_or_id} not found") from None
