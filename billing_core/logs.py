"""One line an event, as ``key=value``. Nothing personal, no secret; control characters are escaped."""

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.stdlib import ProcessorFormatter


def configure() -> None:
    """Set up the process's logging: our own, and warnings of libraries without a set-up of their own."""
    known: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    written: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,
        _without_control_characters,
        structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
    ]
    structlog.configure(
        processors=[*known, *written],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    if logging.lastResort is not None:
        without_meta = ProcessorFormatter.remove_processors_meta
        logging.lastResort.setFormatter(
            ProcessorFormatter(foreign_pre_chain=known, processors=[without_meta, *written])
        )


def _without_control_characters(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A name with a line break in it must not be able to write a log line of its own."""
    return {key: _escaped(value) if isinstance(value, str) else value for key, value in event.items()}


def _escaped(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
