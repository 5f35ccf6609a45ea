"""The web application: GraphQL over HTTP, a few pages to look at, and health."""
