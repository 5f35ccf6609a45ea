"""Subscriptions: each event is executed once for all equal subscribers, and sent as encoded JSON."""
