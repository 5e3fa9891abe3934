"""Zones of OCI DNS as a provider. Importing this imports the OCI SDK, so only opening one does."""

import json
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan
from failoverd.core.errors import Permanent
from failoverd.core.records import Observed, RecordSet, Target
from failoverd.ports import Access, Urgency
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.oci_cloud.client import THREADS, Connection
from failoverd.providers.oci_cloud.commands import oci
from failoverd.providers.oci_cloud.errors import Call
from failoverd.providers.oci_cloud.refusals import DOUBTFUL, explained
from failoverd.providers.oci_dns import records
from failoverd.providers.oci_dns.change import change_of
from failoverd.providers.oci_dns.client import Reader, Writer
from failoverd.providers.oci_dns.reading import Reading
from failoverd.providers.oci_dns.settings import OciDnsSettings
from failoverd.providers.oci_dns.writing import Writing
from failoverd.providers.shared import sets
from failoverd.providers.shared.account import Account, account
from failoverd.providers.shared.bucket import Rate
from failoverd.providers.shared.unanswered import sensible


class OciDns:
    """Zones of one tenancy. What it may do depends on the client that it is given."""

    def __init__(self, settings: OciDnsSettings, client: Reader, rationed: Account) -> None:
        self._settings = settings
        self._client = client
        self._account = rationed
        self._reading: dict[str, Reading] = {}
        self._writing: dict[str, Writing] = {}

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:
        found = await self._reading_of(target.zone)(target, urgency)
        with sensible(Call(target.provider, f"read {target.key}")):
            return records.standing(target, found)

    def normalise(self, desired: RecordSet) -> RecordSet:
        return rdata.normalised(desired, records.MAX_ANSWERS)

    async def apply(self, approved: Approved) -> None:
        plan, client = approved.plan, self._client
        if not isinstance(client, Writer):
            raise sets.read_only(plan)
        change, urgency = change_of(plan), Urgency.of(plan)
        try:
            with self._account.changes.under_way(plan.target):
                await self._writing_of(plan.target.zone, client)(change, urgency)
        except Permanent as error:
            if error.reason not in DOUBTFUL:
                raise
            raise explained(plan.before, await self.read(plan.target, urgency=urgency), error) from error

    def manual(self, plan: Plan) -> str:
        """A command of the OCI CLI with the same fence."""
        items = json.dumps(change_of(plan).operations, separators=(",", ":"))
        zone = self._zone(plan.target.zone)
        patch = ["dns", "record", "zone", "patch", "--zone-name-or-id", zone, "--items", items]
        return shlex.join([*oci(self._settings), *patch])

    def _zone(self, zone: str) -> str:
        """How OCI is told which zone is meant: by its name, or the OCID that the settings give it."""
        return self._settings.zone_ids.get(zone, zone)

    def _reading_of(self, zone: str) -> Reading:
        if zone not in self._reading:
            said = self._zone(zone)
            self._reading[zone] = Reading(
                self._account, zone, lambda search, page: self._client.page(said, search, page)
            )
        return self._reading[zone]

    def _writing_of(self, zone: str, client: Writer) -> Writing:
        if zone not in self._writing:
            said, most = self._zone(zone), self._settings.operations_per_request
            self._writing[zone] = Writing(self._account, lambda operations: client.patch(said, operations), most)
        return self._writing[zone]


@asynccontextmanager
async def opened(name: str, settings: OciDnsSettings, access: Access) -> AsyncIterator[OciDns]:
    """Opening asks nothing of OCI: missing credentials stop each operation with their reason, and not the daemon."""
    client = Writer if access is Access.WRITE else Reader
    with closing(Connection(name, settings)) as connection:
        async with account(Rate(settings.requests_per_second), threads=THREADS) as rationed:
            yield OciDns(settings, client(connection), rationed)
