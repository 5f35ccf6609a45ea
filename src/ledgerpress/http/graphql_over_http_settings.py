"""The settings of HTTP. The defaults are for production."""

from typing import Annotated, Literal, Self

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0)]
Rate = Annotated[float, Meta(ge=0)]


class HttpSettings(Struct, frozen=True, kw_only=True):
    """How GraphQL is served over HTTP."""

    graphiql: Annotated[bool, Meta(description="Serve GraphiQL to browsers at /graphql.")] = False
    legacy_json: Annotated[
        bool,
        Meta(
            description="Answer every well-formed request with 200 where the client accepts only application/json, "
            "as was the custom before GraphQL over HTTP was specified."
        ),
    ] = False
    unprocessable_status: Annotated[
        Literal[400, 422],
        Meta(
            description="The status for a request that lacks a parameter or has one of the wrong type, for a document "
            "that is not valid, and for variables that do not fit it. The specification says 422, earlier drafts 400."
        ),
    ] = 422
    partial_status: Annotated[
        Literal[200, 294],
        Meta(
            description="The status of an answer with both data and errors, as application/graphql-response+json."
        ),
    ] = 294
    require_preflight: Annotated[
        bool,
        Meta(
            description="Refuse a GET request that a foreign web page can send without asking first (CSRF): it needs a "
            "header such as GraphQL-Require-Preflight."
        ),
    ] = True
    max_body_bytes: Annotated[Count, Meta(description="The largest body of a request, in bytes.")] = 1_000_000
    max_query_string_bytes: Annotated[
        Count, Meta(description="The longest query string of a GET request, in bytes.")
    ] = 16_384
    max_json_depth: Annotated[
        Count, Meta(description="How deep objects and arrays may stand in one another in a request.")
    ] = 64
    body_seconds: Annotated[
        Seconds, Meta(description="How long a client may take to send the body of a request, in seconds.")
    ] = 10.0
    trusted_documents: Annotated[
        str | None,
        Meta(description="The path of a manifest of documents, which clients may name by their hash."),
    ] = None
    only_trusted_documents: Annotated[
        bool, Meta(description="Execute the documents of the manifest, and no others.")
    ] = False
    automatic_persisted_documents: Annotated[
        bool,
        Meta(
            description="Let clients register documents by their hash (APQ); without a manifest to insist on."
        ),
    ] = True
    max_persisted_document_bytes: Annotated[
        Count, Meta(description="The largest document that a client may register, in bytes.")
    ] = 100_000
    max_persisted_bytes: Annotated[
        Count, Meta(description="How much of the documents that clients registered is kept, in bytes.")
    ] = 10_000_000
    min_position_seconds: Annotated[
        Seconds,
        Meta(description="How long a request waits for the position that it demands, in seconds."),
    ] = 5.0
    public_max_age: Annotated[
        int,
        Meta(
            ge=0,
            description="For how many seconds caches may keep anonymous answers without asking again. With 0 they ask "
            "each time, and no answer is ever stale.",
        ),
    ] = 0
    max_concurrent_requests: Annotated[
        Count, Meta(description="How many requests are worked on at a time; others get 503 and Retry-After.")
    ] = 200
    requests_per_second: Annotated[
        Rate, Meta(description="How many requests a second a token may send on average; 0 for any number.")
    ] = 100.0
    anonymous_requests_per_second: Annotated[
        Rate,
        Meta(
            description="How many requests a second a client address may send on average without a token; 0 for any "
            "number. Behind a proxy, the proxy has to pass the address on."
        ),
    ] = 50.0
    burst_seconds: Annotated[
        float,
        Meta(gt=0, description="Of how many seconds' requests a client that was quiet may send all at once."),
    ] = 4.0
    max_rate_limited_clients: Annotated[
        Count,
        Meta(
            description="How many clients' rates are remembered; beyond that, newcomers share one allowance."
        ),
    ] = 10_000

    @classmethod
    def development(cls) -> Self:
        """Return the settings for a developer's machine."""
        return cls(
            graphiql=True,
            legacy_json=True,
            unprocessable_status=400,
            partial_status=200,
            require_preflight=False,
            requests_per_second=0.0,
            anonymous_requests_per_second=0.0,
        )
