"""``key create``: a key with which a program uses the HTTP APIs."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from datetime import date

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.customers import queries as customers
from billing_core.dates import utc_now
from billing_core.errors import Invalid, NotFound
from billing_core.identity import SYSTEM, Role
from billing_core.identity.api_keys import KeyMode
from billing_core.people import keys


def register(subcommands: "_SubParsersAction[ArgumentParser]") -> None:
    key = subcommands.add_parser("key", help="keys with which programs use the HTTP APIs")
    verbs = key.add_subparsers(dest="verb", required=True, metavar="VERB")
    create = verbs.add_parser("create", help="make a key; prints it, once")
    create.add_argument("--name", required=True, metavar="N", help="what it is for")
    create.add_argument("--role", required=True, choices=[role.value for role in Role])
    create.add_argument("--customer", metavar="C", help="the only customer it may see: ref or integer id")
    create.add_argument("--expires", type=_day, metavar="D", help="its last day (UTC), YYYY-MM-DD")
    create.add_argument("--test", action="store_true", help="a test key: it ends where Stripe collects real money")
    create.set_defaults(run=_create)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"“{text}” is not a day such as 2027-12-31") from None


def _create(arguments: Namespace) -> Answer:
    role = Role(arguments.role)
    with runtime.sessions().begin() as session:
        customer_id = None
        if arguments.customer is not None:
            try:
                customer_id = customers.id_of(session, SYSTEM, arguments.customer)
            except NotFound:
                raise Invalid(f"Customer with ID {arguments.customer} not found") from None
        made = keys.make(
            session,
            SYSTEM,
            name=arguments.name,
            role=role,
            customer_id=customer_id,
            mode=KeyMode.TEST if arguments.test else KeyMode.LIVE,
            expires_at=keys.end_of(arguments.expires) if arguments.expires else None,
            now=utc_now(),
        )
    data = {
        "id": made.key_id,
        "name": made.name,
        "role": role.value,
        "customer_id": customer_id,
        "public_key": made.public_key,
        "key": made.secret_key,
        "pair": made.pair,
    }
    text = (
        f"{made.name} acts as {role}. Send “Authorization: Bearer” with this key; it is not shown again.\n"
        f"As a pair: {made.pair}\n{made.secret_key}"
    )
    return Answer(data, text)
