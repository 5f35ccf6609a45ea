"""Fingerprints, which distinguish a repeated command from another command with the same idempotency key."""

import hashlib
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import msgspec

from ledgerpress.commands.command_and_guard_declarations import Command
from ledgerpress.commands.command_request_and_context import CommandRequest
from ledgerpress.commands.errors import ErrorCode, Rejection
from ledgerpress.commands.roles_and_permissions import Permission


def fingerprint(command: Command, request: CommandRequest) -> str:
    """Return the SHA-256, in hex, of a command. Raises `Rejection` for text that is not valid Unicode.

    Fields with their default value are omitted. So if an upgrade adds fields to the class of a command, a repeated
    command still has the same fingerprint. Inputs of other features are included only if the client sends them. Fields
    with `compare=False` are omitted, too. The names of all other fields, including those of nested classes, are part of
    the fingerprint: they are stored names.
    """
    parts: tuple[object, ...] = (
        command.fingerprint_name,
        _values(command),
        request.reason,
        request.expected_version,
    )
    if request.inputs:
        parts += ({value.fingerprint_name: _values(value) for value in request.inputs},)
    try:
        return hashlib.sha256(msgspec.json.encode(parts, order="sorted", enc_hook=_plain)).hexdigest()
    except UnicodeEncodeError as error:
        raise Rejection(ErrorCode.INVALID_TEXT, "Some of the text is not valid Unicode.") from error


def fingerprint_together(fingerprints: Iterable[str]) -> str:
    """Return the fingerprint of commands that are executed together, from the fingerprints of the commands, in order.

    Each of these commands has it. So if one of them was executed before, it was executed with the same others.
    """
    return hashlib.sha256(msgspec.json.encode(list(fingerprints))).hexdigest()


def _plain(value: object) -> str:
    """Return a permission as a plain string. Raises `NotImplementedError` for other objects."""
    if isinstance(value, Permission):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be part of a command")


def _values(command: Any) -> dict[str, object]:
    return {
        field.name: value
        for field in fields(command)
        if field.compare and (value := getattr(command, field.name)) != field.default
    }
