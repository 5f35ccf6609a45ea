"""Authorization: every command has declared permissions, and a scope covers everything that affects a response."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Final

import pytest

from ledgerpress import commands, features
from ledgerpress.commands.client_identity import ANONYMOUS
from ledgerpress.commands.roles_and_permissions import RequiredPermission, Role
from ledgerpress.features.registry import FEATURES
from tests.identities import GRANTED, PERMISSIONS, identity

COMMANDS: Final = {command: declared.required for command, declared in FEATURES.declarations.commands.items()}


def command_classes() -> Iterator[type]:
    """Yield every command: each concrete, public class in `commands` and `features` that has a method `plan`."""
    packages = [commands, features]
    modules = [
        info
        for package in packages
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    for module in modules:
        for _, class_ in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if (
                class_.__module__ == module.name
                and hasattr(class_, "plan")
                and not inspect.isabstract(class_)
                and not class_.__name__.startswith("_")
            ):
                yield class_


def test_every_command_has_declared_permissions() -> None:
    classes = {class_ for class_ in command_classes() if class_.__name__ != "Command"}
    assert len(classes) > 20
    assert classes == set(COMMANDS), (
        "declare the permissions of these commands in the manifest of their feature"
    )


def test_a_permission_for_own_posts_is_only_for_commands_on_one_post() -> None:
    for command, need in COMMANDS.items():
        has_post_id = "post_id" in {
            name for class_ in command.__mro__ for name in getattr(class_, "__annotations__", {})
        }
        assert need.own is None or has_post_id or command.__name__ == "CreatePost", command


def test_an_auditor_cannot_write_and_a_reader_has_no_permission() -> None:
    assert not [permission for permission in GRANTED[Role.AUDITOR] if ":write" in permission]
    assert GRANTED[Role.READER] == frozenset()
    for need in COMMANDS.values():
        assert not identity(Role.AUDITOR, "a").meets(need, FEATURES.roles)
        assert not identity(Role.AUDITOR, "a").meets_with_own(need)
        assert identity(Role.ADMIN, "a").meets(need, FEATURES.roles)


def test_a_command_without_a_named_permission_requires_every_permission() -> None:
    admin = identity(Role.ADMIN, "a")
    assert admin.meets(RequiredPermission(None), FEATURES.roles)
    for permission in PERMISSIONS:
        assert not identity(Role.ADMIN, "a", scopes=PERMISSIONS - {permission}).meets(
            RequiredPermission(None), FEATURES.roles
        )


@pytest.mark.parametrize("role", Role)
def test_identities_share_a_scope_only_if_they_see_the_same(role: Role) -> None:
    client = identity(role, "a")
    assert client.scope == identity(role, "a").scope
    assert client.scope == identity(role, "a", token_id="t").scope
    others = {
        identity(role, "b").scope,
        ANONYMOUS.scope,
        *(identity(other, "a").scope for other in Role if other is not role),
    }
    others |= {identity(role, "a", scopes=GRANTED[role] - {permission}).scope for permission in GRANTED[role]}
    assert client.scope not in others
    assert hash(client.scope)
