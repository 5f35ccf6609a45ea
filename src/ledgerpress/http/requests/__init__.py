"""GraphQL requests: their headers and bodies, read, limited and checked."""
