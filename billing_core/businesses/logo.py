"""The logo on a business's documents."""

import hashlib
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing_core.audit import service as audit
from billing_core.businesses.models import Business, BusinessLogo
from billing_core.errors import Invalid, NotFound
from billing_core.identity import Actor, Permission

LARGEST = 1_000_000
# The type is read from the file itself; its name or the browser's header would only be a claim.
_BEGINNINGS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def of(session: Session, business_id: int) -> BusinessLogo | None:
    return session.scalars(select(BusinessLogo).where(BusinessLogo.business_id == business_id)).one_or_none()


def change(session: Session, actor: Actor, business_id: int, *, content: bytes | None, now: datetime) -> None:
    """Set the logo of the business's documents; None: no logo. Invalid where it is not a PNG or JPEG."""
    actor.require(Permission.BUSINESS_WRITE)
    business = session.get(Business, business_id, with_for_update={"key_share": True})
    if business is None:
        raise NotFound(f"There is no business {business_id}")
    stored = of(session, business_id)
    before = stored.checksum if stored else None
    if content is None:
        if stored is None:
            return
        session.delete(stored)
        after = None
    else:
        media_type = _media_type(content)
        after = hashlib.sha256(content).hexdigest()
        if after == before:
            return
        if stored is None:
            stored = BusinessLogo(business_id=business_id)
            session.add(stored)
        stored.media_type, stored.content, stored.checksum = media_type, content, after
    audit.record(
        session,
        actor,
        "business.change_logo",
        ("business", business_id),
        label=business.name,
        before={"checksum": before},
        after={"checksum": after},
        now=now,
    )


def _media_type(content: bytes) -> str:
    if len(content) > LARGEST:
        raise Invalid("The logo is too large", fields={"logo": f"may have at most {LARGEST // 1000} kB"})
    for beginning, media_type in _BEGINNINGS.items():
        if content.startswith(beginning):
            return media_type
    raise Invalid("The logo is not a picture that can be printed", fields={"logo": "must be a PNG or a JPEG"})
