"""Parts of the tax page."""
