"""Engine, sessions, column types, naming convention and migrations."""

from billing_core.database.base import Base
from billing_core.database.engine import Sessions, connect

__all__ = ["Base", "Sessions", "connect"]
