"""Which hosted zone a zone is: as the settings say, or the only public one of its name, looked up once."""

from collections.abc import Callable, Mapping, Sequence

from failoverd.core.errors import Permanent
from failoverd.ports import Urgency
from failoverd.providers.shared.account import Account
from failoverd.providers.shared.batching import Batcher
from failoverd.providers.shared.bucket import Ticket


class Zones:
    """Hosted zone ids by zone.

    Args:
        account: where calls are made.
        known: ids that the settings name.
        find: the ids of the public hosted zones of a name; blocks.
    """

    def __init__(self, account: Account, known: Mapping[str, str], find: Callable[[str], tuple[str, ...]]) -> None:
        self._account = account
        self._known = dict(known)
        self._found: dict[str, str] = {}
        self._find = find
        self._looking: dict[str, Batcher[str, str]] = {}

    def known(self, zone: str) -> str | None:
        """The id, if it is known already."""
        return self._known.get(zone) or self._found.get(zone)

    async def id_of(self, zone: str, urgency: Urgency) -> str:
        """Raises Permanent when there is no such zone (`zone_missing`), or several (`zone_ambiguous`)."""
        known = self.known(zone)
        if known is not None:
            return known
        if zone not in self._looking:
            self._looking[zone] = Batcher(self._account.reads, self._look, splits=False)
        return await self._looking[zone](zone, urgency)

    def forget(self, zone: str) -> None:
        """Look it up again: the zone that was found is gone, perhaps to be made anew under another id."""
        self._found.pop(zone, None)

    async def _look(self, wanted: Sequence[str], ticket: Ticket) -> list[str]:
        """One answer for everybody: they all want the same zone."""
        zone = wanted[0]
        if zone not in self._found:
            self._found[zone] = _only(zone, await self._account.read(ticket, lambda: self._find(zone)))
        return [self._found[zone] for _ in wanted]


def _only(zone: str, ids: tuple[str, ...]) -> str:
    if not ids:
        raise Permanent(
            f"this AWS account has no public hosted zone {zone}",
            reason="zone_missing",
            remedy="correct `zones`, or the account: `profile` decides which one it is",
        )
    if len(ids) > 1:
        raise Permanent(
            f"this AWS account has {len(ids)} public hosted zones {zone}: {', '.join(sorted(ids))}",
            reason="zone_ambiguous",
            remedy=f"say which one, that the registrar delegates to: `hosted_zones: {{{zone}: {min(ids)}}}`",
        )
    return ids[0]
