"""Read models in one SQLite file per node: projection, temporal rows, listings, snapshots."""
