"""Parts of the reminders page."""
