"""One AWS account as a provider. Importing this imports the AWS SDK, so only opening one does."""

import json
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan
from failoverd.core.errors import Permanent
from failoverd.core.records import Observed, RecordSet, Target
from failoverd.ports import Access, Urgency
from failoverd.providers.route53 import records
from failoverd.providers.route53.change import change_of, observed
from failoverd.providers.route53.client import THREADS, Connection, Reader, Writer
from failoverd.providers.route53.errors import Call
from failoverd.providers.route53.names import absolute
from failoverd.providers.route53.reading import Reading
from failoverd.providers.route53.settings import Route53Settings
from failoverd.providers.route53.spreading import Spreading
from failoverd.providers.route53.writing import Writing
from failoverd.providers.route53.zones import Zones
from failoverd.providers.shared import sets
from failoverd.providers.shared.account import Account, account
from failoverd.providers.shared.bucket import Rate
from failoverd.providers.shared.unanswered import sensible


class Route53:
    """Hosted zones of one account. What it may do depends on the client that it is given."""

    def __init__(self, settings: Route53Settings, client: Reader, rationed: Account) -> None:
        self._settings = settings
        self._client = client
        self._account = rationed
        self._zones = Zones(rationed, settings.hosted_zones, client.zones)
        self._reading: dict[str, Reading] = {}
        self._writing: dict[str, Writing] = {}
        self._spreading = Spreading(self._spread)
        self._changes: dict[Target, str] = {}

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:
        zone_id = await self._zones.id_of(target.zone, urgency)
        try:
            standing = await self._reading_of(zone_id)(target.key.name, urgency)
        except Permanent as error:
            self._doubt(target, error)
            raise
        with sensible(Call(target.provider, f"read {target.key}")):
            return observed(target, standing.at_name, standing.at_marker)

    def normalise(self, desired: RecordSet) -> RecordSet:
        return records.normalise(desired)

    async def apply(self, approved: Approved) -> None:
        plan, client = approved.plan, self._client
        if not isinstance(client, Writer):
            raise sets.read_only(plan)
        change, urgency = change_of(plan), Urgency.of(plan)
        zone_id = await self._zones.id_of(plan.target.zone, urgency)
        self._changes.pop(plan.target, None)  # an outcome that stays unknown must not be taken for an earlier change
        try:
            self._changes[plan.target] = await self._writing_of(zone_id, client)(change, urgency)
        except Permanent as error:
            self._doubt(plan.target, error)
            raise

    async def propagated(self, target: Target) -> bool:
        """Return once Route 53 calls the last change of the target INSYNC; at once when this process knows no id."""
        change_id = self._changes.get(target)
        if change_id is None:
            return False
        await self._spreading.wait(change_id)
        return True

    def manual(self, plan: Plan) -> str:
        """An AWS CLI command with the same fence. It finds the hosted zone by itself where that is not known."""
        options = {"--profile": self._settings.profile, "--endpoint-url": self._settings.endpoint}
        common = ["aws", *(word for pair in options.items() if pair[1] is not None for word in map(str, pair))]
        batch = json.dumps({"Changes": change_of(plan).actions}, separators=(",", ":"))
        change = [*common, "route53", "change-resource-record-sets", "--change-batch", batch]
        return f"{shlex.join(change)} --hosted-zone-id {self._zone_for_shell(plan.target.zone, common)}"

    def _zone_for_shell(self, zone: str, common: list[str]) -> str:
        known = self._zones.known(zone)
        if known is not None:
            return shlex.quote(known)
        query = f"HostedZones[?Name=='{absolute(zone)}' && Config.PrivateZone==`false`].Id"
        find = ["route53", "list-hosted-zones-by-name", "--dns-name", zone, "--query", query, "--output", "text"]
        return f'"$({shlex.join([*common, *find])})"'

    def _doubt(self, target: Target, error: Permanent) -> None:
        if error.reason == "zone_missing":
            self._zones.forget(target.zone)

    def _reading_of(self, zone_id: str) -> Reading:
        if zone_id not in self._reading:
            self._reading[zone_id] = Reading(self._account, lambda start: self._client.page(zone_id, start))
        return self._reading[zone_id]

    def _writing_of(self, zone_id: str, client: Writer) -> Writing:
        if zone_id not in self._writing:
            self._writing[zone_id] = Writing(self._account, lambda actions: client.change(zone_id, actions))
        return self._writing[zone_id]

    async def _spread(self, change_id: str) -> bool:
        return await self._account.read(Urgency.ROUTINE, lambda: self._client.spread(change_id))


@asynccontextmanager
async def opened(name: str, settings: Route53Settings, access: Access) -> AsyncIterator[Route53]:
    """Opening asks nothing of AWS: missing credentials stop each operation with their reason, and not the daemon."""
    client = Writer if access is Access.WRITE else Reader
    rate = Rate(settings.requests_per_second)
    with closing(Connection(name, settings)) as connection:
        async with account(rate, threads=THREADS) as rationed:
            yield Route53(settings, client(connection), rationed)
