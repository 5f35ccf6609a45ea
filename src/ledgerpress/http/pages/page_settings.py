"""The settings of pages: the address of the site, and the files with which a site changes its design."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings:
    """The settings of pages.

    `base_url` is the address of the site, without a slash at its end; empty if it is that of the request. Templates in the
    folder `templates` win over the built-in ones of the same name. `stylesheet` is a CSS file that every page loads after
    all others.
    """

    base_url: str = ""
    templates: Path | None = None
    stylesheet: Path | None = None
