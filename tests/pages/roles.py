"""Which roles a page is tried with, on which database."""

import pytest

# A role decides what is offered, a database how it is asked: so all roles on one, and one of them on the other.
EVERY_ROLE = pytest.mark.parametrize(
    ("database_url", "role"),
    [("sqlite", "finance"), ("sqlite", "manager"), ("sqlite", "admin"), ("postgresql", "admin")],
    indirect=["database_url"],
)
OTHER_ROLES = pytest.mark.parametrize(
    ("database_url", "role"), [("sqlite", "finance"), ("sqlite", "manager")], indirect=["database_url"]
)
