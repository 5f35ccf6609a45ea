"""Server-rendered pages and GraphiQL."""
