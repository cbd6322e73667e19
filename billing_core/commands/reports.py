"""``report generate`` for one customer, as a file or on stdout; ``report run`` for all of them."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from datetime import date
from pathlib import Path

from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.customers import queries as customers
from billing_core.dates import Period, utc_now
from billing_core.errors import Invalid, NotFound
from billing_core.identity.permissions import SYSTEM
from billing_core.jobs import bill_run
from billing_core.reports import queries, service
from billing_core.reports.exports import files
from billing_core.reports.exports.files import Format
from billing_core.reports.models import RunOutcome
from billing_core.reports.runs import planning, progress

_TEXT = {Format.JSON, Format.CSV}


def register(subcommands: "_SubParsersAction[ArgumentParser]") -> None:
    report = subcommands.add_parser("report", help="make billing reports")
    verbs = report.add_subparsers(dest="verb", required=True, metavar="VERB")

    generate = verbs.add_parser("generate", help="bill one customer for a period")
    generate.add_argument("--customer", required=True, metavar="C", help="the customer's ref or integer id")
    _add_period(generate)
    formats = [one.value for one in Format]
    generate.add_argument("--format", choices=formats, default=Format.JSON.value, dest="output_format")
    generate.add_argument("-o", "--output", type=Path, metavar="FILE", help="write to this file instead of stdout")
    generate.set_defaults(run=_generate)

    run = verbs.add_parser("run", help="bill every customer who has orders in a period")
    _add_period(run)
    run.set_defaults(run=_run)


def _add_period(command: ArgumentParser) -> None:
    for name, dest, words in (("--from", "start", "first"), ("--to", "end", "last")):
        command.add_argument(name, required=True, dest=dest, type=_day, metavar="D", help=f"{words} day, YYYY-MM-DD")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"“{text}” is not a day such as 1998-04-30") from None


def _generate(arguments: Namespace) -> Answer:
    wanted = Format(arguments.output_format)
    if wanted not in _TEXT and arguments.output is None:
        raise Invalid(f"A {wanted} file does not fit on the screen: name a file with -o")
    period = Period(arguments.start, arguments.end)
    sessions = runtime.sessions()
    with sessions.begin() as session:
        made = service.generate(
            session,
            SYSTEM,
            customer_id=_customer(session, arguments.customer),
            period=period,
            now=utc_now(),
            output_format=wanted,
        )
    with sessions() as session:
        written = files.chunks(session, SYSTEM, made.report_id, wanted)
        if arguments.output is None:
            text = b"".join(written).decode()
            return Answer({"id": made.report_id, "csv": text}, text, text_is_json=wanted is Format.JSON)
        try:
            with arguments.output.open("wb") as file:
                file.writelines(written)
        except OSError as error:
            raise Invalid(f"{arguments.output} cannot be written: {error.strerror}") from None
        report = queries.one(session, SYSTEM, made.report_id)
    data = {"id": report.id, "created": made.created, "replaces": made.replaces, "file": str(arguments.output)}
    state = "New report" if made.created else "Nothing has changed: report"
    return Answer(data, f"{state} {report.id} of {report.total}, written to {arguments.output}")


def _customer(session: Session, ref_or_id: str) -> int:
    try:
        return customers.id_of(session, SYSTEM, ref_or_id)
    except NotFound:
        raise Invalid(f"Customer with ID {ref_or_id} not found") from None


def _run(arguments: Namespace) -> Answer:
    sessions = runtime.sessions()
    with sessions.begin() as session:
        period = Period(arguments.start, arguments.end)
        run_id = planning.plan(session, SYSTEM, customer_ids=None, period=period, now=utc_now())
    bill_run.run_here(run_id)
    with sessions() as session:
        done = progress.progress(session, SYSTEM, run_id)
        failed = progress.items(session, SYSTEM, run_id, outcome=RunOutcome.FAILED, limit=done.total)
        unpriced = progress.without_rates(session, SYSTEM, run_id, limit=done.total)
    data = {
        "run": run_id,
        "customers": done.total,
        "created": done.created,
        "unchanged": done.unchanged,
        "without_rates": unpriced,
        "failed": [{"customer_id": row.customer_id, "reason": row.reason} for row in failed],
    }
    lines = [
        f"{done.total} customers: {done.created} reports made, {done.unchanged} unchanged, {done.failed} failed",
        *(f"  {row.customer_name}: {row.reason}" for row in failed),
    ]
    if unpriced:
        lines.append(f"{len(unpriced)} without any rate for their orders, billed 0: {', '.join(unpriced)}")
    return Answer(data, "\n".join(lines), refused=bool(failed))
