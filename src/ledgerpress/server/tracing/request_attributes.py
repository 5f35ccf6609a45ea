"""What a span contains of a request, by the stable semantic conventions of OpenTelemetry for HTTP server spans."""

from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from graphql import DocumentNode, EnumValueNode, Node, Visitor, print_ast, visit
from opentelemetry.semconv.attributes import client_attributes as client
from opentelemetry.semconv.attributes import http_attributes as http
from opentelemetry.semconv.attributes import network_attributes as network
from opentelemetry.semconv.attributes import server_attributes as server
from opentelemetry.semconv.attributes import url_attributes as url
from opentelemetry.semconv.attributes import user_agent_attributes as user_agent
from starlette.types import Scope

from ledgerpress.grapheme_clusters import cut
from ledgerpress.http.middleware.trusted_hosts import host_of

MAX_CHARACTERS: Final = 200
"""The maximum length of a text that a client chose, except documents, which have limits of their own."""
REDACTED: Final = "REDACTED"
"""Stands for each value in a query string, which may be a secret or a variable of an operation."""
_METHODS: Final = frozenset(method.value for method in http.HttpRequestMethodValues)
_SCHEMES: Final = {"ws": "http", "wss": "https"}


def request_attributes(scope: Scope) -> dict[str, Any]:
    """Return the attributes of a request that are known before it is answered."""
    method: str = scope.get("method", "GET")  # a WebSocket begins with a GET (RFC 6455, section 4.1)
    scheme: str = scope.get("scheme", "http")
    attributes: dict[str, Any] = {
        http.HTTP_REQUEST_METHOD: method,
        url.URL_PATH: cut(quote(scope["path"], safe="/:@!$&'()*+,;=~"), MAX_CHARACTERS),
        url.URL_SCHEME: _SCHEMES.get(scheme, scheme),
        network.NETWORK_PROTOCOL_VERSION: scope.get("http_version", "1.1"),
    }
    if method not in _METHODS:
        attributes[http.HTTP_REQUEST_METHOD] = http.HttpRequestMethodValues.OTHER.value
        attributes[http.HTTP_REQUEST_METHOD_ORIGINAL] = cut(method, MAX_CHARACTERS)
    if query_string := scope.get("query_string"):
        attributes[url.URL_QUERY] = cut(_without_values(query_string.decode("latin-1")), MAX_CHARACTERS)
    if address := scope.get("client"):
        attributes[client.CLIENT_ADDRESS] = address[0]
    for name, value in scope["headers"]:
        if name == b"user-agent":
            attributes[user_agent.USER_AGENT_ORIGINAL] = cut(value.decode("latin-1"), MAX_CHARACTERS)
        elif name == b"host":
            attributes |= _host(value.decode("latin-1"))
    return attributes


@lru_cache(maxsize=256)
def document_without_values(document: DocumentNode) -> str:
    """Return the text of a document on one line, with `?` in place of each text and number."""
    return " ".join(print_ast(visit(document, _WithoutValues())).split())


class _WithoutValues(Visitor):
    def enter_string_value(self, *_: Any) -> Node:
        return _PLACEHOLDER

    enter_int_value = enter_float_value = enter_string_value


_PLACEHOLDER: Final = EnumValueNode(value="?")


def _without_values(query_string: str) -> str:
    names = (pair.partition("=")[0] for pair in query_string.split("&"))
    return "&".join(f"{name}={REDACTED}" for name in names)


def _host(value: str) -> dict[str, Any]:
    host = host_of(value)
    if not host:
        return {}
    port = value.rpartition("]")[2].rpartition(":")[2]
    attributes: dict[str, Any] = {server.SERVER_ADDRESS: cut(host, MAX_CHARACTERS)}
    if port.isdecimal() and port.isascii() and len(port) <= 5:
        attributes[server.SERVER_PORT] = int(port)
    return attributes
