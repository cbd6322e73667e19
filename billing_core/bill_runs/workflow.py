"""The next customer of a chunk: a transaction, and where invoices get links the call to the gateway and another one.

Whatever fails for one customer is noted with that customer, and the others go on. Only a database that does not answer
is passed on to the caller: nothing could be noted in it, and nothing is wrong with the customer.
"""

import secrets
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import exc, select

from billing_core.bill_runs import planning, sending, steps, taking
from billing_core.bill_runs.models import RunOutcome
from billing_core.bill_runs.taking import Taken, Terms
from billing_core.database import Sessions
from billing_core.errors import BillingError, Conflict
from billing_core.invoices.payment_links import LinkState, PaymentLink
from billing_core.online_payments.gateway import Gateway
from billing_core.online_payments.links import workflow as links

log = structlog.get_logger()

# The database does not answer, or has no time now.
AWAY = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)


def bill_next(
    sessions: Sessions,
    gateway: Callable[[], Gateway],
    terms: Terms,
    chunk: int,
    *,
    now: datetime,
    give_up: bool = False,
) -> bool:
    """Bill the next customer of the chunk, or all of them where that can be done; False where none waits.

    ``give_up``: what was passed on before is noted as this customer's failure now.
    """
    if (
        not give_up
        and planning.go_together(terms.source, terms.goal)
        and _bill_together(sessions, terms, chunk, now=now)
    ):
        return True
    began = time.monotonic()
    taken: Taken | None = None

    def spent() -> dict[str, Any]:
        return {"finished_at": now, "milliseconds": int((time.monotonic() - began) * 1000)}

    try:
        with sessions.begin() as session:
            taken = taking.take(session, terms, chunk)
            if taken is None:
                return False
            facts = steps.bill(session, terms, taken, now=now)
            settled = facts["outcome"] is not RunOutcome.WAITING
            taking.mark(session, terms, taken.customer_id, facts | (spent() if settled else {}))
        if not settled:
            for invoice_id in sending.invoice_ids(facts):
                _ask_for_link(sessions, gateway(), terms, invoice_id, now=now)
            with sessions.begin() as session:
                again = taking.take_again(session, terms, taken.customer_id)
                if again is not None:
                    facts = steps.mail(session, terms, again, now=now)
                    taking.mark(session, terms, taken.customer_id, facts | spent())
    except BillingError as refusal:
        reason = str(refusal)
    except Exception as error:  # the edge of the customer: a bug with one must not stop the others
        if taken is None or (isinstance(error, AWAY) and not give_up):
            raise
        reference = secrets.token_hex(4)
        log.exception("bill_run_failed", run_id=terms.run_id, customer_id=taken.customer_id, reference=reference)
        reason = f"Something went wrong on our side. Reference {reference}"
    else:
        return True
    assert taken is not None  # noqa: S101  # taking refuses nothing
    with sessions.begin() as session:
        failed = {"outcome": RunOutcome.FAILED, "reason": reason[:500]} | spent()
        taking.mark(session, terms, taken.customer_id, failed)
    return True


def _bill_together(sessions: Sessions, terms: Terms, chunk: int, *, now: datetime) -> bool:
    """Bill all who wait in the chunk in one transaction. False where that is not to be done, or fails for one of them:
    then each is billed by itself, which shows for whom.
    """
    began = time.monotonic()
    try:
        with sessions.begin() as session:
            taken = taking.take_all(session, terms, chunk)
            if len(taken) < 2 or any(one.invoice_id is not None for one in taken):
                return False
            made = steps.bill_together(session, terms, taken, now=now)
            each = {"finished_at": now, "milliseconds": int((time.monotonic() - began) * 1000) // len(taken)}
            taking.mark_all(session, terms, {customer_id: facts | each for customer_id, facts in made.items()})
    except AWAY:
        raise
    except BillingError:
        return False
    except Exception:  # a bug may be in this way of billing alone: then nobody would hear of it
        log.exception("chunk_not_billed_together", run_id=terms.run_id, chunk=chunk)
        return False
    return True


def _ask_for_link(sessions: Sessions, gateway: Gateway, terms: Terms, invoice_id: int, *, now: datetime) -> None:
    """Create the link, with which the draft is sent, unless there is one: an earlier try made it, or somebody else."""
    if _linked(sessions, invoice_id):
        return
    try:
        links.create(sessions, terms.actor, gateway, invoice_id, now=now)
    except Conflict:
        if not _linked(sessions, invoice_id):
            raise


def _linked(sessions: Sessions, invoice_id: int) -> bool:
    usable = (LinkState.ACTIVE, LinkState.PAID)
    with sessions() as session:
        living = select(PaymentLink.id).where(PaymentLink.invoice_id == invoice_id, PaymentLink.state.in_(usable))
        return session.scalar(living.limit(1)) is not None
