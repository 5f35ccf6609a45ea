"""The event log in PostgreSQL: one schema of tables, shared by several publications and any number of nodes."""
