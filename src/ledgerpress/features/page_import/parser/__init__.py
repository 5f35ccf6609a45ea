"""Parse a saved article page. Pure: text in, parts out."""
