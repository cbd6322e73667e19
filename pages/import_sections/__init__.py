"""The parts of the import page: the files that were dropped, what they would do, and what was imported before."""
