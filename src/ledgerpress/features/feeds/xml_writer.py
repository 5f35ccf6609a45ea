"""Write XML 1.0 documents."""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from xml.sax.saxutils import escape, quoteattr

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document can contain, not even as a reference (XML 1.0, section 2.2)."""
DECLARATION: Final = '<?xml version="1.0" encoding="utf-8"?>\n'


class Xml(str):
    """A part of a document that is already XML."""

    __slots__ = ()


def element(name: str, *content: str | Xml, **attributes: str | None) -> Xml:
    """Return an element. Text in `content` is escaped. Attributes that are `None` are left out.

    In names of attributes, `__` stands for a colon, and a `_` at the end is removed.
    """
    written = "".join(
        f" {key.rstrip('_').replace('__', ':')}={quoteattr(_valid(value), {chr(10): '&#10;', chr(9): '&#9;', chr(13): '&#13;'})}"
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(part if isinstance(part, Xml) else _text(part) for part in content)
    return Xml(f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>")


def document(name: str, children: Iterable[Xml], namespaces: Mapping[str, str], **attributes: str) -> bytes:
    """Return a document, encoded as UTF-8. `namespaces` has the URI of each prefix; the empty prefix is the default."""
    declared = "".join(
        f" xmlns{':' if prefix else ''}{prefix}={quoteattr(uri)}" for prefix, uri in namespaces.items()
    )
    written = "".join(f" {key.replace('__', ':')}={quoteattr(value)}" for key, value in attributes.items())
    lines = [f"{DECLARATION}<{name}{declared}{written}>", *children, f"</{name}>\n"]
    return "\n".join(lines).encode()


def _text(text: str) -> str:
    return escape(_valid(text), {"\r": "&#13;"})


def _valid(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
