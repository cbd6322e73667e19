"""The parts of the page about rate cards."""
