"""The permissions to register people, and to see posts: what features below posts show depends on these, too."""

from typing import Final

from ledgerpress.feature import Permission, Role

READ_OWN_POSTS: Final = Permission(
    "posts:read-own",
    roles=[Role.AUTHOR, Role.EDITOR, Role.AUDITOR],
    enum_name="READ_OWN_POSTS",
    order=1,
)
"""See one's own actor and posts."""
READ_POSTS: Final = Permission(
    "posts:read",
    roles=[Role.EDITOR, Role.AUDITOR],
    enum_name="READ_POSTS",
    order=2,
    shows_internal=True,
)
"""See all posts."""
WRITE_PEOPLE: Final = Permission("people:write", roles=[Role.EDITOR], enum_name="WRITE_PEOPLE", order=7)
"""Register and rename actors and authors."""
PERMISSIONS: Final = (READ_OWN_POSTS, READ_POSTS, WRITE_PEOPLE)
