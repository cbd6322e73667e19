"""What the running process shares: its sessions. Edges get them here; business code is passed what it needs."""

from functools import cache

from billing_core.database import Sessions, connect
from billing_core.settings import settings


@cache
def sessions() -> Sessions:
    """The process's database. Tests replace this function and nothing else."""
    configured = settings()
    if not configured.database_url:
        configured.usable_data_dir()
    return Sessions(connect(configured.sqlalchemy_url))
