"""The certificates by which OpenSSL came from a peer's own to an authority that is trusted (RFC 5280, 6).

They are not those that the peer sent: that may be too many, such as a cross-signed one that expired and that no client
needs. Python's `ssl` has had a public method for it since 3.13. Before, the same method is there one layer below.
"""

import _ssl
import ssl
import sys


def verified_chain(tls: ssl.SSLObject) -> tuple[bytes, ...]:
    """The chain (DER), the peer's own certificate first. Empty when none was verified, as in a resumed session."""
    if sys.version_info >= (3, 13):
        return tuple(tls.get_verified_chain())
    chain = tls._sslobj.get_verified_chain()  # type: ignore[attr-defined]  # noqa: SLF001 - see above
    return tuple(certificate.public_bytes(_ssl.ENCODING_DER) for certificate in chain or ())
