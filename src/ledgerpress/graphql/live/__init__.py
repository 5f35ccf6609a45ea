"""Subscriptions: executed once for all who ask the same, and fanned out as ready text."""
