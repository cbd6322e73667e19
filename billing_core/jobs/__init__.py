"""Durable work beside the pages: it is resumed after a restart, wherever it stopped."""

from billing_core.jobs.engine import lifespan, start, stop

__all__ = ["lifespan", "start", "stop"]
