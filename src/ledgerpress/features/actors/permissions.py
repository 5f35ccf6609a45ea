"""The permissions of actors: to register people, and to read one's own objects."""

from typing import Final

from ledgerpress.feature import Permission, Role

READ_OWN_POSTS: Final = Permission(
    "posts:read-own",
    roles=[Role.AUTHOR, Role.EDITOR, Role.AUDITOR],
    enum_name="READ_OWN_POSTS",
    order=1,
)
"""See one's own actor and posts. It is declared here because the feature `posts` requires `actors`."""
WRITE_PEOPLE: Final = Permission("people:write", roles=[Role.EDITOR], enum_name="WRITE_PEOPLE", order=7)
"""Register and rename actors and authors."""
PERMISSIONS: Final = (READ_OWN_POSTS, WRITE_PEOPLE)
