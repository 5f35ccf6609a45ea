"""Relay: global ids, nodes, cursor connections."""
