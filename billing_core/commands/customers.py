"""``customer merge``: two customers become one, or with ``--dry-run`` what that would come to."""

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict

from billing_core import runtime
from billing_core.commands import Answer
from billing_core.customer_lifecycle import merging
from billing_core.customer_lifecycle.merging import BALANCES, Moving, Rehearsal
from billing_core.customers import queries as customers
from billing_core.dates import utc_now
from billing_core.errors import Conflict
from billing_core.identity import SYSTEM
from billing_core.money import Money


def merge(arguments: Namespace) -> Answer:
    sessions, rehearses = runtime.sessions(), arguments.dry_run
    with sessions() if rehearses else sessions.begin() as session:
        former, into = (customers.id_of(session, SYSTEM, named) for named in (arguments.customer, arguments.into))
        if former == into:
            raise Conflict(f"“{arguments.customer}” and “{arguments.into}” are one customer")
        if rehearses:
            return _answer(merging.rehearse(session, SYSTEM, former, into), done=False)
        return _answer(merging.merge(session, SYSTEM, former, into, now=utc_now()), done=True)


def _answer(rehearsed: Rehearsal, *, done: bool) -> Answer:
    return Answer(
        asdict(rehearsed) | {"merged": done},
        "\n".join(_told(rehearsed, done=done)),
        refused=bool(rehearsed.conflicts),
    )


def _told(rehearsed: Rehearsal, *, done: bool) -> Iterator[str]:
    """What each line says, the reasons against it last."""
    yield f"{'Merged' if done else 'Would merge'} {rehearsed.former} into {rehearsed.into}"
    yield f"moves: {_listed(rehearsed.moves)}"
    yield f"stays with {rehearsed.former}: {_listed(rehearsed.stays)}"
    for one in rehearsed.balances:
        words, sign = BALANCES[one.account]
        minors = (one.former_minor, one.into_minor, one.together_minor)
        former, into, together = (Money(sign * minor, one.currency) for minor in minors)
        yield f"{words.lower()}: {former} and {into}, together {together}"
    if rehearsed.sees_both:
        yield f"see both from then on: {', '.join(rehearsed.sees_both)}"
    for field, theirs, kept in rehearsed.given_up:
        yield f"{field.replace('_', ' ')}: {kept or '(empty)'} holds, not {theirs}"
    for reason in rehearsed.conflicts:
        yield f"refused: {reason}"


def _listed(rows: tuple[Moving, ...]) -> str:
    return ", ".join(f"{one.count:,} × {one.noun}" for one in rows) or "nothing"
