"""The Merkle tree over the log, as a projection."""
