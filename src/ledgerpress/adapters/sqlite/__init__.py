"""SQLite: the log in one file, and the views in another beside it."""
