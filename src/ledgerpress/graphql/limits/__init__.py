"""Limits on documents, variables, cost and time of a request, checked before it is executed.

Counting takes time linear in the document, with each fragment counted once. It comes before validation, since some of
graphql-core's rules are not linear. A request beyond a limit is rejected with a code, the limit and the number found.
"""
