"""GraphQL over WebSocket and server-sent events."""
