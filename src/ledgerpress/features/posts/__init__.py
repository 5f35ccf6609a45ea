"""Posts and articles."""
