"""What the policies at work may take of the regions that they share, as it is now.

Claims are made anew only of policies of which something changed, and shared out only among those that are connected
with them (`core/control/pooling.py`). It is asked before each decision, so nobody decides on what was so before the
last news; whoever gets more or less because of somebody else's news is woken: at once where few share, and where a
thousand do, once for all the news of a moment.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from failoverd.core.control.claiming import claim, filters, unnarrowed, usual_claim
from failoverd.core.control.pooling import SMALL, Pool
from failoverd.core.control.sharing import COUNTED, Claim, Grant
from failoverd.core.control.state import PolicyState
from failoverd.core.overrides import Override
from failoverd.core.records import WHOLE, Policy

Look = Callable[[Policy], PolicyState]
"""What is known of a policy now, with the health of its regions and what operators say."""

Later = Callable[[float, Callable[[], None]], object]
"""Calls something after so many seconds."""

_PAUSE: Final = 25e-6
"""Seconds to wait for more news before others are told, for each draw that has to be gone through: several times as
long as that takes, so that a storm of news costs a small part of a processor beside the decisions themselves."""

_ROUNDED: Final = 0.01
"""Of a region's room: by so much may a provider's own weights differ from what was shared out."""

_LONGEST: Final = 0.5
"""Seconds that nobody waits longer for."""


@dataclass(frozen=True, slots=True)
class _Supposition:
    """That operators said some words `more`, and not those of the ids of `less`; whom they bring back, by policy."""

    more: tuple[Override, ...] = ()
    less: frozenset[str] = frozenset()
    returning: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, policy: Policy, state: PolicyState) -> PolicyState:
        """What would be known of a policy."""
        state = replace(state, returning=self.returning.get(policy.name, state.returning))
        more = (word for word in self.more if word.scope.may_have_had(policy))
        less = (word for word in state.overrides if word.id not in self.less)
        return replace(state, overrides=(*less, *more))

    def concerns(self, policy: Policy, state: PolicyState) -> bool:
        then = self.of(policy, state)
        return (then.overrides, then.returning) != (state.overrides, state.returning)


class Shared:
    """The grants of all policies.

    Args:
        look: at a policy.
        wake: a policy of which the grant changed because of another one.
        later: without it, everything is settled at once.
    """

    def __init__(self, look: Look, wake: Callable[[str], None], later: Later | None = None) -> None:
        self._look = look
        self._wake = wake
        self._later = later
        self._waits = False
        self._policies: dict[str, Policy] = {}
        self._changed: dict[str, PolicyState | None] = {}  # what is known of it, where somebody has just looked
        self._uncounted: set[str] = set()
        self._now = Pool()
        self._usual = Pool()
        self._published: dict[str, tuple[float, Mapping[str, int]]] = {}
        self._carried: defaultdict[str, float] = defaultdict(float)
        self._pressed: frozenset[str] = frozenset()
        self._supposed: tuple[_Supposition, Shared] | None = None

    def put(self, policy: Policy) -> None:
        """A policy is at work, or a newer revision of it."""
        self.remove(policy.name)
        if not policy.demand:
            return  # it takes no part: nobody knows how much it carries anywhere
        self._supposed = None
        usual = usual_claim(policy)
        self._policies[policy.name] = policy
        self._changed[policy.name] = None
        self._usual.put(policy.name, usual)

    def remove(self, name: str) -> None:
        if self._policies.pop(name, None) is None:
            return
        self._supposed = None
        self._changed.pop(name, None)
        self._uncounted.discard(name)
        self._usual.put(name, None)
        self._now.put(name, None)
        self._publish(name, 0.0, {})
        self._tell(but=name)

    def touch(self, name: str) -> None:
        """Something of a policy changed: its health, what is published, what operators say."""
        if name in self._policies:
            self._changed[name] = None
            if self._supposed is not None:
                self._supposed[1].touch(name)

    def supposing(self, known: Sequence[Override], said: Sequence[Override]) -> "Shared":
        """The same if operators said something else of all policies, for who only looks: nobody is woken by it.

        `known` are the words of one policy, and `said` those that it would have instead. It is kept, for a word is
        tried at one record after the other.
        """
        before, then = ({word.id: word for word in words} for words in (known, said))
        supposition = _Supposition(
            tuple(word for word in said if before.get(word.id) != word),
            frozenset(word.id for word in known if then.get(word.id) != word),
        )
        return self._if(supposition) if supposition.more or supposition.less else self

    def bringing_back(self, returning: Mapping[str, frozenset[str]]) -> "Shared":
        """The same if a person brought these regions back, by policy; for who only looks."""
        return self._if(_Supposition(returning=returning)) if any(returning.values()) else self

    def _if(self, supposition: "_Supposition") -> "Shared":
        if self._supposed is None or self._supposed[0] != supposition:
            self._supposed = supposition, self._copy(supposition)
        return self._supposed[1]

    def _copy(self, supposition: "_Supposition") -> "Shared":
        found = Shared(lambda policy: supposition.of(policy, self._look(policy)), lambda _: None)
        found._policies, found._changed = dict(self._policies), dict.fromkeys(self._changed)
        found._published, found._carried = dict(self._published), self._carried.copy()
        for theirs, mine in ((found._now, self._now), (found._usual, self._usual)):
            for name, each in mine.claims.items():
                theirs.put(name, each)
        for name, policy in self._policies.items():
            if supposition.concerns(policy, self._look(policy)):
                found.touch(name)
        return found

    def count(self, name: str, now: float) -> None:
        """Claim for one policy by what is known of it now: who begins with a thousand need not do so in one turn.

        What one that may leave out regions wants is settled by what everybody else does, when somebody asks.
        """
        if name in self._changed and not filters(self._policies[name]):
            self._take_up_one(name, self._changed.pop(name), now)

    def grants(self, policy: Policy, state: PolicyState, now: float) -> tuple[Grant | None, Grant | None]:
        """What the others leave to a policy now, and on a day on which nothing is wrong.

        `state` is what a look at it finds now, for who decides on it has just looked.
        """
        if self._policies.get(policy.name) is not policy:
            return None, None
        self._changed.pop(policy.name, None)
        self._changed[policy.name] = state  # time alone may have changed it; and it sees what the others want
        self._take_up(now)
        self._tell(but=policy.name)
        granted = self._now.grant(policy.name)
        if granted is not None and (crowded := self._crowded(policy)):
            granted = replace(granted, crowded=crowded)
        if granted is not None and filters(policy):
            granted = replace(granted, spare=self._now.spare(policy.name))
        return granted, self._usual.grant(policy.name)

    def spare(self, policy: Policy) -> Mapping[str, float]:
        """What a policy that follows the price may take of each region without anybody having less, on any such day."""
        if policy.cost is None or self._policies.get(policy.name) is not policy:
            return {}
        now, usual = (pool.spare(policy.name) for pool in (self._now, self._usual))
        return {region: min(left, usual.get(region, left)) for region, left in now.items()}

    @property
    def standing(self) -> Mapping[str, tuple[Claim, Grant]]:
        """What each policy wants, and what it may take."""
        found = ((name, each, self._now.look(name)) for name, each in self._now.claims.items())
        return {name: (each, grant) for name, each, grant in found if grant is not None}

    def _take_up(self, now: float) -> None:
        """Who may leave out regions that serve comes last, for that is settled by what everybody else wants."""
        changed, self._changed = self._changed, {}
        last = {name: known for name, known in changed.items() if filters(self._policies[name])}
        new = {name: known for name, known in changed.items() if name not in last or name not in self._now}
        for name, known in (*new.items(), *last.items()):
            self._take_up_one(name, known, now)

    def _take_up_one(self, name: str, known: PolicyState | None, now: float) -> None:
        try:
            self._claim(self._policies[name], known, now)
            self._uncounted.discard(name)
        except Exception as defect:  # noqa: BLE001 - one that a policy brings to light stays with it
            self._leave_out(name, defect)

    def _leave_out(self, name: str, defect: Exception) -> None:
        """Others may be sent to where it is: somebody has to know, once."""
        self._now.put(name, None)
        if name not in self._uncounted:
            self._uncounted.add(name)
            message = f"what policy {name} needs cannot be told: regions that it shares are not kept free for it"
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": defect})

    def _claim(self, policy: Policy, known: PolicyState | None, now: float) -> None:
        state = known or self._look(policy)
        found = claim(policy, state, now, self._spared(policy, state))
        self._now.put(policy.name, found)
        good = state.of(policy.records[0].targets[0]).last_good
        if good is not None:
            self._publish(policy.name, found.demand if found is not None else 0.0, good.shares)
        if policy.cost is not None or policy.model is not None or policy.latency is not None:
            self._usual.put(policy.name, usual_claim(policy, state))

    def _spared(self, policy: Policy, state: PolicyState) -> Mapping[str, float] | None:
        """What others leave to who may leave out regions. As long as nobody knows that, it leaves out whom it did."""
        if not filters(policy):
            return None
        if policy.name in self._now:
            return self._now.spare(policy.name)
        return None if state.of(policy.records[0].targets[0]).aside else unnarrowed(policy)

    def _publish(self, name: str, demand: float, shares: Mapping[str, int]) -> None:
        """What the answers of a policy send to each region, instead of what they did before."""
        known = self._published.get(name)
        if known is not None and known[1] is shares and known[0] == demand:
            return
        before = known if known is not None else (0.0, {})
        for sign, (needs, answers) in ((-1, before), (1, (demand, shares))):
            for region, share in answers.items():
                self._carried[region] += sign * needs * share / WHOLE
        self._published[name] = demand, shares

    def _crowded(self, policy: Policy) -> dict[str, float]:
        """The regions of a policy that get more than they can carry, and how much is too much."""
        found = {}
        for spec in policy.regions:
            room, load = self._now.room((spec.name, COUNTED)), self._carried.get(spec.name, 0.0)
            if room is not None and load > room * (1 + _ROUNDED):
                found[spec.name] = load - room
        return found

    def _tell(self, but: str = "") -> None:
        """Wake who gets something else now; in a moment, where that is more work than a decision."""
        work = self._now.unsettled + self._usual.unsettled
        if self._later is not None and work > SMALL:
            if not self._waits:
                self._waits = True
                self._later(min(_LONGEST, work * _PAUSE), self._settle)
            return
        self._settle(but)

    def _settle(self, but: str = "") -> None:
        """The most important are woken first: their writes are the first to be sent."""
        self._waits = False
        self._usual.settle()
        others, before = self._now.settle(), self._pressed
        self._pressed = frozenset(self._now.pressed())  # who was told already has its reasons
        others = [*others, *(self._pressed - before).difference(others)]
        known = [name for name in others if name != but and name in self._policies]
        for name in sorted(known, key=lambda each: (self._policies[each].tier, each)):
            self._wake(name)
