"""A name that no policy answers for yet gets one: a policy is made, which answers nothing, and then it is attached.

The attachment is the moment that counts. A name has at most one for each type, so of two creators OCI refuses the
second, whose policy is removed again. What is left of a creation that broke off, a policy that is attached nowhere, is
used by the next one: this process remembers it, and another one finds it by its name and its tag. It takes none that is
younger than ten minutes, for that one may be about to be attached by whoever made it.
"""

from collections.abc import Callable, MutableMapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from failoverd.core.control.plan import Plan
from failoverd.core.errors import Permanent, ProviderError
from failoverd.core.records import Marker, Target
from failoverd.ports import Urgency
from failoverd.providers.oci_cloud.client import Zone
from failoverd.providers.oci_cloud.refusals import DOUBTFUL
from failoverd.providers.oci_steering.change import creation_of, display_name
from failoverd.providers.oci_steering.client import Summary, Writer
from failoverd.providers.oci_steering.policies import Policy
from failoverd.providers.shared.account import Account

T = TypeVar("T")

MIN_AGE: Final = timedelta(minutes=10)
"""How old an orphan is that some other process may have left behind."""


class Creating:
    """Creations through one client.

    Args:
        account: where requests are made.
        client: makes them.
        compartment: where new policies are put; None for that of their zone.
        orphans: what this process knows to be left behind: ids of policies, by what they were made for.
    """

    def __init__(
        self, account: Account, client: Writer, compartment: str | None, orphans: MutableMapping[Target, str]
    ) -> None:
        self._account = account
        self._client = client
        self._compartment = compartment
        self._orphans = orphans

    async def __call__(self, plan: Plan, zone: Zone) -> None:
        """Make a policy and attach it.

        Raises:
            ProviderError: a doubtful one when something else answers at the name by now; nothing of ours is left then.
        """
        urgency = Urgency.of(plan)
        compartment = self._compartment or zone.compartment
        body = creation_of(plan, compartment)
        orphan = await self._orphan(plan, zone, compartment, urgency)
        if orphan is None:
            orphan = await self._write(plan, lambda: self._client.create(zone, body))
        else:
            etag, policy = orphan.etag, orphan.id
            changes = {name: value for name, value in body.items() if name != "compartmentId"}
            await self._write(plan, lambda: self._client.update(zone, policy, etag, changes))
        self._orphans[plan.target] = orphan.id
        await self._attach(plan, zone, orphan.id)
        del self._orphans[plan.target]

    async def _attach(self, plan: Plan, zone: Zone, policy: str) -> None:
        try:
            await self._write(plan, lambda: self._client.attach(zone, policy, plan.target.key.name))
        except Permanent as error:
            if error.reason in DOUBTFUL:
                await self._remove(plan, zone, policy)
            raise

    async def _remove(self, plan: Plan, zone: Zone, policy: str) -> None:
        """Remove what lost the race. When that fails, it stays an orphan, and the next creation uses it."""
        urgency = Urgency.of(plan)
        try:
            found = await self._account.read(urgency, lambda: self._client.policy(zone, policy))
            await self._write(plan, lambda: self._client.delete(zone, found))
        except ProviderError:
            return
        self._orphans.pop(plan.target, None)

    async def _orphan(self, plan: Plan, zone: Zone, compartment: str, urgency: Urgency) -> Policy | None:
        """A policy that was made for this target and never attached."""
        known = self._orphans.pop(plan.target, None)
        if known is not None:
            return await self._if_free(zone, known, urgency)
        name = display_name(plan.target.key)
        now, found = await self._account.read(urgency, lambda: self._client.policies(zone, compartment, name))
        for summary in found:
            if _left_behind(summary, plan.marker, now):
                free = await self._if_free(zone, summary.id, urgency)
                if free is not None:
                    return free
        return None

    async def _if_free(self, zone: Zone, policy: str, urgency: Urgency) -> Policy | None:
        """The policy, unless it is attached somewhere, or gone."""
        attached = await self._account.read(urgency, lambda: self._client.attachments(zone, policy=policy))
        if attached.attachments:
            return None
        try:
            return await self._account.read(urgency, lambda: self._client.policy(zone, policy))
        except Permanent as error:
            if error.reason == "permission_denied":  # which is how a policy that is gone looks like
                return None
            raise

    async def _write(self, plan: Plan, call: Callable[[], T]) -> T:
        return await self._account.write(Urgency.of(plan), call)


def _left_behind(summary: Summary, marker: Marker, now: str) -> bool:
    """Whether a creation of this owner and policy left it, long enough ago. `now` is OCI's clock, or ""."""
    found = Marker.parse(summary.marker_text) if summary.marker_text is not None else None
    if found is None or (found.owner, found.policy) != (marker.owner, marker.policy) or summary.state != "ACTIVE":
        return False
    try:
        return parsedate_to_datetime(now) - datetime.fromisoformat(summary.created) >= MIN_AGE
    except ValueError:
        return False
