"""What a session has read before, and need not read again."""

from collections.abc import Iterable
from typing import TypeVar

from sqlalchemy import inspect
from sqlalchemy.orm import Session

Entity = TypeVar("Entity")


def known(session: Session, entity: type[Entity], ids: Iterable[int]) -> dict[int, Entity]:
    """Those with these ids that the session holds as they were read, by id."""
    held = {one: session.identity_map.get(session.identity_key(entity, one)) for one in ids}
    return {one: found for one, found in held.items() if found is not None and not inspect(found).expired}
