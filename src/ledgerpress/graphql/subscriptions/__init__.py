"""Subscriptions: executed once for all equal subscribers and sent as ready JSON."""
