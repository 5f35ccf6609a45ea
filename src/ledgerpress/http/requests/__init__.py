"""Read and check GraphQL requests, within limits."""
