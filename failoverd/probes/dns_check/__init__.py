"""The `dns` check: an endpoint that is a DNS server is asked a question."""

from failoverd.probes.dns_check.dns_prober import KINDS

__all__ = ["KINDS"]
