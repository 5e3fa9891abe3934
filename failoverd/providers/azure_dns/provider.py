"""A resource group with zones of Azure DNS as a provider. Importing this imports the Azure SDK."""

import json
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan
from failoverd.core.records import Observed, RecordSet, Target
from failoverd.ports import Access, Urgency
from failoverd.providers.azure.scope import GroupScope
from failoverd.providers.azure.session import READS, WRITES
from failoverd.providers.azure.settings import PUBLIC_ENDPOINT
from failoverd.providers.azure_dns import records
from failoverd.providers.azure_dns.client import Reader, Writer, connection
from failoverd.providers.azure_dns.reading import Reading
from failoverd.providers.azure_dns.settings import AzureDnsSettings
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.shared import sets
from failoverd.providers.shared.account import Account, account


class AzureDns:
    """Zones of one resource group. What it may do depends on the client that it is given."""

    def __init__(self, scope: GroupScope, client: Reader, rationed: Account) -> None:
        self._scope = scope
        self._client = client
        self._account = rationed
        self._reading: dict[str, Reading] = {}

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:
        if target.zone not in self._reading:
            self._reading[target.zone] = Reading(self._account, self._client, target.zone)
        return await self._reading[target.zone](target, urgency)

    def normalise(self, desired: RecordSet) -> RecordSet:
        return rdata.normalised(desired, records.MAX_ANSWERS)

    async def apply(self, approved: Approved) -> None:
        plan, client = approved.plan, self._client
        if not isinstance(client, Writer):
            raise sets.read_only(plan)
        change = records.change_of(plan)
        with self._account.changes.under_way(plan.target):
            await self._account.write(Urgency.of(plan), lambda: client.put(change))

    def manual(self, plan: Plan) -> str:
        return az_rest(self._scope, plan)


def az_rest(scope: GroupScope, plan: Plan) -> str:
    """An Azure CLI command that sends what failoverd would send, under the same condition, as whoever is signed in.

    A plan that does not know its version (an undo) has no condition to state, and no metadata of others to keep.
    """
    key = plan.target.key
    url = scope.url(
        f"dnsZones/{plan.target.zone}/{key.type}/{records.relative(key.name, plan.target.zone)}", records.API_VERSION
    )
    known = plan.before.token or (plan.before.records is None and plan.before.marker_text is None)
    change = records.change_of(plan) if known else records.unconditional(plan)
    headers = {"Content-Type": "application/json"} | (change.conditions if known else {})
    command = ["az", "rest", "--method", "put" if known else "patch", "--url", url]
    command += ["--headers", json.dumps(headers), "--body", json.dumps(change.body)]
    if scope.base_url != PUBLIC_ENDPOINT:  # else the tool knows whom to send its token to
        command += ["--resource", f"{PUBLIC_ENDPOINT}/"]
    return f"# {key}\n{shlex.join(command)}"


@asynccontextmanager
async def opened(_: str, settings: AzureDnsSettings, access: Access) -> AsyncIterator[AzureDns]:
    """Opening asks nothing of Azure: missing credentials stop each operation with their reason, and not the daemon."""
    scope, client = GroupScope.of(settings), Writer if access is Access.WRITE else Reader
    with closing(connection(settings)) as session:
        async with account(READS, WRITES) as rationed:
            yield AzureDns(scope, client(session, scope), rationed)
