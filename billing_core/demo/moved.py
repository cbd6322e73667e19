"""The demo company's second version of its portal, which costs more, and the move of its subscribers to it: they were
told, some have begun with it since, and one stays where it was.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from billing_core.database import Sessions
from billing_core.dates import start_of_day
from billing_core.demo.billing import Books
from billing_core.demo.link_story import MORNING
from billing_core.identity import Actor
from billing_core.plans import service as plans
from billing_core.plans.terms import Amounts, Terms
from billing_core.subscriptions import clock
from billing_core.subscriptions.changes import changing
from billing_core.subscriptions.models import ChangeState
from billing_core.subscriptions.moving import listing, rehearsing, service
from billing_core.subscriptions.moving.asked import Asked

_NOTICE_DAYS: Final = 30
# Of those who are billed each month, some have had a period since the notice ended, and others have not.
_ASKED, _STAYS = timedelta(days=42), timedelta(days=30)
_MOST: Final = 100


def acts(
    sessions: Sessions, actor: Actor, books: Books, plan: str, agreed: Terms
) -> Iterator[tuple[datetime, Callable[[], None]]]:
    """What happens, and when. ``agreed``: the first version's terms."""
    asked_at, stays_at = (start_of_day(books.zone, books.today - ago) + MORNING for ago in (_ASKED, _STAYS))
    dearer = replace(
        agreed, price=Decimal(54), seat_price=Decimal(10), further={"USD": Amounts(Decimal(60), Decimal(11))}
    )
    yield asked_at, partial(_move, sessions, actor, plan, dearer, asked_at)
    yield stays_at, partial(_let_one_stay, sessions, actor, plan, stays_at)


def _move(sessions: Sessions, actor: Actor, plan: str, dearer: Terms, now: datetime) -> None:
    today = now.date()
    with sessions.begin() as session:
        version = plans.add_version(session, actor, plan, dearer, now=now)
        asked = Asked(plan, version.number, today + timedelta(days=_NOTICE_DAYS))
        shown = rehearsing.rehearse(session, actor, asked, today=today, notice_days=_NOTICE_DAYS)
        if shown.moved:
            service.move(session, actor, asked, shown.token, today=today, notice_days=_NOTICE_DAYS, now=now)
    clock.remind(sessions, actor, now=now)


def _let_one_stay(sessions: Sessions, actor: Actor, plan: str, now: datetime) -> None:
    """Who signed up first of them: the customer has asked for it."""
    with sessions.begin() as session:
        made = listing.moves(session, actor, plan, limit=1)
        rows = listing.page(session, actor, made[0].id, limit=_MOST) if made else []
        waiting = [row for row in rows if row.state is ChangeState.SCHEDULED]
        # Of one alone there would be no move left.
        if len(waiting) > 1:
            changing.withdraw(session, actor, waiting[0].public_id, waiting[0].change_id, now=now)
    clock.remind(sessions, actor, now=now)
