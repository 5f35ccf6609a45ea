"""The GraphQL layer: the schema that features contribute to, its execution, limits, caches and subscriptions."""
