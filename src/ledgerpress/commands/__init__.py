"""Commands: identity, permissions, deciding, and appending with retries."""
