"""Limits on documents, variables, cost and time: what a request may ask for before anything is done for it.

Every number is counted in time linear in the document, fragments once, and before validation, since some of
graphql-core's rules are not linear. What goes beyond a limit is refused with a code, the limit and what was found.
"""
