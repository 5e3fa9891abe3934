"""Refusals that mean the same at every cloud."""

from typing import Final

from failoverd.core.errors import Permanent

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


def clock_skewed(said: str, more: str = "") -> Permanent:
    """`more` is what the cloud has to do with it, and follows the remedy."""
    remedy = f"set this host's clock by NTP (timedatectl timesync-status, chronyc tracking){more}"
    return Permanent(said, reason="clock_skewed", remedy=remedy)
