"""Leases with fencing: work that one node at a time does for the whole publication."""
