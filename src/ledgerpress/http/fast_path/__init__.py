"""Answer a repeated anonymous request from the response cache without parsing it again (decision 0032).

Contract:

- The endpoint marks a request as repeatable (`RepeatableRequest`) if its result came from the response cache, and if
  the response depends only on the bytes of the request, the settings and the result: no token, no trace or causation,
  no `Expect`, no minimum position, no rate limit headers, no HEAD, no `max-age` that depends on the clock.
- `FastPath` is the outermost middleware. It stores the head of the response, including all headers that other layers
  added. The key is the method, query string, headers and body of the request. It stores no response bodies, so a
  withdrawal has nothing to remove here.
- For each repeated request, it checks everything that can change: the identity of anonymous clients, whether the result
  is still valid (same entity tag and position), whether a named document is still known, the rate limit, and the
  concurrency limit. If a check fails, the request takes the normal path, and nothing is counted twice.
- If a new layer adds headers or checks that depend on anything else, `FastPath` MUST check them too, or the endpoint
  MUST NOT mark the request.
- All other responses of the same path are passed on; a complete one is sent to uvicorn in one step.
- One cache bounds the memory (`MAX_BYTES`). The fast path is off while spans are recorded.
"""
