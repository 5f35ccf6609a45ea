"""Persisted, trusted and registered documents."""
