"""The settings of HTTP. The defaults are for production."""

from typing import Annotated, Literal, Self

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0)]
Rate = Annotated[float, Meta(ge=0)]


class HttpSettings(Struct, frozen=True, kw_only=True):
    """Settings of GraphQL over HTTP."""

    graphiql: Annotated[bool, Meta(description="Serve GraphiQL to browsers at /graphql.")] = False
    legacy_json: Annotated[
        bool,
        Meta(
            description="Answer every well-formed request with 200 if the client accepts only application/json, as "
            "servers did before GraphQL over HTTP was specified."
        ),
    ] = False
    unprocessable_status: Annotated[
        Literal[400, 422],
        Meta(
            description="The status for a request with a missing parameter or one of the wrong type, for an invalid "
            "document, and for variables that do not match it. The specification requires 422; earlier drafts, 400."
        ),
    ] = 422
    partial_status: Annotated[
        Literal[200, 294],
        Meta(
            description="The status of an application/graphql-response+json response with both data and errors."
        ),
    ] = 294
    require_preflight: Annotated[
        bool,
        Meta(
            description="Reject a GET request that a page of another site can send without a CORS preflight (CSRF). It "
            "needs a header such as GraphQL-Require-Preflight."
        ),
    ] = True
    max_body_bytes: Annotated[Count, Meta(description="The largest body of a request, in bytes.")] = 1_000_000
    max_query_string_bytes: Annotated[
        Count, Meta(description="The longest query string of a GET request, in bytes.")
    ] = 16_384
    max_json_depth: Annotated[
        Count, Meta(description="How deeply objects and arrays in a request may be nested.")
    ] = 64
    body_seconds: Annotated[
        Seconds, Meta(description="How long a client may take to send the body of a request, in seconds.")
    ] = 10.0
    trusted_documents: Annotated[
        str | None,
        Meta(
            description="The path of a manifest of trusted documents. Clients may send their hash instead of the text."
        ),
    ] = None
    only_trusted_documents: Annotated[bool, Meta(description="Execute only documents of the manifest.")] = (
        False
    )
    automatic_persisted_documents: Annotated[
        bool,
        Meta(
            description="Let clients register documents by their hash (automatic persisted queries). Has no effect "
            "with only_trusted_documents."
        ),
    ] = True
    max_persisted_document_bytes: Annotated[
        Count, Meta(description="The largest document that a client may register, in bytes.")
    ] = 100_000
    max_persisted_bytes: Annotated[
        Count,
        Meta(
            description="How much memory the documents that clients registered may use, in bytes, in each worker."
        ),
    ] = 10_000_000
    min_position_seconds: Annotated[
        Seconds,
        Meta(description="How long a request waits for its minimum position, in seconds."),
    ] = 5.0
    public_max_age: Annotated[
        int,
        Meta(
            ge=0,
            description="For how many seconds HTTP caches may serve anonymous responses without revalidation. With 0 "
            "they revalidate each time, and no response is ever stale.",
        ),
    ] = 0
    max_concurrent_requests: Annotated[
        Count,
        Meta(
            description="How many requests may be in progress at a time, in each worker; others get 503 and Retry-After."
        ),
    ] = 200
    requests_per_second: Annotated[
        Rate, Meta(description="How many requests per second a token may send on average; 0 means no limit.")
    ] = 100.0
    anonymous_requests_per_second: Annotated[
        Rate,
        Meta(
            description="How many requests per second a client address may send on average without a token; 0 means no "
            "limit. A proxy in front of the server has to pass the address on."
        ),
    ] = 50.0
    burst_seconds: Annotated[
        float,
        Meta(
            gt=0,
            description="The size of a burst: an idle client may send the requests of this many seconds at once.",
        ),
    ] = 4.0
    max_rate_limited_clients: Annotated[
        Count,
        Meta(
            description="How many clients have a rate limit of their own; beyond that, new clients share one."
        ),
    ] = 10_000

    @classmethod
    def development(cls) -> Self:
        """Return the settings for development."""
        return cls(
            graphiql=True,
            legacy_json=True,
            unprocessable_status=400,
            partial_status=200,
            require_preflight=False,
            requests_per_second=0.0,
            anonymous_requests_per_second=0.0,
        )
