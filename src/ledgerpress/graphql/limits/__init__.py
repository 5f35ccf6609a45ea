"""Limits on the document, variables, cost and time of a request.

All limits except the time are checked before execution. Documents are checked before validation, because some rules of
graphql-core are not linear. The check takes linear time: it counts each fragment once. A request over a limit is
rejected with a code, the limit and the actual number.
"""
