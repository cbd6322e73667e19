"""Our businesses by name, for pages that ask which one is meant."""

from sqlalchemy.orm import Session

from billing_core.businesses import queries as businesses
from pages.ui.inputs import filters
from pages.ui.reads import Reader


def by_id(read: Reader) -> dict[int, str]:
    """All of them, those that are no longer used too; two of the same name are told apart."""
    return filters.distinct(read.plain(_names))


def _names(session: Session) -> list[tuple[int, str]]:
    return [(business.id, business.name) for business in businesses.every(session)]
