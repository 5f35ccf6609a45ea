"""An issuer of JWTs on this machine: its keys, a server that publishes them, and signed tokens."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE: Final = "press"
NOW: Final = 1_714_809_600
"""Time at which tokens are issued, in seconds since 1970, UTC."""


class SigningKey:
    """A key pair for an algorithm, with the key id `kid`."""

    def __init__(self, algorithm: str, kid: str | None) -> None:
        self.algorithm = algorithm
        self.kid = kid
        self.private: Any
        if algorithm.startswith("ES"):
            self.private = ec.generate_private_key(ec.SECP256R1())
            public = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        elif algorithm == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
            public = OKPAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        else:
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        self.jwk: dict[str, Any] = {key: value for key, value in public.items() if key != "key_ops"}
        if kid is not None:
            self.jwk["kid"] = kid


class Issuer:
    """Publishes keys and signs tokens. Tests may change `keys`, and the `status` and `body` of the response."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = "https://id.example.org/realms/town"
        self.key = SigningKey("RS256", "first")
        self.keys = [self.key]
        self.requests = 0
        self.discovery_name = url.removesuffix("/keys") + "/realms/town"
        """The issuer's URL on this machine, below which its configuration is published."""
        self.configuration: Any = {"issuer": self.discovery_name, "jwks_uri": url}
        self.configuration_requests = 0
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body: bytes | None = None
        self.delay = threading.Event()
        self.delay.set()

    @property
    def jwks(self) -> bytes:
        """The published set of keys."""
        return json.dumps({"keys": [key.jwk for key in self.keys]}).encode()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a token that is valid for ten minutes, changed by `changes`; `None` removes a claim."""
        claims = {
            "iss": self.name,
            "aud": AUDIENCE,
            "sub": "ada-1",
            "name": "Ada Brook",
            "iat": NOW,
            "exp": NOW + 600,
            "role": "editor",
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(
        self, *, key: SigningKey | None = None, header: dict[str, Any] | None = None, **changes: Any
    ) -> str:
        """Return a signed token with the claims of `claims(**changes)`."""
        key = key or self.key
        headers = {**({} if key.kid is None else {"kid": key.kid}), **(header or {})}
        return jwt.encode(self.claims(**changes), key.private, algorithm=key.algorithm, headers=headers)


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Yield an issuer whose keys are served on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/realms/town/.well-known/openid-configuration":
                issuer.configuration_requests += 1
                body = json.dumps(issuer.configuration).encode()
            else:
                issuer.requests += 1
                issuer.delay.wait(30)
                body = issuer.jwks if issuer.body is None else issuer.body
            self.send_response(issuer.status)
            for name, value in issuer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        issuer = Issuer(f"http://127.0.0.1:{server.server_port}/keys")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield issuer
        finally:
            issuer.delay.set()
            server.shutdown()
            thread.join()
