"""GraphQL types of posts and articles."""
