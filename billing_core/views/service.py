"""Saving and removing views. Each person has their own."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.errors import Forbidden, Invalid, NotFound
from billing_core.identity import Actor, Permission
from billing_core.views.models import SavedView

LONGEST_NAME = 80
LONGEST_QUERY = 2000


def save(session: Session, actor: Actor, page: str, *, name: str, query: str, now: datetime) -> SavedView:
    """Save the filters under a name; the same name again replaces them."""
    actor.require(Permission.REPORT_READ)
    if actor.user_id is None:
        raise Forbidden("only a signed-in person has saved views")
    name = name.strip()
    if not name or len(name) > LONGEST_NAME:
        raise Invalid(
            f"A view needs a name of at most {LONGEST_NAME} characters", fields={"name": "is empty or too long"}
        )
    if len(query) > LONGEST_QUERY:
        raise Invalid("These filters are too many to be saved as a view; narrow the choice of customers")
    view = session.scalars(
        select(SavedView).where(SavedView.user_id == actor.user_id, SavedView.page == page, SavedView.name == name)
    ).one_or_none()
    before = {"query": view.query} if view else None
    if view is None:
        view = SavedView(user_id=actor.user_id, page=page, name=name, query=query, created_at=now)
        session.add(view)
    view.query = query
    session.flush()
    audit.record(
        session,
        actor,
        "view.save",
        ("view", view.id),
        label=f"{page}: {name}",
        before=before,
        after={"query": query},
        now=now,
    )
    return view


def remove(session: Session, actor: Actor, view_id: int, *, now: datetime) -> None:
    """Remove one of the actor's own views."""
    actor.require(Permission.REPORT_READ)
    view = session.get(SavedView, view_id)
    if view is None or view.user_id != actor.user_id:
        raise NotFound("This view does not exist any more")
    session.delete(view)
    audit.record(
        session,
        actor,
        "view.remove",
        ("view", view_id),
        label=f"{view.page}: {view.name}",
        before={"query": view.query},
        now=now,
    )
