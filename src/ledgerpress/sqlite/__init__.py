"""SQLite connections and files that appear whole or not at all."""
