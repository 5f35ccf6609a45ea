"""Several workers on one port and one data directory: the channel between them, and the state that they share."""
