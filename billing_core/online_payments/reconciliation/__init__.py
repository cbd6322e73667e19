"""The gateway's own books of a period beside ours."""
