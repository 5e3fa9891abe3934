"""What would be done if regions were down, a cloud were lost, or a region were drained: `plan` of what is not so.

What is supposed is put into what is known: the health of regions, and operators' words. From there on it is `plan`,
record by record, with the regions that policies share shared out anew, for the others lose what this one loses. It
supposes that the failures are believed: whether the prober would doubt itself is not played.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from failoverd.core.control.outcome import Estate
from failoverd.core.control.state import PolicyState, Verdicts
from failoverd.core.errors import FailoverdError
from failoverd.core.overrides import Override, Scope, Verb
from failoverd.core.records import Observed, Policy, Target
from failoverd.operations.ahead import HORIZON
from failoverd.operations.planning import Lookout, PlanFinding, back, make_plans
from failoverd.operations.slips import unknown
from failoverd.ports import Urgency
from failoverd.runtime.estate import Shared


@dataclass(frozen=True, slots=True)
class Supposition:
    """What is not so, and asked about: regions and clouds that are down, and regions that are drained. By name."""

    down: frozenset[str] = frozenset()
    clouds: frozenset[str] = frozenset()
    drained: frozenset[str] = frozenset()

    def text(self) -> str:
        """As people say it: `azure-eastus and cloud oci down, aws-use1 drained`."""
        lost = [*sorted(self.down), *(f"cloud {name}" for name in sorted(self.clouds))]
        parts = [
            f"{' and '.join(names)} {how}"
            for names, how in ((lost, "down"), (sorted(self.drained), "drained"))
            if names
        ]
        return ", ".join(parts)

    def loses(self, policy: Policy) -> frozenset[str]:
        """The regions of a policy that would be down."""
        return frozenset(spec.name for spec in policy.regions if spec.name in self.down or spec.cloud in self.clouds)

    def concerns(self, policy: Policy) -> bool:
        """Whether a region of the policy would be down, or drained."""
        return bool(self.loses(policy)) or any(spec.name in self.drained for spec in policy.regions)

    def within(self, policies: Mapping[str, Policy]) -> "Supposition":
        """The part of it that these policies know."""
        regions, clouds = regions_of(policies), clouds_of(policies)
        return Supposition(self.down & regions, self.clouds & clouds, self.drained & regions)


NOTHING: Final = Supposition()


def regions_of(policies: Mapping[str, Policy]) -> frozenset[str]:
    return frozenset(spec.name for policy in policies.values() for spec in policy.regions)


def clouds_of(policies: Mapping[str, Policy]) -> frozenset[str]:
    return frozenset(spec.cloud for policy in policies.values() for spec in policy.regions) - {""}


async def plans_if(
    at: Lookout, said: Supposition, policies: Sequence[Policy], returning: frozenset[str], *, supposed: bool = False
) -> list[PlanFinding]:
    """What would be done about these policies if that were so; and, without it, what would be done now.

    `supposed`: `at` is not what is at work either, so that nothing of it may be applied.

    Raises:
        ConfigError: no policy has such a region or cloud.
    """
    _require_known(at, said)
    if said == NOTHING:
        return await make_plans(at, policies, returning, supposed=supposed)
    return await make_plans(_Supposed(at, said), policies, returning, supposed=True)


def _require_known(at: Lookout, said: Supposition) -> None:
    known = {"region": regions_of(at.policies), "cloud": clouds_of(at.policies)}
    asked = [("region", name) for name in sorted(said.down | said.drained)]
    for what, name in (*asked, *(("cloud", name) for name in sorted(said.clouds))):
        if name not in known[what]:
            raise unknown(what, name, sorted(known[what]), f"{what}_unknown")


class _Supposed:
    """A lookout that sees something that is not so. Nothing that it sees is kept."""

    def __init__(self, at: Lookout, said: Supposition) -> None:
        self._said = said
        self._shared = Shared(self.looked_at, lambda _: None)
        self._at = at
        self.providers = at.providers
        self.clock = at.clock
        self.by_turns = at.by_turns
        self.alive = at.alive
        self.waits = at.waits
        self._began = at.clock()

    @property
    def policies(self) -> Mapping[str, Policy]:
        return self._at.policies

    def policy(self, name: str) -> Policy:
        return self._at.policy(name)

    async def read(self, target: Target, urgency: Urgency = Urgency.ROUTINE) -> Observed:
        return await self._at.read(target, urgency)

    async def verdicts(
        self, policies: Sequence[Policy], failed: tuple[str, ...]
    ) -> Mapping[str, Verdicts | FailoverdError]:
        """Of the policies; those that share regions with them and would lose some are looked at as well."""
        names = {policy.name for policy in policies}
        others = (each for each in self.policies.values() if each.demand and each.name not in names)
        found = await self._at.verdicts([*policies, *filter(self._said.concerns, others)], failed)
        self._shared = await self._shared_out()
        return {
            name: each if isinstance(each, FailoverdError) else self._without(self.policy(name), each)
            for name, each in found.items()
        }

    async def recalled(self, policy: Policy, target: Target) -> PolicyState:
        return self._state(policy, await self._at.recalled(policy, target))

    def looked_at(self, policy: Policy) -> PolicyState:
        return self._state(policy, self._at.looked_at(policy))

    def estate(self, target: Target, returning: Mapping[str, frozenset[str]]) -> Estate:
        """What the others leave to a policy if they lose the same regions."""
        policy = self.policy(target.policy)
        state, shared = back(self.looked_at(policy), returning), self._shared.bringing_back(returning)
        grant, usual = shared.grants(policy, state, self.clock())
        return replace(self._at.estate(target, returning), grant=grant, usual=usual, spare=None)

    async def _shared_out(self) -> Shared:
        """The regions as they would be shared; after each policy, whatever else the loop has to do is done."""
        shared = Shared(self.looked_at, lambda _: None)
        for each in tuple(self.policies.values()):
            shared.put(each)
            shared.count(each.name, self.clock())
            await asyncio.sleep(0)
        return shared

    def _state(self, policy: Policy, state: PolicyState) -> PolicyState:
        supposed = state.with_verdicts(
            self._without(policy, state.verdicts), calm=state.calm and not self._said.loses(policy)
        )
        return replace(supposed, overrides=(*state.overrides, *self._words(policy)))

    def _without(self, policy: Policy, verdicts: Verdicts) -> Verdicts:
        lost = self._said.loses(policy)
        return {
            kind: {name: each.lost(self._began) if name in lost else each for name, each in regions.items()}
            for kind, regions in verdicts.items()
        }

    def _words(self, policy: Policy) -> tuple[Override, ...]:
        """The drain, as if it had been given now, and ended after everything that is looked at."""
        scope = Scope(regions=tuple(sorted(self._said.drained)))
        if not self._said.drained or not scope.has_policy(policy):
            return ()
        return (Override(_WORD, Verb.DRAIN, scope, "plan", self._began, self._began + 2 * HORIZON),)


_WORD: Final = "drain-00000000"
"""The id of a word that nobody gave."""
