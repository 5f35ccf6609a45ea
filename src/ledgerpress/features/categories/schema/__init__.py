"""The GraphQL schema of categories."""
