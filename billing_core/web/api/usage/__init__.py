"""Usage events for programs: they come in, are taken back, and are listed where they came late."""
