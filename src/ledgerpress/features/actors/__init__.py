"""Actors: who records events."""
