"""Reads of saved views."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.database.ordering import natural
from billing_core.identity import Actor
from billing_core.views.models import SavedView


@dataclass(frozen=True, slots=True)
class View:
    id: int
    name: str
    query: str


def of_page(session: Session, actor: Actor, page: str, *, limit: int = 100) -> list[View]:
    """The actor's own views of a page, by name."""
    statement = (
        select(SavedView.id, SavedView.name, SavedView.query)
        .where(SavedView.user_id == actor.user_id, SavedView.page == page)
        .order_by(natural(SavedView.name), SavedView.id)
        .limit(limit)
    )
    return [View(*row) for row in session.execute(statement)]
