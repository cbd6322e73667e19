"""One check of ``verify`` alone, of the dozens that there are."""

from sqlalchemy.orm import Session

from billing_core.commands import verify


def rooms_of_checks(session: Session) -> dict[str, int]:
    """The place of each check's room among those of ``verify``."""
    return {check.name: place for place, room in enumerate(verify.rooms(session)) for check in room}


def found_wrong(session: Session, name: str, room: int) -> tuple[str, ...]:
    """What this check says now. Those of other rooms are not made."""
    return next(check.wrong for check in verify.rooms(session)[room] if check.name == name)
