"""The permissions to write posts. The feature `actors` declares those to see posts."""

from typing import Final

from ledgerpress.feature import Permission, Role

WRITE_OWN_POSTS: Final = Permission(
    "posts:write-own", roles=[Role.AUTHOR, Role.EDITOR], enum_name="WRITE_OWN_POSTS", order=4
)
WRITE_POSTS: Final = Permission("posts:write", roles=[Role.EDITOR], enum_name="WRITE_POSTS", order=5)
PERMISSIONS: Final = (WRITE_OWN_POSTS, WRITE_POSTS)
