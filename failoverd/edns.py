"""Servers that do not know EDNS (RFC 6891, 7), for everybody who asks DNS servers."""

from typing import Final

from dns.rcode import BADVERS, FORMERR, NOTIMP

EDNS_REFUSALS: Final = frozenset({FORMERR, NOTIMP, BADVERS})
"""Response codes after which the same question is asked again without EDNS.

FORMERR is what a server has to say that does not implement it; NOTIMP is what some say since RFC 2671; BADVERS cannot
be meant for version 0, and there is no lower one.
"""
