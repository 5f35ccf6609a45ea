"""PostgreSQL: the log in tables of one schema, shared by several publications and by any number of nodes."""
