"""Lists of subscriptions as files, also of those that would be moved, under the permissions of the session."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from billing_core.subscriptions.moving import exports as moves
from billing_core.subscriptions.moving.asked import Asked
from billing_core.subscriptions.overview import exports
from billing_core.subscriptions.overview.search import SubscriptionFilter, Tab
from billing_core.web.access import CurrentActor
from billing_core.web.downloads.named import known
from billing_core.web.downloads.parameters import ForExcel, Id, Text
from billing_core.web.requests.parameters import StrictRoute
from billing_core.web.requests.values import Day
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads", route_class=StrictRoute, dependencies=[Depends(known)])


class _Subscriptions(BaseModel):
    tab: Tab = Tab.ALL
    customer_id: Id | None = None
    plan: Text = ""
    text: Text = ""
    order_by: Text = "-created_at"
    today: Day | None = None


def _filter(query: Annotated[_Subscriptions, Query()]) -> SubscriptionFilter:
    return SubscriptionFilter(**dict(query))


@router.get("/subscriptions.csv")
def subscriptions(
    actor: CurrentActor, filters: Annotated[SubscriptionFilter, Depends(_filter)], excel: ForExcel = False
) -> StreamingResponse:
    """Subscriptions with the page's filters."""
    return streamed(lambda session: exports.subscriptions(session, actor, filters, for_excel=excel))


class _Move(BaseModel):
    plan: Text
    version: Id
    first_day: Day
    # May be repeated.
    older: tuple[Id, ...] = ()
    tells: bool = True


def _asked(query: Annotated[_Move, Query()]) -> Asked:
    return Asked(query.plan, query.version, query.first_day, query.older, query.tells)


@router.get("/plan-move.csv")
def plan_move(
    actor: CurrentActor, asked: Annotated[Asked, Depends(_asked)], excel: ForExcel = False
) -> StreamingResponse:
    """What a move to another version would come to for every subscription of the plan."""
    return streamed(lambda session: moves.rehearsed(session, actor, asked, for_excel=excel))
