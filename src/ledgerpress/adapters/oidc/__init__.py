"""OpenID Connect: verifies the JWTs of one issuer with its published keys."""
