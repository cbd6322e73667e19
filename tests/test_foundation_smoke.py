from sqlalchemy import select

from billing_core.businesses.models import Business


def test_x(session):
    assert session.scalars(select(Business.currency)).all() == ["USD"]
