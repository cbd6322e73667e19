"""Parts of the page about promo codes."""
