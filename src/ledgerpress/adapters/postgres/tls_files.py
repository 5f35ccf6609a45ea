"""The files that a URL of PostgreSQL's names for TLS: read once before, since asyncpg's errors do not say which it was."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ledgerpress.adapters.postgres.errors import quoted
from ledgerpress.eventlog.errors import LogUnusable

VERIFYING: Final = ("require", "verify-ca", "verify-full")
"""The modes in which asyncpg always reads the files that the environment names."""
_HELD: Final = {
    "sslrootcert": "certificates of authorities",
    "sslcrl": "a list of revoked certificates",
    "sslcert": "a certificate",
}


def check_tls_files(asked: Mapping[str, str], shown: str) -> None:
    """Raise `LogUnusable` for a file that cannot be used for what it is named for."""
    if asked.get("sslmode") == "disable":
        return
    is_verified = asked.get("sslmode", os.environ.get("PGSSLMODE")) in VERIFYING
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name, held in _HELD.items():
        variable = f"PG{name.upper()}"
        path = asked.get(name) or (os.environ.get(variable, "") if is_verified else "")
        if not path:
            continue
        try:
            if name == "sslcert":
                context.load_cert_chain(path, _key(asked), lambda: asked.get("sslpassword", ""))
            else:
                context.load_verify_locations(path)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            named = f"{name}={quoted(path, shown)}" if name in asked else f"{variable}={path}"
            raise LogUnusable(
                f"{shown} cannot be used: {named} is no file to read {held} from, as PEM"
                f"{' with its key (sslkey)' if name == 'sslcert' else ''}: {getattr(error, 'strerror', None) or error}; "
                f"correct it{_system() if name == 'sslrootcert' else ''}"
            ) from error


def _key(asked: Mapping[str, str]) -> str | None:
    """Return the file of the key, as asyncpg finds it; nothing where it is in that of the certificate."""
    if key := asked.get("sslkey") or os.environ.get("PGSSLKEY"):
        return key
    try:
        by_default = Path("~/.postgresql/postgresql.key").expanduser()
    except RuntimeError:  # there is no home
        return None
    return str(by_default) if by_default.exists() else None


def _system() -> str:
    """Return where the system's authorities are: libpq, but not asyncpg, finds them as `sslrootcert=system`."""
    paths = ssl.get_default_verify_paths()
    return f" (the system's own are in {paths.cafile})" if paths.cafile else ""
