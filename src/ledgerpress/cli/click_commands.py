"""Turn functions with typer's annotations into commands that start quickly and report mistakes in plain words.

typer converts the values of options with pydantic, which takes longer to import than all of LedgerPress that a command
needs. So the few types that commands use are converted here; for any other type, typer's own conversion remains.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Final, get_args, get_origin

import typer
from typer import _click as click
from typer._click import exceptions as mistakes
from typer.core import TyperGroup

from ledgerpress.cli import printing_and_exit_codes as printing
from ledgerpress.cli.printing_and_exit_codes import MISUSED, REFUSED, ColorChoice, print_error

_WORDS: Final = {int: "a whole number", float: "a number", bool: "true or false"}
_VALUE_NAMES: Final = {int: "NUMBER", float: "NUMBER", Path: "PATH", str: "TEXT"}
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})
_UNKNOWN: Final = re.compile(r"'(.*?)'")
"""The unknown command in typer's message."""
_EXTRA: Final = re.compile(r"\((?!s\))(.*)\)", re.DOTALL)
"""The arguments without a place in typer's message."""


def command_group(help: str) -> typer.Typer:
    """Return a group of commands, such as `ledgerpress events`."""
    group = typer.Typer(help=help, no_args_is_help=True, **_PLAIN)
    group.callback()(lambda: None)  # without it, a group with one command would be that command
    return group


_PLAIN: Final[dict[str, Any]] = {
    "add_completion": False,
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
}


def click_command(name: str, command: Any) -> Any:
    """Return the command of a function or of a `typer.Typer`."""
    if not isinstance(command, typer.Typer):
        command, function = typer.Typer(**_PLAIN), command
        command.command()(function)
    result = typer.main.get_command(command)
    result.name = name
    _prepare(result)
    return result


def _prepare(command: Any) -> None:
    """Add --color and --help to `command` and the commands in it, and convert values without pydantic."""
    if isinstance(command, TyperGroup):
        for subcommand in command.commands.values():
            _prepare(subcommand)
    add_common_options(command)


def add_common_options(command: Any) -> None:
    """Add --color and --help to a command, and convert the values of its options without pydantic."""
    names = {name for parameter in command.params for name in parameter.opts}
    command.params += [
        option for option in typer.main.get_command(_common_options).params if names.isdisjoint(option.opts)
    ]
    for parameter in command.params:
        descriptor = getattr(parameter, "type_descriptor", None)
        if descriptor is not None and (convert := _conversion(descriptor.annotation)) is not None:
            parameter._runtime_param = _Conversion(convert, descriptor.parameter_info)
        if descriptor is not None:
            _name_value(parameter, descriptor)


def _name_value(parameter: Any, descriptor: Any) -> None:
    """Let the help show what a value is in capital letters, not its type in Python."""
    if parameter.param_type_name == "argument":
        parameter.metavar = parameter.metavar or parameter.name.upper()
        parameter.display_type_rich = lambda ctx: None
    elif parameter.metavar is None and not descriptor.is_choice:
        types = {descriptor.annotation, *get_args(descriptor.annotation)}
        parameter.metavar = next((name for type_, name in _VALUE_NAMES.items() if type_ in types), None)


class _Conversion:
    """Takes the place of typer's conversion of the values of one option."""

    def __init__(self, convert: Callable[[str], Any], limits: Any) -> None:
        self._convert = convert
        self._low, self._high = limits.min, limits.max

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        is_list = param.multiple or param.nargs == -1
        if value is None:
            return () if is_list else None
        try:
            return [self._checked(entry) for entry in value] if is_list else self._checked(value)
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=param) from None

    def _checked(self, value: Any) -> Any:
        value = self._convert(value) if isinstance(value, str) else value
        if self._low is not None and value < self._low:
            raise ValueError(f"{value} is less than {self._low:,}, the smallest possible value")
        if self._high is not None and value > self._high:
            raise ValueError(f"{value} is more than {self._high:,}, the largest possible value")
        return value


