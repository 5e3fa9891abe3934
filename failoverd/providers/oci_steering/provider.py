"""Steering policies of one tenancy as a provider. Importing this imports the OCI SDK, so only opening one does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace

from failoverd.core.control.limits import Approved
from failoverd.core.control.plan import Plan
from failoverd.core.errors import Permanent
from failoverd.core.records import Observed, RecordSet, Target
from failoverd.ports import Access, Urgency
from failoverd.providers.oci_cloud.client import THREADS, Connection, Zone
from failoverd.providers.oci_cloud.errors import Call
from failoverd.providers.oci_cloud.refusals import DOUBTFUL, explained, moved, refuse_foreign
from failoverd.providers.oci_steering import change, manual
from failoverd.providers.oci_steering.attachments import Attachments
from failoverd.providers.oci_steering.client import Reader, Writer
from failoverd.providers.oci_steering.creating import Creating
from failoverd.providers.oci_steering.policies import SteeringPolicy
from failoverd.providers.oci_steering.settings import OciSteeringSettings
from failoverd.providers.oci_steering.standing import PolicyVersion, Standing, observed
from failoverd.providers.shared import sets
from failoverd.providers.shared.account import Account, account
from failoverd.providers.shared.bucket import Rate
from failoverd.providers.shared.refusals import stale
from failoverd.providers.shared.unanswered import sensible

_DOUBTFUL = DOUBTFUL | {"permission_denied"}
"""Refusals of a write that a change in between would explain: what is gone looks like what may not be seen."""


class OciSteering:
    """Steered names of one tenancy. What it may do depends on the client that it is given."""

    def __init__(self, settings: OciSteeringSettings, client: Reader, rationed: Account) -> None:
        self._settings = settings
        self._client = client
        self._account = rationed
        self._zones: dict[str, Zone] = {}
        self._looking: dict[str, asyncio.Lock] = {}
        self._attachments: dict[str, Attachments] = {}
        self._seen: dict[Target, Standing] = {}
        self._orphans: dict[Target, str] = {}
        self._cleared: set[Target] = set()

    async def read(self, target: Target, *, urgency: Urgency = Urgency.ROUTINE) -> Observed:
        try:
            standing = await self._standing(target, urgency)
        except Permanent as error:
            self._doubt(target, error)
            raise
        with sensible(Call(target.provider, f"read {target.key}")):
            found = observed(target, standing)
        self._seen[target] = standing
        return found

    def normalise(self, desired: RecordSet) -> RecordSet:
        return change.normalise(desired)

    async def apply(self, approved: Approved) -> None:
        plan, client = approved.plan, self._client
        if not isinstance(client, Writer):
            raise sets.read_only(plan)
        sets.serving(plan.after)
        refuse_foreign(plan)
        if not plan.before.token:
            plan = await self._as_found(plan)
        try:
            await self._write(plan, client)
        except Permanent as error:
            self._doubt(plan.target, error)
            if error.reason not in _DOUBTFUL:
                raise
            found = await self.read(plan.target, urgency=Urgency.of(plan))
            raise explained(plan.before, found, error) from error

    def manual(self, plan: Plan) -> str:
        """Commands of the OCI CLI, with the same fence where the plan says which version it was made from."""
        seen = self._seen.get(plan.target)
        if seen is None or seen.policy is None:
            return manual.creating(self._settings, plan, seen.zone if seen is not None else None)
        etag = PolicyVersion.parse(plan.before.token).etag if plan.before.token else ""
        return manual.updating(self._settings, plan, seen.policy, etag)

    # -- reading -------------------------------------------------------------------------------------------------------

    async def _standing(self, target: Target, urgency: Urgency) -> Standing:
        """The policies attached to the name; and, when nothing answers for us or it is not ours yet, what is around."""
        key = target.key
        zone = await self._zone(target.zone, urgency)
        attached = await self._attachments_of(zone)(key.name, urgency)
        policies = [await self._policy(zone, each, urgency) for each in dict.fromkeys(at.policy for at in attached)]
        standing = Standing.choose(zone, policies, key.type)
        if standing.policy is None:
            plain = await self._account.read(urgency, lambda: self._client.plain_types(zone, key.name))
            return replace(standing, plain=plain)
        if standing.policy.owns(key.type):
            return standing
        return replace(standing, names=await self._names(zone, standing.policy, urgency))

    async def _zone(self, zone: str, urgency: Urgency) -> Zone:
        async with self._looking.setdefault(zone, asyncio.Lock()):
            if zone not in self._zones:
                said = self._settings.zone_ids.get(zone, zone)
                self._zones[zone] = await self._account.read(urgency, lambda: self._client.zone(said))
            return self._zones[zone]

    async def _policy(self, zone: Zone, policy: str, urgency: Urgency) -> SteeringPolicy:
        return await self._account.read(urgency, lambda: self._client.policy(zone, policy))

    async def _names(self, zone: Zone, policy: SteeringPolicy, urgency: Urgency) -> tuple[str, ...]:
        """The names that a policy answers at: to change it for one would change it for all."""
        page = await self._account.read(urgency, lambda: self._client.attachments(zone, policy=policy.id))
        return tuple(sorted(each.domain for each in page.attachments))

    def _attachments_of(self, zone: Zone) -> Attachments:
        if zone.id not in self._attachments:
            self._attachments[zone.id] = Attachments(
                self._account, lambda domain, page: self._client.attachments(zone, domain=domain, page=page)
            )
        return self._attachments[zone.id]

    # -- writing -------------------------------------------------------------------------------------------------------

    async def _as_found(self, plan: Plan) -> Plan:
        """The plan with the version of what it was made from. Raises Fenced when that stands there no more."""
        found = await self.read(plan.target, urgency=Urgency.of(plan))
        fenced = moved(plan.before, found, f"{plan.target} is no more what the plan was made from")
        if fenced is not None:
            raise fenced
        return replace(plan, before=found)

    async def _write(self, plan: Plan, client: Writer) -> None:
        urgency = Urgency.of(plan)
        zone = await self._zone(plan.target.zone, urgency)
        creating = Creating(self._account, client, self._settings.compartment, self._orphans, self._cleared)
        if not plan.before.token:
            await creating(plan, zone)
            return
        policy = await self._base(plan, zone, urgency)
        body = change.update_of(plan, policy)
        await self._account.write(urgency, lambda: client.update(zone, policy.id, policy.etag, body))
        if not urgency.fails_out:  # then others may be waiting to leave a dead region
            await creating.clear(plan, zone)

    async def _base(self, plan: Plan, zone: Zone, urgency: Urgency) -> SteeringPolicy:
        """The policy as the plan saw it. Raises Fenced when it is another version by now."""
        wanted, seen = PolicyVersion.parse(plan.before.token), self._seen.get(plan.target)
        if seen is not None and seen.policy is not None and PolicyVersion.of(seen.policy) == wanted:
            return seen.policy
        policy = await self._policy(zone, wanted.policy, urgency)
        if PolicyVersion.of(policy) != wanted:
            raise stale(f"the steering policy of {plan.target} is not the version that the plan was made from")
        return policy

    def _doubt(self, target: Target, error: Permanent) -> None:
        """A zone that is gone may be made anew, with another OCID."""
        if error.reason == "zone_missing":
            self._zones.pop(target.zone, None)


@asynccontextmanager
async def opened(name: str, settings: OciSteeringSettings, access: Access) -> AsyncIterator[OciSteering]:
    """Opening asks nothing of OCI: missing credentials stop each operation with their reason, and not the daemon."""
    client = Writer if access is Access.WRITE else Reader
    with closing(Connection(name, settings)) as connection:
        async with account(Rate(settings.requests_per_second), threads=THREADS) as rationed:
            yield OciSteering(settings, client(connection), rationed)
