"""The queries of the views. Each takes a snapshot: a connection and the position as of which it answers."""
