"""The permissions of posts. The feature actors declares `posts:read-own`, because it also needs this permission."""

from typing import Final

from ledgerpress.feature import Permission, Role

READ_POSTS: Final = Permission(
    "posts:read",
    roles=[Role.EDITOR, Role.AUDITOR],
    enum_name="READ_POSTS",
    order=2,
    shows_internal=True,
)
WRITE_OWN_POSTS: Final = Permission(
    "posts:write-own", roles=[Role.AUTHOR, Role.EDITOR], enum_name="WRITE_OWN_POSTS", order=4
)
WRITE_POSTS: Final = Permission("posts:write", roles=[Role.EDITOR], enum_name="WRITE_POSTS", order=5)
PERMISSIONS: Final = (READ_POSTS, WRITE_OWN_POSTS, WRITE_POSTS)
