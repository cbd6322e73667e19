"""Payment links: created, shown, used and ended."""
