"""A resource group with Traffic Manager profiles as a provider. Importing this imports the Azure SDK."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing

from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan
from failoverd.core.errors import Permanent
from failoverd.core.records import Observed, RecordSet, Target
from failoverd.ports import Access, Urgency
from failoverd.providers.azure.scope import GroupScope
from failoverd.providers.azure.session import READS, WRITES
from failoverd.providers.azure_traffic_manager import profile as profiles
from failoverd.providers.azure_traffic_manager.client import Reader, Writer, connection
from failoverd.providers.azure_traffic_manager.manual import az
from failoverd.providers.azure_traffic_manager.profile import Profile, ProfileEndpoint
from failoverd.providers.azure_traffic_manager.reading import Reading
from failoverd.providers.azure_traffic_manager.settings import AzureTrafficManagerSettings
from failoverd.providers.azure_traffic_manager.steering import steer
from failoverd.providers.shared import sets
from failoverd.providers.shared.account import Account, account
from failoverd.providers.shared.unanswered import sensible


class AzureTrafficManager:
    """Profiles of one resource group. What it may do depends on the client that it is given."""

    def __init__(self, settings: AzureTrafficManagerSettings, client: Reader, rationed: Account) -> None:
        self._zones = settings.zones
        self._scope = GroupScope.of(settings)
        self._client = client
        self._account = rationed
        self._reading = Reading(rationed, client, self._scope)

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:
        found = await self._find(target, urgency)
        with sensible(self._client.reading(found.name)):
            return profiles.observe(target, found)

    def normalise(self, desired: RecordSet) -> RecordSet:
        """Weights from 1 to 1000; what never serves is left out, for it is a disabled endpoint."""
        said = sets.weighted(desired, profiles.MAX_WEIGHT, fill=True)
        sets.refuse_more_than(said, profiles.MAX_ANSWERS)
        return said

    async def apply(self, approved: Approved) -> Observed:
        plan, client = approved.plan, self._client
        if not isinstance(client, Writer):
            raise sets.read_only(plan)
        urgency = Urgency.of(plan)

        async def read() -> Profile:
            return await self._find(plan.target, urgency)

        requests = _Requests(self._account, client, read, urgency)
        with self._account.changes.under_way(plan.target):
            found = await steer(plan, requests, writer=f"{plan.id}/{uuid.uuid4().hex}")
        return profiles.observe(plan.target, found)

    def manual(self, plan: Plan) -> str:
        return az(self._scope, plan, self._reading.last_seen(plan.target.key.name))

    async def _find(self, target: Target, urgency: Urgency) -> Profile:
        if target.zone not in self._zones:
            raise Permanent(
                f"{target.zone} is no domain of the Traffic Manager profiles that provider {target.provider} steers",
                reason="zone_missing",
                remedy="correct `zones`: a record of Traffic Manager is the profile's own name",
            )
        return await self._reading(target, urgency)


class _Requests:
    """The requests of one write to one profile."""

    def __init__(
        self, rationed: Account, client: Writer, read: Callable[[], Awaitable[Profile]], urgency: Urgency
    ) -> None:
        self._account = rationed
        self._client = client
        self._read = read
        self._urgency = urgency
        self._name = ""  # of the resource, once it was read

    async def read(self) -> Profile:
        found = await self._read()
        self._name = found.name
        return found

    async def claim(self, tags: Mapping[str, str]) -> None:
        await self._account.write(self._urgency, lambda: self._client.claim(self._name, tags))

    async def set_ttl(self, profile: Profile, ttl: int) -> None:
        await self._account.write(self._urgency, lambda: self._client.set_ttl(profile, ttl))

    async def create(self, endpoint: ProfileEndpoint) -> None:
        await self._account.write(self._urgency, lambda: self._client.create(self._name, endpoint))

    async def update(self, endpoint: ProfileEndpoint) -> None:
        await self._account.write(self._urgency, lambda: self._client.update(self._name, endpoint))


@asynccontextmanager
async def opened(_: str, settings: AzureTrafficManagerSettings, access: Access) -> AsyncIterator[AzureTrafficManager]:
    """Opening asks nothing of Azure: missing credentials stop each operation with their reason, and not the daemon."""
    scope, client = GroupScope.of(settings), Writer if access is Access.WRITE else Reader
    with closing(connection(settings)) as session:
        async with account(READS, WRITES) as rationed:
            yield AzureTrafficManager(settings, client(session, scope), rationed)
