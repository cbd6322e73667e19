"""The database's file is gone, or is back: said in the log once, however many jobs fail by it, and however often."""

from threading import Lock

import structlog

from billing_core import runtime
from billing_core.database.files import opened_file

log = structlog.get_logger()
_lock = Lock()
_is_told = False


def explains(error: Exception) -> bool:
    """Whether work failed by it: then the log says so already."""
    global _is_told
    if not (reason := opened_file.reason_of(error)):
        return False
    with _lock:
        if not _is_told:
            log.error("database_file_is_gone", reason=reason)
        _is_told = True
    return True


def look() -> None:
    """Say that it is back, if it is; called where work succeeded, as what only reads does meanwhile, too."""
    global _is_told
    if not _is_told or opened_file.problem(runtime.sessions().engine):
        return
    with _lock:
        if _is_told:
            log.info("database_file_is_back")
        _is_told = False
