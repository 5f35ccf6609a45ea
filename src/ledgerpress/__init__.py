"""LedgerPress: an event-sourced content store for newsrooms and blogs.

`create_app` returns LedgerPress as an ASGI application, and `open_store` opens a store in the caller's process.
Programs import the public names from here (docs/how-to/use-as-a-library.md); features import from
`ledgerpress.feature`. Each name is loaded on first use, so importing this package alone loads no web framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

import ledgerpress.graphql.exception_hooks as _exception_hooks

if TYPE_CHECKING:
    from ledgerpress.commands.client_identity import ANONYMOUS, LOCAL_OPERATOR
    from ledgerpress.commands.command_request_and_context import CommandResult
    from ledgerpress.eventlog.errors import (
        AppendUnresolved,
        LogReplaced,
        LogUnavailable,
        LogUnusable,
        UndecodableEvent,
    )
    from ledgerpress.eventlog.kernel_events import PayloadWithdrawn
    from ledgerpress.feature import (
        Event,
        Identity,
        InvalidFeature,
        PermissionDenied,
        Recorded,
        Rejection,
        Role,
        UnknownEvent,
        Withdrawn,
    )
    from ledgerpress.features.actors import (
        ActorKind,
        ActorRegistered,
        ActorRenamed,
        RegisterActor,
        RenameActor,
    )
    from ledgerpress.features.authors import AuthorRegistered, AuthorRenamed, RegisterAuthor, RenameAuthor
    from ledgerpress.features.categories import (
        CategoryCreated,
        CategoryDeleted,
        CategoryDescribed,
        CategoryMerged,
        CategoryMoved,
        CategoryRef,
        CategoryRenamed,
        CategoryUnmerged,
        CreateCategory,
        DeleteCategory,
        DescribeCategory,
        MergeCategory,
        MoveCategory,
        RenameCategory,
        UnmergeCategory,
    )
    from ledgerpress.features.posts import (
        AddCorrection,
        ArchivePost,
        CategorizePost,
        CorrectionKind,
        CorrectionRecorded,
        CorrectionRetracted,
        CorrectionReworded,
        CreatePost,
        EditPost,
        EditWithCorrection,
        NewCorrection,
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
        PublishPost,
        PublishWithCorrection,
        RestorePost,
        RetractCorrection,
        RevertPost,
        RewordCorrection,
        UnarchivePost,
        UncategorizePost,
        UnpublishPost,
    )
    from ledgerpress.features.site import (
        DescribeSite,
        LocalizeSite,
        Logo,
        NameSite,
        SiteDescribed,
        SiteLocalized,
        SiteNamed,
    )
    from ledgerpress.features.site_pages import (
        ArrangeMenu,
        CreatePage,
        EditPage,
        MenuArranged,
        MenuItem,
        MenuPlace,
        NewMenuItem,
        PageCreated,
        PageEdited,
        PagePublished,
        PageRef,
        PageUnpublished,
        PublishPage,
        UnpublishPage,
    )
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
    "AddCorrection",
    "AppendUnresolved",
    "ArchivePost",
    "ArrangeMenu",
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
    "CategoryUnmerged",
    "CommandResult",
    "CorrectionKind",
    "CorrectionRecorded",
    "CorrectionRetracted",
    "CorrectionReworded",
    "CreateCategory",
    "CreatePage",
    "CreatePost",
    "DeleteCategory",
    "DescribeCategory",
    "DescribeSite",
    "EditPage",
    "EditPost",
    "EditWithCorrection",
    "Event",
    "GraphQLResult",
    "Identity",
    "InvalidFeature",
    "LocalizeSite",
    "LogReplaced",
    "LogUnavailable",
    "LogUnusable",
    "Logo",
    "MenuArranged",
    "MenuItem",
    "MenuPlace",
    "MergeCategory",
    "MoveCategory",
    "NameSite",
    "NewCorrection",
    "NewMenuItem",
    "OpenStore",
    "PageCreated",
    "PageEdited",
    "PagePublished",
    "PageRef",
    "PageUnpublished",
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
    "PublishPage",
    "PublishPost",
    "PublishWithCorrection",
    "Recorded",
    "RegisterActor",
    "RegisterAuthor",
    "Rejection",
    "RenameActor",
    "RenameAuthor",
    "RenameCategory",
    "RestorePost",
    "RetractCorrection",
    "RevertPost",
    "RewordCorrection",
    "Role",
    "SiteDescribed",
    "SiteLocalized",
    "SiteNamed",
    "StoreClosed",
    "UnarchivePost",
    "UncategorizePost",
    "UndecodableEvent",
    "UnknownEvent",
    "UnmergeCategory",
    "UnpublishPage",
    "UnpublishPost",
    "Withdrawn",
    "__version__",
    "create_app",
    "global_id",
    "open_store",
]

_NAMES: Final = {
    "commands.client_identity": "ANONYMOUS LOCAL_OPERATOR",
    "commands.command_request_and_context": "CommandResult",
    "eventlog.errors": "AppendUnresolved LogReplaced LogUnavailable LogUnusable UndecodableEvent",
    "eventlog.kernel_events": "PayloadWithdrawn",
    "feature": (
        "Event Identity InvalidFeature PermissionDenied Recorded Rejection Role UnknownEvent Withdrawn"
    ),
    "features.actors": "ActorKind ActorRegistered ActorRenamed RegisterActor RenameActor",
    "features.authors": "AuthorRegistered AuthorRenamed RegisterAuthor RenameAuthor",
    "features.categories": (
        "CategoryCreated CategoryDeleted CategoryDescribed CategoryMerged CategoryMoved "
        "CategoryRef CategoryRenamed CategoryUnmerged CreateCategory DeleteCategory DescribeCategory "
        "MergeCategory MoveCategory RenameCategory UnmergeCategory"
    ),
    "features.posts": (
        "AddCorrection ArchivePost CategorizePost CorrectionKind CorrectionRecorded "
        "CorrectionRetracted CorrectionReworded CreatePost EditPost EditWithCorrection NewCorrection "
        "PostArchived PostCategorized PostCreated PostEdited PostPublished PostRestored PostReverted "
        "PostUnarchived PostUncategorized PostUnpublished PublishPost PublishWithCorrection "
        "RestorePost RetractCorrection RevertPost RewordCorrection UnarchivePost UncategorizePost "
        "UnpublishPost"
    ),
    "features.site": "DescribeSite LocalizeSite Logo NameSite SiteDescribed SiteLocalized SiteNamed",
    "features.site_pages": (
        "ArrangeMenu CreatePage EditPage MenuArranged MenuItem MenuPlace NewMenuItem PageCreated PageEdited "
        "PagePublished PageRef PageUnpublished PublishPage UnpublishPage"
    ),
    "server.embedded_app": "create_app",
    "server.library.graphql_execution": "GraphQLResult global_id",
    "server.library.open_store": "OpenStore StoreClosed open_store",
}
"""The public names by module, relative to this package. They MUST match the imports for type checkers above."""
_MODULES: Final = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Import a public name on first use, and cache it in this module."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _exception_hooks.unchanged_exception_hooks():
        value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
