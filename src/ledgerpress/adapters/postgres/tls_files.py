"""Checks the TLS files of a PostgreSQL URL, since asyncpg's errors do not name the file."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ledgerpress.adapters.postgres.errors import quoted
from ledgerpress.eventlog.errors import LogUnusable

VERIFYING: Final = ("require", "verify-ca", "verify-full")
"""The modes in which asyncpg always reads the files named in environment variables."""
_CONTENTS: Final = {
    "sslrootcert": "certificates of authorities",
    "sslcrl": "a list of revoked certificates",
    "sslcert": "a certificate",
}


def check_tls_files(parameters: Mapping[str, str], shown: str) -> None:
    """Raise `LogUnusable` for a file that cannot be used for its parameter."""
    if parameters.get("sslmode") == "disable":
        return
    is_verified = parameters.get("sslmode", os.environ.get("PGSSLMODE")) in VERIFYING
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name, content in _CONTENTS.items():
        variable = f"PG{name.upper()}"
        path = parameters.get(name) or (os.environ.get(variable, "") if is_verified else "")
        if not path:
            continue
        try:
            if name == "sslcert":
                context.load_cert_chain(path, _key(parameters), lambda: parameters.get("sslpassword", ""))
            else:
                context.load_verify_locations(path)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            source = f"{name}={quoted(path, shown)}" if name in parameters else f"{variable}={path}"
            raise LogUnusable(
                f"{shown} cannot be used: {source} is no file to read {content} from, as PEM"
                f"{' with its key (sslkey)' if name == 'sslcert' else ''}: {getattr(error, 'strerror', None) or error}; "
                f"correct it{_system() if name == 'sslrootcert' else ''}"
            ) from error


def _key(parameters: Mapping[str, str]) -> str | None:
    """Return the file of the key, as asyncpg finds it; `None` if it is in the file of the certificate."""
    if key := parameters.get("sslkey") or os.environ.get("PGSSLKEY"):
        return key
    try:
        default = Path("~/.postgresql/postgresql.key").expanduser()
    except RuntimeError:  # there is no home
        return None
    return str(default) if default.exists() else None


def _system() -> str:
    """Return a hint where the system's authorities are: libpq, but not asyncpg, finds them as `sslrootcert=system`."""
    paths = ssl.get_default_verify_paths()
    return f" (the system's own are in {paths.cafile})" if paths.cafile else ""
