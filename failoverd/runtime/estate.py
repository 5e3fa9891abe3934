"""What the policies at work may take of the regions that they share, as it is now.

Claims are made anew only of policies of which something changed, and shared out only among those that are connected
with them. It is asked before each decision, so nobody decides on what was so before the last news; whoever gets more or
less because of somebody else's news is woken.
"""

from collections.abc import Callable, Iterable, Mapping

from failoverd.core.control.claiming import claim, usual_claim
from failoverd.core.control.sharing import Claim, Grant, connected, share_out, spare
from failoverd.core.control.state import PolicyState
from failoverd.core.records import Policy

Look = Callable[[Policy], PolicyState]
"""What is known of a policy now, with the health of its regions and what operators say."""


class Shared:
    """The grants of all policies.

    Args:
        look: at a policy.
        wake: a policy of which the grant changed because of another one.
    """

    def __init__(self, look: Look, wake: Callable[[str], None]) -> None:
        self._look = look
        self._wake = wake
        self._policies: dict[str, Policy] = {}
        self._changed: set[str] = set()
        self._now = _Book()
        self._usual = _Book()

    def put(self, policy: Policy) -> None:
        """A policy is at work, or a newer revision of it."""
        self.remove(policy.name)
        if not policy.demand:
            return  # it takes no part: nobody knows how much it carries anywhere
        self._policies[policy.name] = policy
        self._changed.add(policy.name)
        self._usual.put({policy.name: usual_claim(policy)})

    def remove(self, name: str) -> None:
        if self._policies.pop(name, None) is None:
            return
        self._changed.discard(name)
        self._usual.put({name: None})
        self._tell(self._now.put({name: None}), but=name)

    def touch(self, name: str) -> None:
        """Something of a policy changed: its health, what is published, what operators say."""
        if name in self._policies:
            self._changed.add(name)

    def grants(self, policy: Policy, now: float) -> tuple[Grant | None, Grant | None]:
        """What the others leave to a policy now, and on a day on which nothing is wrong."""
        if self._policies.get(policy.name) is not policy:
            return None, None
        self._changed.add(policy.name)  # time alone may have changed it
        states = {name: (each := self._policies[name], self._look(each)) for name in self._changed}
        claims = {name: claim(each, state, now) for name, (each, state) in states.items()}
        by_price = {name: usual_claim(each, state) for name, (each, state) in states.items() if each.cost is not None}
        self._usual.put(by_price)
        self._changed.clear()
        self._tell(self._now.put(claims), but=policy.name)
        return self._now.grants.get(policy.name), self._usual.grants.get(policy.name)

    def spare(self, policy: Policy) -> Mapping[str, float]:
        """What a policy that follows the price may take of each region without anybody having less, on any such day."""
        if policy.cost is None or self._policies.get(policy.name) is not policy:
            return {}
        now, usual = (spare(policy.name, book.claims, book.grants) for book in (self._now, self._usual))
        return {region: min(left, usual.get(region, left)) for region, left in now.items()}

    @property
    def standing(self) -> Mapping[str, tuple[Claim, Grant]]:
        """What each policy wants, and what it may take."""
        return {name: (self._now.claims[name], grant) for name, grant in self._now.grants.items()}

    def _tell(self, others: Iterable[str], but: str) -> None:
        """The most important first: its write is the first to be sent."""
        for name in sorted(
            others, key=lambda each: (self._policies[each].tier, each) if each in self._policies else (0, each)
        ):
            if name != but and name in self._policies:
                self._wake(name)


class _Book:
    """Claims, and what they come to."""

    def __init__(self) -> None:
        self.claims: dict[str, Claim] = {}
        self.grants: dict[str, Grant] = {}

    def put(self, claims: Mapping[str, Claim | None]) -> list[str]:
        """Replace claims; None takes one away. Returns the policies of which the grant is another one by that."""
        new = {name: each for name, each in claims.items() if each != self.claims.get(name)}
        if not new:
            return []
        concerned = set(connected(self.claims, new))  # those who shared with what was claimed before
        for name, each in new.items():
            if each is None:
                self.claims.pop(name, None)
                self.grants.pop(name, None)
            else:
                self.claims[name] = each
        concerned = {name for name in concerned if name in self.claims} | set(connected(self.claims, new))
        found = share_out(self.claims[name] for name in concerned)
        changed = [name for name, grant in found.items() if grant != self.grants.get(name)]
        self.grants |= found
        return changed
