"""Who leads: one member writes, and stops by its own clock before another one can begin.

The lease saves work; it is not what safety rests on. A leader that was frozen, or whose clock stood still, is refused
by the provider's fence, which compares generations. So this says no early, and never has to be believed.

    asked at 0 s        the lease holds until 20 s, and is renewed every second
    10 s unheard        nothing more is begun: what was sent to a provider just now has the rest of the time to end
    20 s                the lease is over: another member leads

The epoch grows with each leader and stands in each marker. The coordinator counts it, above a `floor` that is kept
beside: a coordinator that was restored from a backup counts from an older number, which the markers show.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from failoverd.core.control.plan import Plan
from failoverd.core.errors import CoordinationError
from failoverd.core.events import (
    CoordinatorLost,
    CoordinatorRegained,
    CoordinatorRestored,
    LeaderElected,
    LeaderLost,
)
from failoverd.core.members import Membership, Uncoordinated
from failoverd.core.records import Marker, Target
from failoverd.foreign import shown_name
from failoverd.ports import Clock, Coordinator, Emit, Leadership, time_to_answer
from failoverd.runtime.members.versioned import VERSION, LaterVersionError, read_object
from failoverd.runtime.members.yielding import Yielding
from failoverd.runtime.naps import Nap

LONGEST_RETRY: Final = 1.0
"""Seconds between two calls of the coordinator, at most; a tenth of the lease, where that is shorter."""

HIGHEST_FLOOR: Final = 10**15
"""Of epochs: a thousand changes of the coordinator a second for thirty thousand years. A marker that shows a higher one
was written by no leader that the coordinator made: it outranks us until a person says otherwise. Would all epochs go on
above it, they were soon none that a marker may say, and who reads JSON as floating point would round them."""

NOBODY_KNOWN: Final = 300.0
"""Seconds without the coordinator after which one that follows says that it knows of nobody who leads. Only by then: it
may be cut off alone, which is a warning, and looks the same from there; yet if the leader went with the coordinator,
nobody else could tell."""

INSTALLATION: Final = "installation"
"""The key of what all members have in common whoever leads."""

_AN_INSTANCE: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)
"""It stands in each marker, between spaces."""


@dataclass(frozen=True, slots=True)
class KnownLeader:
    """Who leads, as far as this member knows, and whether the coordinator answers it.

    Attributes:
        leader: who leads, as the coordinator last said; empty without one.
        epoch: the leader's.
        since: when this member first heard of that leader.
        heard_at: when the coordinator last answered; None while it never did.
        trouble: why it does not answer now; empty while it does.
    """

    leader: str = ""
    epoch: int = 0
    since: float = 0.0
    heard_at: float | None = None
    trouble: str = ""


class Leading:
    """One of several members. `run` is endless.

    Args:
        coordinator: where they agree.
        membership: who this is among them.
        instance: the installation's name in markers, as this member's journal knows it.
        emit: is told of each change.
        clock: the time; steady.
        catch_up: takes up what the members remember together, before the first write of a leader.
        turned: called when this member begins or ends to lead, the coordinator is lost or back, or another one has led.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        membership: Membership,
        instance: str,
        emit: Emit,
        clock: Clock,
        *,
        catch_up: Callable[[], Awaitable[None]],
        turned: Callable[[], None],
    ) -> None:
        self.member = membership.me.name
        self.instance = instance
        self.standing = KnownLeader()
        self._coordinator = coordinator
        self._emit = emit
        self._clock = clock
        self._catch_up = catch_up
        self._turned = turned
        self.candidate = membership.me.may_lead
        self._uncoordinated = membership.uncoordinated
        self._mine = False
        self.led_last = False  # nobody is known to have led since this member did, nor to remember more than it does
        self._until = -inf  # nothing is begun after this
        self._floor = 0
        self._own_epoch = 0  # as the coordinator counts it
        self._abstains_until = 0.0
        self._resigned_until = 0.0
        self._vacant_since: float | None = None  # as the coordinator says, and said all the time since
        others = sum(each.may_lead for each in membership.members if each != membership.me)
        self._yielding = Yielding(coordinator.lease, others)
        self._vain_since: float | None = None  # the lease is held, and what there is to know is not learnt
        self._lost_at: float | None = None
        self._told_nobody = False  # that it knows of nobody who leads
        self._told_leader: tuple[str, int] | None = None
        self._told_turn = False, False, False
        self._nap = Nap(clock)
        self._ranks: tuple[Marker, float] | None = None
        self._busy = asyncio.Lock()

    # -- asked ---------------------------------------------------------------------------------------------------------

    @property
    def lease(self) -> float:
        return self._coordinator.lease

    @property
    def leads(self) -> bool:
        return self._mine and self._clock() < self._until

    @property
    def left(self) -> float:
        """What was begun in time has the other half of the lease to end."""
        return max(0.0, self._until + self.lease / 2 - self._clock())

    @property
    def speaks(self) -> bool:
        return self.leads or (self.candidate and self._lost_at is not None and not self.coordinated)

    @property
    def coordinated(self) -> bool:
        """Whether the coordinator was heard lately enough to know who leads."""
        heard = self.standing.heard_at
        return heard is not None and self._clock() - heard < self.lease / 2

    @property
    def lone(self) -> bool:
        """Whether this member may take traffic off what is down though nobody coordinates it."""
        return self._may_be_lone and self.standing.heard_at is not None and not self.coordinated

    @property
    def _may_be_lone(self) -> bool:
        return self.candidate and self._uncoordinated is Uncoordinated.FAILING_OUT

    @property
    def acts(self) -> bool:
        return self.leads or self.lone

    @property
    def epoch(self) -> int:
        return self.standing.epoch

    @property
    def epoch_in_coordinator(self) -> int:
        """The same without the floor: what the coordinator compares."""
        return self._own_epoch

    def refuses(self, plan: Plan, *, fenced: bool) -> str:
        if self.leads:
            return ""
        if self.lone:
            if not fenced:
                return "the coordinator does not answer, and this provider has no fence of its own"
            return "" if plan.cause.urgent else "the coordinator does not answer: only what is down is taken off"
        if not self.coordinated:
            return f"{self.member} does not know who leads: the coordinator does not answer"
        other = self.standing.leader
        return f"{other} leads" if other and other != self.member else "nobody leads yet"

    # -- what changes --------------------------------------------------------------------------------------------------

    def outranked(self, marker: Marker, read_at: float) -> None:
        if self.leads and marker.instance == self.instance and marker.epoch > self.epoch:
            self._ranks = marker, read_at
            self._nap.wake()

    def hindered(self, target: Target) -> None:
        if self.leads:
            self._yielding.hindered(target, self._clock())

    def reached(self, target: Target) -> None:
        self._yielding.reached(target)

    def look(self) -> None:
        """Something may have changed about who leads: ask now."""
        self._nap.wake()

    def abstain(self, seconds: float) -> None:
        """Not stand for so long, whoever leads."""
        self._abstains_until = max(self._abstains_until, self._clock() + seconds)

    async def step_down(self, seconds: float, cause: str) -> bool:
        """Resign because a person wants it, and not stand for so long. Whether the coordinator took it.

        That is to let another one lead, and no word that nobody shall: where nobody led for a lease, it stands again.
        """
        self._resigned_until = self._clock() + seconds
        return await self.resign(cause=cause)

    async def resign(self, abstain: float = 0.0, cause: str = "it resigned") -> bool:
        """Let another member lead; not stand again for `abstain` seconds. Whether the coordinator took it."""
        self._abstains_until = self._clock() + abstain
        led, self._mine, self._until = self._mine, False, -inf
        self.led_last = False
        if led:
            self._lose(cause)
            self._tell_turn()
        async with self._busy:
            try:
                async with asyncio.timeout(self._patience):
                    await self._coordinator.resign()
            except (CoordinationError, TimeoutError):
                return False  # the lease ends by itself
        return True

    async def run(self) -> None:
        """Campaign, for ever."""
        while True:
            self._nap.begin()
            await self.campaign()
            await self._nap.until(self._clock() + min(LONGEST_RETRY, self.lease / 10))

    @property
    def _patience(self) -> float:
        return time_to_answer(self._coordinator)

    async def campaign(self) -> None:
        """Ask once who leads, and act on it."""
        await self._give_way_if_hindered()
        async with self._busy:
            try:
                async with asyncio.timeout(self._patience):
                    await self._find_voice()
                asked_at = self._clock()
                async with asyncio.timeout(self._patience):
                    found = await self._coordinator.campaign(stands=self._stands(asked_at))
                if not self._own_epoch or found.epoch != self._own_epoch:
                    async with asyncio.timeout(self._patience):
                        await self._look_at_installation()
                await self._heard(found, asked_at)
            except TimeoutError:
                self._unheard(f"the coordinator did not answer within {self._patience:g}s")
            except CoordinationError as error:
                self._unheard(str(error))
        self._tell_turn()

    async def _find_voice(self) -> None:
        """Only read while the coordinator was not heard: by asking, who hears no answer would hold the lease for ever.

        So would who cannot read what is to be known of the installation, and may not lead.

        Raises:
            CoordinationError: it is not heard yet.
        """
        if self.standing.trouble:
            await self._installation()

    def _stands(self, now: float) -> bool:
        if not self.candidate or now < self._abstains_until:
            return False
        vacant = now - self._vacant_since if self._vacant_since is not None else 0.0
        if now < self._resigned_until:
            return vacant >= self.lease
        return vacant >= self.lease / 5 or not self._yielding.abstains(now)

    async def _give_way_if_hindered(self) -> None:
        """Let another member do what this one cannot do, if it leads and there is such a thing."""
        now = self._clock()
        found = self._yielding.due(now) if self.leads else None
        if found is not None:
            tried = self._yielding.give_way(now)
            what = f"for {tried:g}s nothing was done at the provider of {found}, which sends traffic to what is down"
            await self.resign(cause=f"{what}; another member may do it")

    def _tell_turn(self) -> None:
        """Have everybody look again whose work it is, where that changed."""
        turn = self.leads, self.lone, self.led_last
        if turn != self._told_turn:
            self._told_turn = turn
            self._turned()

    async def _heard(self, found: Leadership, asked_at: float) -> None:
        if self.led_last and not (found.mine and found.epoch == self._own_epoch):
            self.led_last = False
            self._tell_turn()
        if found.mine and (not self._mine or found.epoch != self._own_epoch):  # somebody else may have led in between
            await self._learn(asked_at)
            self._yielding.begin()
        self._mark_heard(found, asked_at)
        if found.mine:
            self._mine, self.led_last, self._until = True, True, asked_at + self.lease / 2
            async with asyncio.timeout(self._patience):
                await self._raise_floor(asked_at)
        elif self._mine:
            self._mine, self._until = False, -inf
            self._lose(f"{self.standing.leader or 'nobody'} leads now")
        self._tell_leader(found)

    def _mark_heard(self, found: Leadership, asked_at: float) -> None:
        before, now = self.standing, self._clock()
        found = replace(found, leader=shown_name(found.leader))  # somebody else may have written it
        self._own_epoch = found.epoch
        epoch = found.epoch + self._floor if found.leader else before.epoch
        same = (before.leader, before.epoch) == (found.leader, epoch)
        self.standing = KnownLeader(found.leader, epoch, before.since if same else now, asked_at)
        if found.leader:
            self._vacant_since = None
        elif self._vacant_since is None:
            self._vacant_since = asked_at
        if self._lost_at is not None:
            lost_at, self._lost_at, self._told_nobody = self._lost_at, None, False
            self._emit(CoordinatorRegained(at=now, lasted=now - lost_at))

    async def _learn(self, asked_at: float) -> None:
        """Know what the others knew before this member leads: it holds the lease, so nobody else does meanwhile.

        Raises:
            CoordinationError: it could not be learnt. It is tried again with the next call.
        """
        try:
            async with asyncio.timeout(self._patience):
                await self._catch_up()
        except (CoordinationError, TimeoutError) as error:
            await self._let_others_learn(asked_at)
            words = str(error) or f"what the members remember together was not read within {self._patience:g}s"
            raise CoordinationError(words, reason="not_caught_up") from None
        self._vain_since = None

    async def _let_others_learn(self, asked_at: float) -> None:
        """Who cannot learn what there is to know for a whole lease lets somebody else lead."""
        since = self._vain_since = asked_at if self._vain_since is None else self._vain_since
        if asked_at - since >= self.lease:
            self._vain_since, self._abstains_until = None, asked_at + self.lease
            async with asyncio.timeout(self._patience):
                await self._coordinator.resign()

    def _tell_leader(self, found: Leadership) -> None:
        known = leader, _ = self.standing.leader, self.standing.epoch
        if not leader or known == self._told_leader:
            return
        was = self._told_leader[0] if self._told_leader is not None else ""
        self._told_leader = known
        now, epoch, resigned_until = self._clock(), self.standing.epoch, self._resigned_until
        all_the_same = resigned_until if found.mine and now < resigned_until else 0.0
        if found.mine:
            self._resigned_until = 0.0  # nobody else could: it stands like everybody from now on
        self._emit(
            LeaderElected(at=now, leader=leader, epoch=epoch, was=was, mine=found.mine, resigned_until=all_the_same)
        )

    def _lose(self, cause: str, *, uncoordinated: bool = False) -> None:
        now, epoch = self._clock(), self.epoch
        self._told_nobody = uncoordinated
        self._emit(LeaderLost(at=now, leader=self.member, epoch=epoch, cause=cause, uncoordinated=uncoordinated))

    def _unheard(self, error: str) -> None:
        now = self._clock()
        self.standing = replace(self.standing, trouble=error)
        self._vacant_since = None
        if self._lost_at is None:
            self._lost_at = now
            self._emit(CoordinatorLost(at=now, error=error, leads=self.leads, lone=self._may_be_lone))
        if self._mine and now >= self._until:
            self._mine = False
            self._lose("the coordinator did not answer, and the lease may end elsewhere", uncoordinated=True)
        elif self.candidate and not self._mine and not self._told_nobody:
            self._miss_leader(now, self._lost_at)

    def _miss_leader(self, now: float, lost_at: float) -> None:
        """Say that nobody is known to lead, once the coordinator was not heard for long."""
        silent_for = now - (lost_at if self.standing.heard_at is None else self.standing.heard_at)
        if silent_for < max(NOBODY_KNOWN, self.lease):
            return
        self._told_nobody = True
        cause = f"{self.member} has not heard the coordinator for {silent_for:.0f}s"
        self._emit(LeaderLost(at=now, leader=self.standing.leader, epoch=self.epoch, cause=cause, uncoordinated=True))

    # -- what is kept whoever leads ------------------------------------------------------------------------------------

    async def _look_at_installation(self) -> None:
        """Learn the installation's name in markers, and the floor of its epochs; name it, if nobody did."""
        known, _ = await self._installation()
        if known is None:
            said = _Installation(self.instance, self._floor)
            if await self._coordinator.replace(INSTALLATION, said.dumped, after=0) is None:
                known, _ = await self._installation()
            known = known or said
        self.instance, self._floor = known.instance, known.floor

    async def _installation(self) -> "tuple[_Installation | None, int]":
        entries, _ = await self._coordinator.entries(INSTALLATION)
        found = entries.get(INSTALLATION)
        if found is None or found.value is None:
            return None, 0
        return _Installation.parsed(found.value), found.version

    async def _raise_floor(self, asked_at: float) -> None:
        """A marker of ours shows a higher epoch than any that the coordinator gave: it was restored from a backup.

        Only who led when the marker was read, and still does, can know: nobody else was given an epoch meanwhile.
        """
        if self._ranks is None:
            return
        (marker, read_at), self._ranks = self._ranks, None
        if asked_at < read_at or not self.epoch < marker.epoch <= HIGHEST_FLOOR:
            return
        if marker.instance != self.instance:
            return
        known, version = await self._installation()
        said = _Installation(self.instance, max(marker.epoch, known.floor if known is not None else 0))
        if await self._coordinator.replace(INSTALLATION, said.dumped, after=version) is None:
            return  # it is seen again in the next round
        was, self._floor = self.epoch, said.floor
        self.standing = replace(self.standing, epoch=self._own_epoch + self._floor)
        self._emit(CoordinatorRestored(at=self._clock(), seen=marker.epoch, was=was, epoch=self.epoch))
        self._turned()


@dataclass(frozen=True, slots=True)
class _Installation:
    instance: str
    floor: int

    @property
    def dumped(self) -> bytes:
        return json.dumps({"v": VERSION, "instance": self.instance, "floor": self.floor}).encode()

    @classmethod
    def parsed(cls, value: bytes) -> "_Installation":
        """Raises CoordinationError: somebody else wrote something else there."""
        try:
            said = read_object(value, HIGHEST_FLOOR)
            instance, floor = said["instance"], said["floor"]
            if not isinstance(floor, int) or floor < 0 or not _AN_INSTANCE.fullmatch(instance):
                raise ValueError("no marker can say that")  # noqa: TRY301 - as whatever else it may be
        except LaterVersionError as error:
            raise CoordinationError(
                f"what stands under {INSTALLATION} in the coordinator cannot be read: {error}",
                reason="later_version",
                remedy="bring this member to the version of the others; until then it does not lead",
            ) from error
        except (ValueError, TypeError, KeyError) as error:
            raise CoordinationError(
                f"what stands under {INSTALLATION} in the coordinator is not failoverd's",
                reason="not_ours",
                remedy="give this installation a prefix of its own; or delete that key, if nobody else has this prefix",
            ) from error
        return cls(instance, floor)
