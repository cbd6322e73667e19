"""``worker``: the background jobs without the dashboard, beside the product or on another machine."""

import asyncio
import signal
from argparse import Namespace

from sqlalchemy import select

from billing_core import logs, runtime
from billing_core.commands import Answer
from billing_core.database import migrate
from billing_core.errors import Conflict
from billing_core.invoices.payment_links import PaymentLink
from billing_core.jobs import engine
from billing_core.online_payments import configured as online_payments_configured
from billing_core.online_payments.links.expiry import TRIALS
from billing_core.processes.models import ProcessKind
from billing_core.settings import settings
from billing_core.web.api import event_payloads, exact_json


def work(_arguments: Namespace) -> Answer:
    migrate.refuse_outdated(runtime.sessions().engine)
    _refuse_without_secret()
    _refuse_without_key()
    logs.configure()
    asyncio.run(_until_told_to_end())
    return Answer({"ended": True}, "The worker has ended")


def _refuse_without_secret() -> None:
    """With a secret of its own, its signatures would not verify as ours."""
    configured = settings()
    if configured.secret_key is None and not (configured.data_dir / "secret_key").exists():
        raise Conflict("There is no secret: set BILLING_SECRET_KEY as the product has it, or share its data folder")
    configured.signing_key()


def _refuse_without_key() -> None:
    """In another mode than the product's, it would set aside the events about payments."""
    ours = online_payments_configured.mode(settings())
    with runtime.sessions()() as session:
        newest = session.scalar(select(PaymentLink.mode).order_by(PaymentLink.id.desc()).limit(1))
    if newest not in (None, ours, *TRIALS[ours]):
        raise Conflict(
            f"The newest payment link was created in {newest} mode, and this worker would collect in {ours} mode: "
            "set STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET as the product has them"
        )


async def _until_told_to_end() -> None:
    told_to_end = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, told_to_end.set)
    async with engine.lifespan(event_payloads.rendered, exact_json.encode, kind=ProcessKind.WORKER):
        print("\n  A worker runs. End it with Ctrl-C.\n", flush=True)  # noqa: T201  # the person at the terminal
        await told_to_end.wait()
