"""Logging: set-up and formatters."""
