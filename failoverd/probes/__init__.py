"""One module per family of probes. Each exports its `ProbeKind`s; a failing target is data, never an exception."""

from failoverd.ports import ProbeKind
from failoverd.probes import http, tcp


def kinds() -> dict[str, ProbeKind]:
    """Every check kind by name."""
    return {kind.name: kind for kind in (*http.KINDS, *tcp.KINDS)}
