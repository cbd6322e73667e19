"""Durable background work: it resumes after a restart, wherever it stopped."""
