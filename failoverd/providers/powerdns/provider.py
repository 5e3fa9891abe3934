"""The provider: a way to read and a way to write, chosen by what the configuration names."""

from abc import ABC, abstractmethod

from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan
from failoverd.core.records import Observed, RecordSet, Target
from failoverd.ports import Access, Urgency
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.dnsupdate.client import Reader, Writer
from failoverd.providers.dnsupdate.manual import nsupdate
from failoverd.providers.dnsupdate.secret import KeyFile
from failoverd.providers.dnsupdate.settings import TsigSettings
from failoverd.providers.powerdns import content
from failoverd.providers.powerdns.dns_update import Transfers, change_of, explained
from failoverd.providers.powerdns.http_api import ApiReader, ApiWriter, curl
from failoverd.providers.powerdns.settings import ApiSettings, PowerdnsSettings
from failoverd.providers.shared import sets
from failoverd.settings import ServerAddress


class PowerDns(ABC):
    """One server. What it may do depends on the client that it is given."""

    def __init__(self, reading: ApiReader | Transfers) -> None:
        self._reading = reading

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:  # noqa: ARG002 - nothing is rationed here
        return await self._reading.read(target)

    def normalise(self, desired: RecordSet) -> RecordSet:
        """Weights for A, AAAA and CNAME, said in Lua; SRV with the weights of its own."""
        if desired.key.type in content.SAID_IN_LUA:
            return content.normalise(desired)
        return rdata.normalised(desired)

    @abstractmethod
    async def apply(self, approved: Approved) -> None: ...

    @abstractmethod
    def manual(self, plan: Plan) -> str: ...


class ByUpdate(PowerDns):
    """Writes by RFC 2136: the server compares, and refuses a stale writer."""

    def __init__(
        self, server: ServerAddress, key: TsigSettings, file: KeyFile, client: Reader, api: ApiReader | None
    ) -> None:
        super().__init__(api or Transfers(client))
        self._server = server
        self._key = key
        self._file = file
        self._client = client

    async def apply(self, approved: Approved) -> None:
        if not isinstance(self._client, Writer):
            raise sets.read_only(approved.plan)
        await self._client.update(change_of(approved.plan))

    def manual(self, plan: Plan) -> str:
        return nsupdate(self._server, self._key, self._file, change_of(plan), explained(plan))


class ByApi(PowerDns):
    """Writes through the HTTP API, which has no condition: see `http_api.py`."""

    def __init__(self, settings: ApiSettings, client: ApiReader) -> None:
        super().__init__(client)
        self._settings = settings
        self._client = client

    async def apply(self, approved: Approved) -> None:
        if not isinstance(self._client, ApiWriter):
            raise sets.read_only(approved.plan)
        await self._client.apply(approved.plan)

    def manual(self, plan: Plan) -> str:
        return curl(self._settings, plan)


def provider(settings: PowerdnsSettings, access: Access) -> PowerDns:
    """Touches nothing: a missing secret stops each operation with its reason, and not the daemon."""
    writes = access is Access.WRITE
    if settings.server is not None and settings.key is not None:
        file = KeyFile(settings.key)
        client = (Writer if writes else Reader)(settings.server, file.load, settings.timeout)
        api = ApiReader(settings.api, settings.timeout) if settings.api is not None else None
        return ByUpdate(settings.server, settings.key, file, client, api)
    if settings.api is None:
        raise ValueError("the settings say no way to write")  # the model refuses them
    return ByApi(settings.api, (ApiWriter if writes else ApiReader)(settings.api, settings.timeout))
