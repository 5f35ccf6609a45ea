"""OpenID Connect: verifies the JWTs of one issuer by its published keys."""
