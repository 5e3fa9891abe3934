"""Refusals that mean the same wherever zones are kept."""

from typing import Final, Protocol

from failoverd.core.errors import Fenced, Permanent

EVERYBODY: Final = frozenset(
    {
        "zone_missing",
        "credentials_missing",
        "credentials_invalid",
        "token_expired",
        "clock_skewed",
        "account_disabled",
        "ca_file_missing",
        "certificate_untrusted",
    }
)
"""Reasons that have nothing to do with what is in a batch, so that its halves would be refused as well.

A missing permission is not one of them: a policy may allow some names of a zone and not others.
"""


class OfZone(Protocol):
    """One request about a zone, as far as its failure has to tell about it: `cannot read zone example.com at dns1`."""

    @property
    def zone(self) -> str: ...

    def __str__(self) -> str: ...


def stale(said: str, reason: str = "stale_generation") -> Fenced:
    """What the plan was made from stands there no more, and nothing was changed."""
    return Fenced(said, reason=reason, remedy="nothing to do: it is read and decided again")


def another_zone(call: OfZone, name: str, zone: str, more: str = "") -> Permanent:
    """What is written into the zone of the call would stand there unseen: clients are answered from the other one.

    `more` follows the remedy.
    """
    return Permanent(
        f"{call}: {name} is answered there from the zone {zone}, and nothing that stands in {call.zone} is seen",
        reason="not_authoritative",
        remedy=f"name {zone} in `zones`{more}",
    )


def clock_skewed(said: str, more: str = "") -> Permanent:
    """`more` is what the cloud has to do with it, and follows the remedy."""
    remedy = f"set this host's clock by NTP (timedatectl timesync-status, chronyc tracking){more}"
    return Permanent(said, reason="clock_skewed", remedy=remedy)
