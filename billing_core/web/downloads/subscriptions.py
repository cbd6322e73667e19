"""The list of subscriptions as a file, streamed under the permissions of the signed-in session."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from billing_core.subscriptions.overview import exports
from billing_core.subscriptions.overview.search import SubscriptionFilter, Tab
from billing_core.web.access import CurrentActor
from billing_core.web.downloads.parameters import ForExcel, Id, Text
from billing_core.web.streaming import streamed

router = APIRouter(prefix="/downloads")


class _Subscriptions(BaseModel):
    tab: Tab = Tab.ALL
    customer_id: Id | None = None
    plan: Text = ""
    text: Text = ""
    order_by: Text = "-created_at"


def _filter(query: Annotated[_Subscriptions, Query()]) -> SubscriptionFilter:
    return SubscriptionFilter(**dict(query))


@router.get("/subscriptions.csv")
def subscriptions(
    actor: CurrentActor, filters: Annotated[SubscriptionFilter, Depends(_filter)], excel: ForExcel = False
) -> StreamingResponse:
    """Subscriptions with the page's filters."""
    return streamed(lambda session: exports.subscriptions(session, actor, filters, for_excel=excel))
