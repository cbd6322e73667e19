"""What runs, waits, failed and is paused in the background, by queue; the schedules; the processes."""
