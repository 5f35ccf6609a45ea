"""Answer a repeated anonymous request from the response cache without parsing it again (decision 0032).

Contract:

- The endpoint marks a request as repeatable (`RepeatableRequest`) if its result came from the response cache, and if the
  response follows from the bytes of the request, the settings and the result: no token, no trace or causation, no
  `Expect`, no minimum position, no rate limit headers, no HEAD, no `max-age` that depends on the clock.
- `FastPath` is the outermost middleware. It stores the head of the response, as all layers below made it, by the method,
  query string, headers and body of the request. It holds no bodies of responses, so a withdrawal removes nothing here.
- For each repeated request it checks again what does not follow from the bytes: the identity of anonymous clients,
  whether the result is still true (same entity tag and position), whether a named document is still known, the rate
  limit, and the concurrency limit. If any check fails, the request takes the normal path, and nothing is counted twice.
- A new layer whose headers or checks depend on anything else MUST be checked here too, or its endpoint MUST NOT mark the
  request.
- Memory is bounded by one cache (`MAX_BYTES`). The fast path is off while spans are recorded.
"""
