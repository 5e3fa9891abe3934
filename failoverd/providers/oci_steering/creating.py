"""A name that no policy answers for yet gets one: a policy is made, which answers nothing, and then it is attached.

The attachment is the moment that counts. A name has at most one for each type, so of two creators OCI refuses the
second, whose policy is removed again.

What is left of a creation that broke off is a policy that is attached nowhere. This process remembers its own; others
are found by their name and their tag. One is used by the next creation, but for those that are younger than ten
minutes, which may be about to be attached by whoever made them: written over then, they would answer what nobody
planned. Once something is attached they can be attached no more, so then all that are left are removed: after a
creation, and after the first change of a name by this process, for the one before may have been killed in between. OCI
itself deletes no policy that is attached.
"""

from collections.abc import Callable, MutableMapping, MutableSet, Sequence
from contextlib import suppress
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
from failoverd.providers.oci_steering.client import PolicySummary, Writer
from failoverd.providers.oci_steering.policies import SteeringPolicy
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
        cleared: what this process has cleared of all that others may have left behind.
    """

    def __init__(
        self,
        account: Account,
        client: Writer,
        compartment: str | None,
        orphans: MutableMapping[Target, str],
        cleared: MutableSet[Target],
    ) -> None:
        self._account = account
        self._client = client
        self._compartment = compartment
        self._orphans = orphans
        self._cleared = cleared

    async def __call__(self, plan: Plan, zone: Zone) -> None:
        """Make a policy and attach it.

        Raises:
            ProviderError: a doubtful one when something else answers at the name by now; nothing of ours is left then.
        """
        body = creation_of(plan, self._compartment or zone.compartment)
        now, left = await self._left(plan, zone)
        orphan = await self._orphan(plan, zone, [each.id for each in left if _is_old(each, now)])
        if orphan is None:
            orphan = await self._write(plan, lambda: self._client.create(zone, body))
        else:
            etag, policy = orphan.etag, orphan.id
            changes = {name: value for name, value in body.items() if name != "compartmentId"}
            await self._write(plan, lambda: self._client.update(zone, policy, etag, changes))
        self._orphans[plan.target] = orphan.id
        await self._attach(plan, zone, orphan.id)
        del self._orphans[plan.target]
        await self.clear(plan, zone, [each.id for each in left if each.id != orphan.id])

    async def clear(self, plan: Plan, zone: Zone, left: Sequence[str] | None = None) -> None:
        """Remove what is left behind of a name that something answers for now.

        Nothing that goes wrong with it concerns the change that was just made: the next one tries again.

        Args:
            plan: what was just written.
            zone: where.
            left: ids of policies that may be left behind; None to look for them, unless that was done.
        """
        if left is None and plan.target in self._cleared:
            return
        self._cleared.discard(plan.target)
        with suppress(ProviderError):
            if left is None:
                left = [each.id for each in (await self._left(plan, zone))[1]]
            for policy in left:
                free = await self._if_free(zone, policy, Urgency.of(plan))
                if free is not None:
                    await self._delete(plan, zone, free)
            self._cleared.add(plan.target)

    async def _attach(self, plan: Plan, zone: Zone, policy: str) -> None:
        try:
            await self._write(plan, lambda: self._client.attach(zone, policy, plan.target.key.name))
        except Permanent as error:
            if error.reason in DOUBTFUL:
                await self._remove(plan, zone, policy)
            raise

    async def _remove(self, plan: Plan, zone: Zone, policy: str) -> None:
        """Remove what lost the race. When that fails, it stays an orphan, and the next creation uses it."""
        try:
            found = await self._account.read(Urgency.of(plan), lambda: self._client.policy(zone, policy))
            await self._delete(plan, zone, found)
        except ProviderError:
            return
        self._orphans.pop(plan.target, None)

    async def _delete(self, plan: Plan, zone: Zone, policy: SteeringPolicy) -> None:
        await self._write(plan, lambda: self._client.delete(zone, policy))

    async def _left(self, plan: Plan, zone: Zone) -> tuple[str, list[PolicySummary]]:
        """OCI's clock, and the policies that this owner and policy made for the target, attached or not."""
        compartment, name = self._compartment or zone.compartment, display_name(plan.target.key)
        now, found = await self._account.read(Urgency.of(plan), lambda: self._client.policies(zone, compartment, name))
        return now, [each for each in found if _is_ours(each, plan.marker)]

    async def _orphan(self, plan: Plan, zone: Zone, old: Sequence[str]) -> SteeringPolicy | None:
        """A policy that was made for this target and never attached: the one that is known, or one of the old ones."""
        known = self._orphans.pop(plan.target, None)
        for policy in [known] if known is not None else old:
            free = await self._if_free(zone, policy, Urgency.of(plan))
            if free is not None:
                return free
        return None

    async def _if_free(self, zone: Zone, policy: str, urgency: Urgency) -> SteeringPolicy | None:
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


def _is_ours(summary: PolicySummary, marker: Marker) -> bool:
    """Whether this owner and policy made it."""
    found = Marker.parse(summary.marker_text) if summary.marker_text is not None else None
    ours = found is not None and (found.owner, found.policy) == (marker.owner, marker.policy)
    return ours and summary.state == "ACTIVE"


def _is_old(summary: PolicySummary, now: str) -> bool:
    """Whether whoever made it is not about to attach it any more. `now` is OCI's clock, or ""."""
    try:
        return parsedate_to_datetime(now) - datetime.fromisoformat(summary.created) >= MIN_AGE
    except ValueError:
        return False
