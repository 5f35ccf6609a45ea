"""SQLite connections, and the atomic creation of files."""
