"""What is due by the clock: once for the installation, however many processes there are and whenever they run."""
