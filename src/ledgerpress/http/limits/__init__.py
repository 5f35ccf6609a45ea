"""Request rates and concurrent requests."""
