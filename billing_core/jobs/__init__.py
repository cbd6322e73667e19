"""Durable work beside the pages: it is resumed after a restart, wherever it stopped."""
