"""``import …`` and ``imports …``: files of one kind, those of which it is found out what they hold, past imports."""
