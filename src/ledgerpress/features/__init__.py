"""Features: each folder owns one concept from the event to the page."""
