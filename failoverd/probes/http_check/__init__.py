"""The `http` and `https` checks: one request, or several steps where redirects are followed."""

from failoverd.probes.http_check.http_prober import KINDS

__all__ = ["KINDS"]
