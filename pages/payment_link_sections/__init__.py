"""Parts of the pages about payment links."""
