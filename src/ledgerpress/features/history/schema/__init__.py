"""GraphQL types of the history."""
