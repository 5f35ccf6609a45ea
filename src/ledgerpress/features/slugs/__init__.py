"""Slugs: their form, and the stream that makes each one unique."""
