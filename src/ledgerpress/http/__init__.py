"""The web application: GraphQL over HTTP, server-rendered pages, and routes for operators."""
