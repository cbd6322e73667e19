"""The process that this code runs in, while it takes up work."""

_registered: str | None = None


def process_id() -> str | None:
    """As in the table of processes; None where no jobs run."""
    return _registered


def become(process_id: str | None) -> None:
    """Say under which id this process is registered from now on."""
    global _registered
    _registered = process_id
