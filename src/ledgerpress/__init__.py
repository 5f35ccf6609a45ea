"""LedgerPress: an event-sourced content store for newsrooms and blogs.

`create_app` returns LedgerPress as an ASGI application, and `open_store` opens a store in the caller's process. Programs import
everything for that from here (docs/how-to/use-as-a-library.md); authors of features import from `ledgerpress.feature`. A name is
loaded when it is first used, so that importing this package alone imports no web framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR, Identity
    from ledgerpress.commands.command_request_and_context import CommandResult
    from ledgerpress.commands.errors import Rejection
    from ledgerpress.commands.roles_and_permissions import PermissionDenied, Role
    from ledgerpress.eventlog.codec import Recorded
    from ledgerpress.eventlog.errors import (
        AppendUnresolved,
        LogReplaced,
        LogUnavailable,
        LogUnusable,
        UndecodableEvent,
    )
    from ledgerpress.eventlog.event_and_withdrawn_event import Event, Withdrawn
    from ledgerpress.eventlog.kernel_events import PayloadWithdrawn
    from ledgerpress.eventlog.unknown_third_party_events import UnknownEvent
    from ledgerpress.feature.third_party_names import InvalidFeature
    from ledgerpress.features.actors.commands import RegisterActor, RenameActor
    from ledgerpress.features.actors.model import ActorKind, ActorRegistered, ActorRenamed
    from ledgerpress.features.authors.commands import RegisterAuthor, RenameAuthor
    from ledgerpress.features.authors.model import AuthorRegistered, AuthorRenamed
    from ledgerpress.features.categories.commands import (
        CreateCategory,
        DeleteCategory,
        DescribeCategory,
        MergeCategory,
        MoveCategory,
        RenameCategory,
    )
    from ledgerpress.features.categories.model import (
        CategoryCreated,
        CategoryDeleted,
        CategoryDescribed,
        CategoryMerged,
        CategoryMoved,
        CategoryRef,
        CategoryRenamed,
    )
    from ledgerpress.features.posts.create_edit_categorize_commands import (
        CategorizePost,
        CreatePost,
        EditPost,
        UncategorizePost,
    )
    from ledgerpress.features.posts.lifecycle_commands import (
        ArchivePost,
        PublishPost,
        UnarchivePost,
        UnpublishPost,
    )
    from ledgerpress.features.posts.model import (
        PostArchived,
        PostCategorized,
        PostCreated,
        PostEdited,
        PostPublished,
        PostRestored,
        PostReverted,
        PostUnarchived,
        PostUncategorized,
        PostUnpublished,
    )
    from ledgerpress.features.posts.restore_version_and_revert_change_commands import RestorePost, RevertPost
    from ledgerpress.features.site.commands import NameSite
    from ledgerpress.features.site.model import SiteNamed
    from ledgerpress.server.embedded_app import create_app
    from ledgerpress.server.library.graphql_execution import GraphQLResult, global_id
    from ledgerpress.server.library.open_store import OpenStore, StoreClosed, open_store

__version__ = "0.1.0"
__all__ = [
    "ANONYMOUS",
    "LOCAL_OPERATOR",
    "ActorKind",
    "ActorRegistered",
    "ActorRenamed",
    "AppendUnresolved",
    "ArchivePost",
    "AuthorRegistered",
    "AuthorRenamed",
    "CategorizePost",
    "CategoryCreated",
    "CategoryDeleted",
    "CategoryDescribed",
    "CategoryMerged",
    "CategoryMoved",
    "CategoryRef",
    "CategoryRenamed",
    "CommandResult",
    "CreateCategory",
    "CreatePost",
    "DeleteCategory",
    "DescribeCategory",
    "EditPost",
    "Event",
    "GraphQLResult",
    "Identity",
    "InvalidFeature",
    "LogReplaced",
    "LogUnavailable",
    "LogUnusable",
    "MergeCategory",
    "MoveCategory",
    "NameSite",
    "OpenStore",
    "PayloadWithdrawn",
    "PermissionDenied",
    "PostArchived",
    "PostCategorized",
    "PostCreated",
    "PostEdited",
    "PostPublished",
    "PostRestored",
    "PostReverted",
    "PostUnarchived",
    "PostUncategorized",
    "PostUnpublished",
    "PublishPost",
    "Recorded",
    "RegisterActor",
    "RegisterAuthor",
    "Rejection",
    "RenameActor",
    "RenameAuthor",
    "RenameCategory",
    "RestorePost",
    "RevertPost",
    "Role",
    "SiteNamed",
    "StoreClosed",
    "UnarchivePost",
    "UncategorizePost",
    "UndecodableEvent",
    "UnknownEvent",
    "UnpublishPost",
    "Withdrawn",
    "__version__",
    "create_app",
    "global_id",
    "open_store",
]

_NAMES: Final = {
    "commands.client_identity": "ANONYMOUS LOCAL_OPERATOR Identity",
    "commands.command_request_and_context": "CommandResult",
    "commands.errors": "Rejection",
    "commands.roles_and_permissions": "PermissionDenied Role",
    "eventlog.codec": "Recorded",
    "eventlog.errors": "AppendUnresolved LogReplaced LogUnavailable LogUnusable UndecodableEvent",
    "eventlog.event_and_withdrawn_event": "Event Withdrawn",
    "eventlog.kernel_events": "PayloadWithdrawn",
    "eventlog.unknown_third_party_events": "UnknownEvent",
    "feature.third_party_names": "InvalidFeature",
    "features.actors.commands": "RegisterActor RenameActor",
    "features.actors.model": "ActorKind ActorRegistered ActorRenamed",
    "features.authors.commands": "RegisterAuthor RenameAuthor",
    "features.authors.model": "AuthorRegistered AuthorRenamed",
    "features.categories.commands": "CreateCategory DeleteCategory DescribeCategory MergeCategory MoveCategory RenameCategory",
    "features.categories.model": "CategoryCreated CategoryDeleted CategoryDescribed CategoryMerged CategoryMoved CategoryRef CategoryRenamed",
    "features.posts.create_edit_categorize_commands": "CategorizePost CreatePost EditPost UncategorizePost",
    "features.posts.lifecycle_commands": "ArchivePost PublishPost UnarchivePost UnpublishPost",
    "features.posts.model": "PostArchived PostCategorized PostCreated PostEdited PostPublished PostRestored PostReverted PostUnarchived PostUncategorized PostUnpublished",
    "features.posts.restore_version_and_revert_change_commands": "RestorePost RevertPost",
    "features.site.commands": "NameSite",
    "features.site.model": "SiteNamed",
    "server.embedded_app": "create_app",
    "server.library.graphql_execution": "GraphQLResult global_id",
    "server.library.open_store": "OpenStore StoreClosed open_store",
}
"""The public names in each module, below this package. The imports for type checkers above are the same."""
_MODULES: Final = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Load a public name, and keep it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
