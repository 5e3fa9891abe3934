"""Reads of profiles that are wanted at the same time, in one request, those between the steps of a write among them.

A policy knows a profile by the name that it answers for; Azure knows it by the name of the resource, which may differ
and is found in the listing of the resource group. One request brings all of them, with their endpoints. A single one
whose resource name is known is asked for by itself.
"""

from collections.abc import Sequence

from failoverd.core.errors import Permanent
from failoverd.core.records import Target
from failoverd.ports import Urgency
from failoverd.providers.azure.scope import GroupScope
from failoverd.providers.azure_traffic_manager.client import Reader
from failoverd.providers.azure_traffic_manager.profile import Profile
from failoverd.providers.shared.account import Account
from failoverd.providers.shared.batching import Batcher
from failoverd.providers.shared.bucket import Ticket


class Reading:
    """Finds profiles of one resource group by the names that they answer for."""

    def __init__(self, account: Account, client: Reader, scope: GroupScope) -> None:
        self._account = account
        self._client = client
        self._scope = scope
        self._seen: dict[str, Profile] = {}
        self._batches: Batcher[str, Profile | None] = Batcher(account.reads, self._read, changes=account.changes)

    async def __call__(self, target: Target, urgency: Urgency) -> Profile:
        """The profile of the target's name, as it stands after this call. Raises Permanent when there is none."""
        profile = await self._batches(target.key.name, urgency)
        if profile is None:
            raise Permanent(
                f"no Traffic Manager profile in {self._scope} answers for {target.key.name}",
                reason="profile_missing",
                remedy="create the profile (routing method Weighted), or correct the record's name, "
                "`resource_group` or `subscription`; failoverd creates endpoints, and no profiles",
            )
        return profile

    async def _read(self, wanted: Sequence[str], ticket: Ticket) -> Sequence[Profile | None]:
        if len(set(wanted)) == 1 and wanted[0] in self._seen:
            name = self._seen[wanted[0]].name
            profile = await self._account.read(ticket, lambda: self._client.profile(name))
            if profile is not None and profile.fqdn == wanted[0]:
                self._seen[profile.fqdn] = profile
                return [profile] * len(wanted)
        profiles = await self._account.read(ticket, self._client.profiles)
        self._seen = {profile.fqdn: profile for profile in profiles}
        return [self._seen.get(fqdn) for fqdn in wanted]

    def last_seen(self, fqdn: str) -> Profile | None:
        """The profile as it was read last, if it ever was."""
        return self._seen.get(fqdn)
