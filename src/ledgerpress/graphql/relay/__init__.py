"""Relay: global ids, nodes and cursor connections."""
