"""``usage show``: what a customer used in a period, and what it costs, as the analytics API says it; ``usage export``:
its events.
"""

from argparse import Namespace

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.customers import queries as customers
from billing_core.database.engine import read_at_one_moment
from billing_core.dates import Period, utc_now
from billing_core.errors import Invalid
from billing_core.identity import SYSTEM
from billing_core.usage import document, organizations
from billing_core.usage import statement as statements
from billing_core.usage.exports import events as exports
from billing_core.usage.windows import Window


def show(arguments: Namespace) -> Answer:
    window = Window.of_days(Period(arguments.start, arguments.end))
    with runtime.sessions()() as session:
        read_at_one_moment(session)
        customer_id = customers.id_of(session, SYSTEM, arguments.customer)
        organization = organizations.of_customer(session, SYSTEM, customer_id, day=window.days.end)
        stated = document.invoice(statements.statement(session, SYSTEM, organization, window, now=utc_now()))
    return Answer(stated, document.as_json(stated), text_is_json=True)


def export(arguments: Namespace) -> Answer:
    with runtime.sessions()() as session:
        read_at_one_moment(session)
        customer_id = customers.id_of(session, SYSTEM, arguments.customer)
        written = exports.events(session, SYSTEM, customer_id, Period(arguments.start, arguments.end))
        try:
            with arguments.output.open("wb") as file:
                file.writelines(written.chunks)
        except OSError as error:
            raise Invalid(f"{arguments.output} cannot be written: {error.strerror}") from None
    size = arguments.output.stat().st_size
    return Answer({"file": str(arguments.output), "bytes": size}, f"The events are in {arguments.output}")
