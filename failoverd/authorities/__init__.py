"""The authoritative servers of the zones, asked directly over DNS: the witnesses of every change.

`dns_query` is one question and its answer on the wire, `delegation` finds out who answers for a zone, `questioning`
puts what they say into the terms of `ports.Authorities`.
"""

from failoverd.authorities.delegation import Delegations
from failoverd.authorities.questioning import DnsAuthorities, Served

__all__ = ["Delegations", "DnsAuthorities", "Served"]
