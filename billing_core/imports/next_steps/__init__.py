"""What is left to do after an import, counted."""
