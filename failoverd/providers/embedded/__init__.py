"""The provider without a provider: an authoritative DNS server inside the daemon, with weighted answers.

For the demo, for tests and for staging. Its zones live in memory: they are empty after a start, until
`EmbeddedWriter.seed` puts the last known good answers back. Until `expect` says which names there are, none is denied.

`place` is what stands at a name, `zone` compiles names for answering, `answering` turns a query into an answer, all
three pure; `server` is the transport; `provider` ties them to the port that every provider has.
"""

from failoverd.ports import ProviderKind
from failoverd.providers.embedded.provider import CAPABILITIES, EmbeddedReader, EmbeddedWriter, open_embedded
from failoverd.providers.embedded.settings import NEEDS, EmbeddedSettings

__all__ = ["KIND", "EmbeddedReader", "EmbeddedSettings", "EmbeddedWriter"]

KIND = ProviderKind(
    name="embedded",
    settings=EmbeddedSettings,
    capabilities=CAPABILITIES,
    open=open_embedded,
    in_daemon=True,
    needs=NEEDS,
)
