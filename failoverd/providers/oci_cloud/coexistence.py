"""Record types that exclude others at their name, and those that exclude nothing."""

from typing import Final

ALIASES: Final = frozenset({"CNAME", "ALIAS"})
"""Types that answer for addresses. ALIAS is OCI's own: a CNAME for the top of a zone."""

BESIDE_ANYTHING: Final = frozenset({"DNSKEY", "DS", "KEY", "NSEC", "NSEC3", "RRSIG"})
"""What DNSSEC puts beside any record, a CNAME included (RFC 4035, 2.5)."""
