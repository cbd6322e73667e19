"""What the running process shares: its sessions. Edges ask here; business code is handed what it needs."""

from functools import cache

from billing_core.database import Sessions, connect
from billing_core.settings import settings


@cache
def sessions() -> Sessions:
    """The process's database. Tests replace this function and nothing else."""
    return Sessions(connect(settings().sqlalchemy_url))
