"""PDF pages: fonts, text, pictures, and the page they stand on."""
