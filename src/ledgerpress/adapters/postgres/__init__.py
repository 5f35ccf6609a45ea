"""The event log in PostgreSQL: tables of one schema, shared by several publications and by any number of nodes."""
