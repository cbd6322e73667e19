"""Engine, sessions, column types, naming convention and migrations."""

from billing_core.database.base import Base
from billing_core.database.engine import ReadOnly, Sessions, connect, for_changes

__all__ = ["Base", "ReadOnly", "Sessions", "connect", "for_changes"]
