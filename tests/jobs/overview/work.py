"""Work of every kind in every state, in numbers that no two have in common.

Everything is as at NOW, beside processes that live by the database's own clock.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from billing_core.bill_runs.models import BillRun, BillRunCustomer, RunGoal, RunOutcome
from billing_core.database.functions import database_clock
from billing_core.dates import Period
from billing_core.imports.models import FileState, ImportFile, ImportJob, JobAim
from billing_core.ledger.models import LedgerEntry, LedgerSeal, UnsealedEntry
from billing_core.online_payments.models import WebhookEvent, WebhookState
from billing_core.outbox.models import MessageState, OutboxMessage
from billing_core.outgoing_webhooks.models import WebhookEndpoint
from billing_core.processes import service as processes
from billing_core.processes.models import Process, ProcessKind
from tests.reports.company import MARCH, a_customer

NOW = datetime(2026, 4, 2, 9, 0, tzinfo=UTC)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def a_process(session: Session, process_id: str, *, silent_for: float = 0, kind: ProcessKind = ProcessKind.APP) -> str:
    """One that was last heard of so many seconds ago."""
    processes.register(session, process_id, kind, host="billing-1", pid=17, version="0.1.0")
    heard = database_clock(seconds=-silent_for)
    session.execute(update(Process).where(Process.id == process_id).values(last_heard_at=heard))
    return process_id


def a_living_process(session: Session, process_id: str, *, kind: ProcessKind = ProcessKind.APP) -> str:
    """One that is also alive when a busy machine looks late."""
    return a_process(session, process_id, silent_for=-600, kind=kind)


def a_lost_process(session: Session, process_id: str, **in_hand: int) -> str:
    a_process(session, process_id, silent_for=20)
    assert processes.lose(session, [process_id]) == [process_id]
    had = {name.replace("_", " "): count for name, count in in_hand.items()}
    session.execute(update(Process).where(Process.id == process_id).values(in_hand=had))
    return process_id


def messages(session: Session, channel: str, number: int, **facts) -> None:
    """So many messages, due since five minutes ago unless the facts say otherwise."""
    rows = []
    for place in range(number):
        named = {"key": f"{channel}-{len(facts)}-{sorted(map(str, facts.values()))}-{place}"[:120], "title": "A title"}
        row = {"channel": channel, "topic": "invoice", "recipient": "ap@example.com", "content": {}}
        row |= {"subject_kind": "invoice", "subject_id": "1", "state": MessageState.WAITING, "attempts": 0}
        row |= {"not_before": ago(minutes=5), "created_at": ago(hours=2), "created_by": "Ada", **named, **facts}
        rows.append(row)
    session.execute(insert(OutboxMessage), rows)


def an_endpoint(session: Session, *, active: bool = True) -> str:
    endpoint = WebhookEndpoint(
        url="https://example.com/hooks", events=[], description="", active=active, created_at=NOW, created_by="Ada"
    )
    session.add(endpoint)
    session.flush()
    return str(endpoint.id)


def events(session: Session, number: int, **facts) -> None:
    for _ in range(number):
        session.add(
            WebhookEvent(
                **{
                    "event_id": f"evt_{session.query(WebhookEvent).count()}",
                    "type": "charge.succeeded",
                    "livemode": False,
                    "created_at": ago(hours=2),
                    "received_at": ago(hours=2),
                    "payload": "{}",
                    "not_before": ago(minutes=3),
                    **facts,
                }
            )
        )
        session.flush()


def handled(session: Session, number: int, at: datetime, state: WebhookState = WebhookState.HANDLED) -> None:
    events(session, number, state=state, handled_at=at)


def customers(session: Session, number: int) -> list[int]:
    known = session.query(BillRunCustomer.customer_id).count()
    return [a_customer(session, f"C{known}-{place}", priced=False) for place in range(number)]


def a_run(
    session: Session, *, period: Period = MARCH, goal: RunGoal = RunGoal.REPORTS, at: datetime = NOW, **facts
) -> int:
    run = BillRun(goal=goal, period_start=period.start, period_end=period.end, created_at=at, created_by="Ada", **facts)
    session.add(run)
    session.flush()
    return run.id


def of_run(session: Session, run_id: int, customer_ids: list[int], outcome: RunOutcome, **facts) -> None:
    rows = [{"run_id": run_id, "customer_id": one, "outcome": outcome, "reason": "", **facts} for one in customer_ids]
    session.execute(insert(BillRunCustomer), rows)


def an_import(session: Session, *, at: datetime = NOW, state: FileState = FileState.WAITING, **facts) -> int:
    job = ImportJob(aim=JobAim.IMPORT, requested_at=at, requested_by="Ada", **facts)
    session.add(job)
    session.flush()
    token = f"token-{job.id}"
    session.add(ImportFile(token=token, file_name="orders.csv", received_at=at, state=state, job_id=job.id))
    session.flush()
    return job.id


def entries(session: Session, customer_id: int, *sealed_at: datetime | None, at: datetime) -> None:
    """Ledger entries, each sealed then, or not at all."""
    for sealed in sealed_at:
        entry = LedgerEntry(
            business_id=1,
            customer_id=customer_id,
            currency="USD",
            kind="invoice",
            document="invoice:1",
            effective_on=at.date(),
            recorded_at=at,
            recorded_by="Ada",
        )
        session.add(entry)
        session.flush()
        if sealed is None:
            session.add(UnsealedEntry(entry_id=entry.id))
        else:
            number = session.query(LedgerSeal).count() + 1
            digest = f"{number:064d}"
            session.add(LedgerSeal(sequence=number, entry_id=entry.id, digest=digest, sealed_at=sealed))
        session.flush()
