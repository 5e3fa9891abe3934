"""Everything that can go wrong between failoverd and the HTTP API, each with its reason and what to do about it.

A PATCH that was sent and not answered may have taken effect: it ends as `outcome_unknown` and is resolved by reading.
"""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import h11

from failoverd.core.errors import NO_EFFECT, Fenced, Permanent, ProviderError, RateLimited, Transient
from failoverd.foreign import quoted
from failoverd.providers.powerdns.http import Progress, Response, TooLong
from failoverd.providers.shared.refusals import stale
from failoverd.providers.shared.unanswered import NONSENSE, in_doubt

_OK = range(200, 300)
_NOT_FOUND, _TOO_MANY = 404, 429
_SERVER_ERRORS = range(500, 600)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as far as its failure has to tell about it."""

    url: str
    zone: str
    progress: Progress
    writes: bool = False

    def __str__(self) -> str:
        return f"cannot {'change' if self.writes else 'read'} zone {self.zone} through {self.url}"

    @property
    def may_have_happened(self) -> bool:
        return self.writes and self.progress.sent


@contextmanager
def edge(call: Call) -> Iterator[None]:
    """Turns what the network, TLS and the parsers raise into one of the four kinds of provider error."""
    try:
        yield
    except TimeoutError:
        raise _failed(call, "it did not answer in time", "timed_out", "see whether PowerDNS is overloaded") from None
    except ssl.SSLCertVerificationError as error:
        raise Permanent(
            f"{call}: its certificate is not trusted: {error.verify_message}",
            reason="tls_certificate",
            remedy="name the certificates to trust with `ca_file`, or renew the server's",
        ) from error
    except ConnectionRefusedError as error:
        remedy = "start PowerDNS, or switch `webserver` and `api` on and correct `url`"
        raise Transient(f"{call}: connection refused", reason="connect_refused", remedy=remedy) from error
    except ConnectionError as error:
        what, remedy = (
            "it closed the connection without an answer",
            "look into the log of PowerDNS; it may be restarting",
        )
        raise _failed(call, what, "connection_lost", remedy) from error
    except OSError as error:
        what = f"the connection failed ({error.strerror or type(error).__name__})"
        raise _failed(call, what, "network_error", "check the way from this host to PowerDNS, and its TLS") from error
    except (h11.RemoteProtocolError, TooLong, *NONSENSE) as error:
        what = f"its answer makes no sense ({type(error).__name__})"
        raise _failed(call, what, "answer_invalid", "check that the API of PowerDNS listens at `url`") from error


def refusal(response: Response, call: Call) -> ProviderError | None:
    """What the status means, or None when it is a success."""
    status, said = response.status, _said(response)
    if status in _OK:
        return None
    if status in {401, 403}:
        return Permanent(
            f"{call}: it refuses the API key ({status})",
            reason="api_key_refused",
            remedy="compare `key_file` with `api-key` of PowerDNS, and its webserver-allow-from with our address",
        )
    if status == _NOT_FOUND:
        return Permanent(
            f"{call}: it does not have that zone",
            reason="zone_missing",
            remedy=f"create {call.zone} on that server, or correct `zones`, `url` and `server`",
        )
    if status == _TOO_MANY:
        return RateLimited(f"{call}: it asks for fewer requests", reason="throttled")
    if status in _SERVER_ERRORS:
        remedy = "look into the log of PowerDNS: a full disk, or a database that does not answer"
        return _failed(call, f"it failed ({status}) {said}".rstrip(), "server_failure", remedy)
    return _rejected(f"{call}: it answered {status} {said}".rstrip(), conflict="onflicts with" in said)


def _rejected(detail: str, *, conflict: bool) -> ProviderError:
    if conflict:
        return stale(f"{detail}: another record came to stand at the name; nothing was changed")
    remedy = "look into the log of PowerDNS, and report this: the request or the server is defective"
    return Permanent(detail, reason="request_refused", remedy=remedy)


def delegated(call: Call, name: str, cut: str) -> Permanent:
    """What is written would stand there unseen: the zone says that others answer."""
    return Permanent(
        f"{call}: {cut} is delegated, so {name} is not answered from {call.zone}",
        reason="not_authoritative",
        remedy=f"write {name} at the servers that {cut} is delegated to",
    )


def changed(call: Call, name: str) -> Fenced:
    """Somebody else was there between the read that the plan was made from and now."""
    return stale(f"{name} or its marker at {call.url} is no longer what was read; nothing was changed")


def overtaken(call: Call, name: str) -> Fenced:
    """Somebody else was there in the moment of the write, which the API cannot prevent."""
    return Fenced(
        f"{name} at {call.url} was replaced by another writer in the moment when it was written",
        reason="overtaken",
        remedy="let one failoverd alone write this zone through the API, or write by RFC 2136 (`server` and `key`)",
    )


def without_effect(call: Call, name: str) -> Permanent:
    """The server said yes and did nothing."""
    return Permanent(
        f"{call.url} acknowledged the change of {name}, and nothing changed",
        reason=NO_EFFECT,
        remedy="check that `url` is the API of the primary server, and that nothing in between answers for it",
    )


def _failed(call: Call, what: str, reason: str, remedy: str) -> Transient:
    if not call.may_have_happened:
        return Transient(f"{call}: {what}", reason=reason, remedy=remedy)
    return in_doubt(f"the change of {call.zone} was sent to {call.url}", what)


def _said(response: Response) -> str:
    """The server's own words, as far as they may be shown."""
    try:
        said = json.loads(response.body)["error"]
    except NONSENSE:
        return ""
    return quoted(str(said), 200)