def _conversion(annotation: Any) -> Callable[[str], Any] | None:
    """Return the function that converts a text to the annotated type; `None` if only typer can."""
    types = [part for part in get_args(annotation) if part is not NoneType]
    if types:
        is_simple = get_origin(annotation) is list or len(types) < len(get_args(annotation))
        return _conversion(types[0]) if is_simple and len(types) == 1 else None
    if annotation in {str, Path}:
        converter: Callable[[str], Any] = annotation
        return converter
    if annotation in _WORDS:
        return lambda text: _number_or_flag(annotation, text)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return lambda text: _member(annotation, text)
    return None


def _number_or_flag(type_: type, text: str) -> Any:
    try:
        if type_ is bool:
            if text.lower() not in _YES | _NO:
                raise ValueError
            return text.lower() in _YES
        return type_(text)
    except ValueError:
        raise ValueError(f"“{text}” is not {_WORDS[type_]}") from None


def _member(type_: type[Enum], text: str) -> Enum:
    for member in type_:
        if text == member.value:
            return member
    known = ", ".join(str(member.value) for member in type_)
    raise ValueError(f"“{text}” is not one of {known}")


def _use_color(value: ColorChoice | None) -> None:
    if value is not None:
        printing.use_color(value)


def _show_help(context: typer.Context, value: bool) -> None:
    if value:
        click.echo(context.get_help())
        raise typer.Exit


_common_options: Final = typer.Typer(**_PLAIN)


@_common_options.command()
def _common(
    color: Annotated[
        ColorChoice | None,
        typer.Option(
            "--color",
            metavar="WHEN",
            callback=_use_color,
            is_eager=True,
            expose_value=False,
            show_default="auto",
            help="Use colors: auto (on a terminal, see NO_COLOR), always or never.",
        ),
    ] = None,
    help: Annotated[  # typer's own option would convert its value with pydantic
        bool,
        typer.Option(
            "--help",
            "-h",
            callback=_show_help,
            is_eager=True,
            expose_value=False,
            help="Show this message and exit.",
        ),
    ] = False,
) -> None:
    pass


@contextmanager
def complain_clearly(program: Any) -> Iterator[None]:
    """Report wrong usage, and errors that a user can fix, in one line; end the program with the exit code."""
    printing.use_color(ColorChoice.AUTO)
    add_common_options(program)
    try:
        yield
    except mistakes.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(MISUSED)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        print_error(f"{_explained(error)}; see `{context.command_path if context else program.name} --help`")
        sys.exit(MISUSED)
    except typer.Abort:
        print_error("stopped before anything was changed")
        sys.exit(REFUSED)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        from ledgerpress.cli.error_messages import explained  # noqa: PLC0415 - slow to import

        if (explanation := explained(error)) is None:
            raise
        print_error(explanation.message)
        sys.exit(explanation.code)


def _explained(error: Any) -> str:
    """Return what is wrong with the arguments, in the words of LedgerPress."""
    context = error.ctx
    match error:
        case mistakes.MissingParameter():
            return f"{_label(error.param)} is missing"
        case mistakes.BadParameter():
            return f"{_label(error.param)}: {error.message}" if error.param else error.message
        case mistakes.NoSuchOption():
            close = ", ".join(error.possibilities or ())
            return f"there is no option {error.option_name}" + (f"; did you mean {close}?" if close else "")
        case mistakes.BadOptionUsage():
            return (
                f"{error.option_name} {'needs a value' if 'requires' in error.message else 'takes no value'}"
            )
        case _ if context is not None and isinstance(context.command, TyperGroup):
            return _unknown_command(context, error.message)
        case _ if extra := _EXTRA.search(error.message):
            return f"too many arguments: {extra[1]}"
        case _:
            return str(error.message)


def _unknown_command(context: Any, message: str) -> str:
    import difflib  # noqa: PLC0415 - only for this message

    known = context.command.list_commands(context)
    name = _UNKNOWN.search(message)
    close = difflib.get_close_matches(name[1], known, 1) if name else []
    if name is None:
        return "the command is missing"
    return f"there is no command {name[1]}" + (f"; did you mean {close[0]}?" if close else "")


def _label(parameter: Any) -> str:
    """Return the name of an option or an argument as a user writes it."""
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name.upper())
