"""The root fields of the GraphQL schema and the inputs of mutations."""
