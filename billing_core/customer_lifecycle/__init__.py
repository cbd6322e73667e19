"""What happens to customers as a whole: they are deactivated and reactivated, and merged into others."""
