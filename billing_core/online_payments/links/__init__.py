"""Payment links: issued, shown, used and ended."""
