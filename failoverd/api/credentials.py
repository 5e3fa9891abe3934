"""The certificate that the API shows, and how long it is valid still: who verifies it refuses it after that."""

import ssl
from contextlib import suppress
from pathlib import Path
from typing import Final

from failoverd.config.schema.config_file import ApiTcpEntry
from failoverd.core.errors import ConfigError
from failoverd.files import read_regular, require_regular
from failoverd.probes.tls.certificate_validity import not_after
from failoverd.telemetry import phrases

SOON: Final = 7 * 86_400.0
"""Seconds before its end from which on a certificate is told of to who looks at the files. Renewals come earlier."""

_MOST: Final = 256 * 1024
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"


def tls_of(said: ApiTcpEntry) -> ssl.SSLContext:
    """Raises ConfigError where the files cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # each connection shows its certificate
    paths = [path for path in (said.certificate_file, said.key_file, said.client_ca_file) if path is not None]
    try:
        for path in paths:
            require_regular(path)
        context.load_cert_chain(paths[0], paths[1], password="")  # nobody is there to be asked for one
        if said.client_ca_file is not None:
            context.load_verify_locations(said.client_ca_file)
            context.verify_mode = ssl.CERT_OPTIONAL if said.tokens_file is not None else ssl.CERT_REQUIRED
    except OSError as error:
        others = " and ".join(map(str, paths[1:]))
        words = f"it cannot be used for TLS with {others}: {error.strerror or error}"
        remedy = "certificate_file holds the certificate and its chain, key_file its key without a passphrase (PEM)"
        raise ConfigError(words, reason="certificate_invalid", remedy=remedy, place=str(paths[0])) from error
    return context


def end_of(file: Path) -> float | None:
    """When the first certificate of a PEM file to expire does. None where nobody can say: who loads it tells why."""
    ends = list[float]()
    with suppress(OSError):
        for part in read_regular(file, _MOST).decode("latin-1").split(_BEGIN)[1:]:
            with suppress(ValueError):
                ends.append(not_after(ssl.PEM_cert_to_DER_cert(f"{_BEGIN}{part.partition(_END)[0]}{_END}\n")))
    return min(ends, default=None)


def expiring(end: float | None, now: float, within: float) -> str:
    """In words, if that is within so many seconds; "" otherwise."""
    if end is None or end - now > within:
        return ""
    if end > now:
        return f"it expires in {phrases.ago(end - now)}, at {phrases.moment(end)}: from then on {_LOST}"
    return f"it expired {phrases.ago(now - end)} ago, at {phrases.moment(end)}: {_LOST}"


_LOST: Final = "browsers and clients refuse the API off this machine; traffic is steered all the same"
