"""The GraphQL layer: types, queries and mutations. It translates, and decides nothing."""
