"""The embedded sandbox: a gateway of our own, through which no money moves."""
