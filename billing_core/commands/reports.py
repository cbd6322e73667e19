"""``report generate`` for one customer, as a file or on stdout; ``report run`` for all of them."""

from argparse import Namespace

from sqlalchemy.orm import Session

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.customers import queries as customers
from billing_core.dates import Period, utc_now
from billing_core.errors import Invalid, NotFound
from billing_core.identity.permissions import SYSTEM
from billing_core.reports import queries, service
from billing_core.reports.exports import files
from billing_core.reports.exports.formats import Format

_TEXT = {Format.JSON, Format.CSV}


def generate(arguments: Namespace) -> Answer:
    output_format = Format(arguments.output_format)
    if output_format not in _TEXT and arguments.output is None:
        raise Invalid(f"A {output_format} file does not fit on the screen: name a file with -o")
    period = Period(arguments.start, arguments.end)
    sessions = runtime.sessions()
    with sessions.begin() as session:
        made = service.generate(
            session,
            SYSTEM,
            customer_id=_customer(session, arguments.customer),
            period=period,
            now=utc_now(),
            output_format=output_format,
        )
    with sessions() as session:
        written = files.chunks(session, SYSTEM, made.report_id, output_format)
        if arguments.output is None:
            text = b"".join(written).decode()
            return Answer({"id": made.report_id, "csv": text}, text, text_is_json=output_format is Format.JSON)
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
