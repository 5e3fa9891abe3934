"""Whom TLS checks trust, and as whom they introduce themselves.

Reading the system's authorities takes tens of milliseconds and most of a megabyte, so checks that trust the same files
share one context. It is kept for as long as a check holds it, and read anew once a file has changed.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from failoverd.core.errors import ConfigError
from failoverd.files import FileVersion, require_regular

Key = tuple[object, ...]

HTTP_1: Final = ("http/1.1",)

_shared: WeakValueDictionary[Key, ssl.SSLContext] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """The certificate that we show when a server asks for one: two PEM files, chain and key."""

    certificate_file: str
    key_file: str

    def version(self) -> tuple[FileVersion | None, FileVersion | None]:
        """Equal for as long as both files are what they were."""
        return FileVersion.if_there(Path(self.certificate_file)), FileVersion.if_there(Path(self.key_file))


def trust_context(
    ca_file: str | None,
    *,
    alpn: Sequence[str] = HTTP_1,
    identity: ClientIdentity | None = None,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
) -> ssl.SSLContext:
    """A TLS context that verifies chain and name against the system's authorities, or against those in `ca_file`.

    Args:
        ca_file: path of a PEM file; None for the system's authorities.
        alpn: application protocols to offer, best first (RFC 7301).
        identity: who we are, for servers that ask.
        minimum: oldest version of TLS that is good enough.

    Raises:
        ConfigError: there is nothing to verify with: every certificate would fail then, through no fault of the
            endpoints. Or our own certificate and key cannot be used.
    """
    sources = tuple((str(path), FileVersion.if_there(path)) for path in _sources(ca_file))
    key = (sources, tuple(alpn), identity, identity.version() if identity is not None else None, minimum)
    context = _shared.get(key)
    if context is None:
        context = _read(ca_file)
        context.minimum_version = minimum  # some distributions build Python with an older default
        context.hostname_checks_common_name = False  # browsers and Go look at the subject's names alone (RFC 9525, 2)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if identity is not None:
            _introduce(context, identity)
        _shared[key] = context
    return context


class TrustStore:
    """A context that follows its files when those are renewed on disk. Arguments are those of `trust_context`.

    While the authorities cannot be read, as in the middle of their renewal, the ones from before are trusted.

    Raises ConfigError, as `trust_context` does.
    """

    def __init__(
        self,
        ca_file: str | None,
        identity: ClientIdentity | None = None,
        *,
        alpn: Sequence[str] = HTTP_1,
        minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    ) -> None:
        self._identity = identity
        self._version = identity.version() if identity is not None else None
        self._files = _sources(ca_file)
        self._authorities = self._seen()
        self._trust = partial(trust_context, ca_file, alpn=alpn, minimum=minimum)
        self._context = self._trust(identity=identity)

    def context(self) -> ssl.SSLContext:
        """The context to connect with now. Raises ConfigError when our own files cannot be used any more."""
        if self._identity is not None:
            version = self._identity.version()
            if version != self._version:
                self._context = self._trust(identity=self._identity)
                self._version = version
        seen = self._seen()
        if seen != self._authorities:
            self._authorities = seen
            self._follow()
        return self._context

    @property
    def introduces(self) -> bool:
        """Whether the context shows a certificate of ours to who asks."""
        return self._identity is not None

    def _seen(self) -> tuple[FileVersion | None, ...]:
        return tuple(map(FileVersion.if_there, self._files))

    def _follow(self) -> None:
        try:
            self._context = self._trust(identity=self._identity)
        except ConfigError as error:
            if error.reason not in {"ca_file_unusable", "no_trust_store"}:
                raise

    def anonymous(self) -> ssl.SSLContext:
        """The same trust without our own certificate, for servers that it was not made for."""
        return self._context if self._identity is None else self._trust()


def _sources(ca_file: str | None) -> list[Path]:
    if ca_file is not None:
        return [Path(ca_file)]
    paths = ssl.get_default_verify_paths()
    return [Path(path) for path in (paths.cafile, paths.capath) if path is not None]


def _read(ca_file: str | None) -> ssl.SSLContext:
    try:
        if ca_file is not None:
            require_regular(Path(ca_file))
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
    return context


def _introduce(context: ssl.SSLContext, identity: ClientIdentity) -> None:
    """OpenSSL would ask the terminal for the pass phrase of a key that has one; here it gets an empty one."""
    try:
        require_regular(Path(identity.certificate_file))
        require_regular(Path(identity.key_file))
        context.load_cert_chain(identity.certificate_file, identity.key_file, password=lambda: b"")
    except OSError as error:  # ssl.SSLError is one; its words name no content of the files
        words = _why_unusable(error)
        raise ConfigError(
            f"client_certificate {identity.certificate_file} with {identity.key_file} cannot be used: {words}",
            reason="client_certificate_unusable",
            remedy="Name two PEM files that belong together, the key without a pass phrase, "
            "that the daemon's user can read",
        ) from error


def _why_unusable(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    if reason:
        return str(reason).lower().replace("_", " ")
    return error.strerror or "the key may need a pass phrase, or is none"


def _trusts_anybody(context: ssl.SSLContext) -> bool:
    """OpenSSL reads its file of authorities at once, its directory only when a certificate asks for one."""
    if context.cert_store_stats()["x509_ca"]:
        return True
    directory = ssl.get_default_verify_paths().capath
    return directory is not None and any(entry.is_file() for entry in Path(directory).iterdir())
