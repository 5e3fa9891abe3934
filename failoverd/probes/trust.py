"""Whom TLS checks trust.

Reading the system's authorities takes tens of milliseconds and most of a megabyte, so checks that trust the same files
share one context. It is kept for as long as a check holds it, and read anew once a file has changed.
"""

import ssl
from pathlib import Path
from weakref import WeakValueDictionary

from failoverd.core.errors import ConfigError

Key = tuple[tuple[str, tuple[int, int, int] | None], ...]

_shared: WeakValueDictionary[Key, ssl.SSLContext] = WeakValueDictionary()


def trust(ca_file: str | None) -> ssl.SSLContext:
    """A TLS context that verifies chain and name against the system's authorities, or against those in `ca_file`.

    Raises ConfigError when there is nothing to verify with: every certificate would fail then, through no fault of the
    endpoints.
    """
    key = tuple((str(path), _version(path)) for path in _sources(ca_file))
    context = _shared.get(key)
    if context is None:
        context = _shared[key] = _read(ca_file)
    return context


def _sources(ca_file: str | None) -> list[Path]:
    if ca_file is not None:
        return [Path(ca_file)]
    paths = ssl.get_default_verify_paths()
    return [Path(path) for path in (paths.cafile, paths.capath) if path is not None]


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(
            f"ca_file {ca_file} cannot be used: {error.strerror or error}",
            reason="ca_file_unusable",
            remedy="Name a PEM file with at least one certificate that the daemon's user can read",
        ) from error
    if ca_file is None and not _trusts_anybody(context):
        raise ConfigError(
            "this host has no certificate authorities, so that no https check could ever pass",
            reason="no_trust_store",
            remedy="Install ca-certificates, or set ca_file in the check",
        )
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # some distributions build Python with an older default
    context.set_alpn_protocols(["http/1.1"])
    return context


def _trusts_anybody(context: ssl.SSLContext) -> bool:
    """OpenSSL reads its file of authorities at once, its directory only when a certificate asks for one."""
    if context.cert_store_stats()["x509_ca"]:
        return True
    directory = ssl.get_default_verify_paths().capath
    return directory is not None and any(entry.is_file() for entry in Path(directory).iterdir())
