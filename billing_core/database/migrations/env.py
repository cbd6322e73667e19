"""Alembic's entry, configured from code: the connection comes from ``database.migrate``."""

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator

from billing_core.database.migrate import declared


def stored_type(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """A migration names what a database stores: types of our own may change after it was written."""
    return f"sa.{item.impl!r}" if kind == "type" and isinstance(item, TypeDecorator) else False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("metadata"),
    compare_type=True,
    include_object=declared,
    render_item=stored_type,
)
with context.begin_transaction():
    context.run_migrations()
