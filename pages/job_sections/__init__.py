"""The parts of the jobs page."""
