"""SQLite connections, and files that appear complete or not at all."""
