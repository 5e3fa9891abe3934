"""The health board: everything that is known about endpoints and regions, and who has to hear of a change.

Probe results come in, verdicts come out as events, and the reconciler of the policy is woken. A result that changes no
verdict ends here.
"""

from dataclasses import replace
from typing import Protocol

from failoverd.core.health import Health, Observation, Verdict, lapsed, observe, warming
from failoverd.core.isolation import SENTINELS, doubted
from failoverd.core.probe_reasons import Outcome
from failoverd.core.records import Endpoint, Policy, ProbeResult, RecordType, RegionSpec
from failoverd.core.region import FIRST_SIGHT, RegionHealth, RegionState, roll_up
from failoverd.core.status import EndpointStatus, RegionStatus
from failoverd.ports import Clock, Emit
from failoverd.runtime.announcing import Announcer
from failoverd.runtime.entries import Checked, Entry, Watched, record_types
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.vantage import Vantage


class Wake(Protocol):
    """Calls a policy whose verdicts changed.

    `more`: others are about to. While endpoints are being looked at again, and no region turned, what is known is half
    of the news. The call comes again when that is over.
    """

    def __call__(self, policy: str, /, *, more: bool) -> None: ...


class Board:
    """Health of every endpoint and region of every policy. Changes in `observe` and `settle` only.

    Args:
        emit: is told of every change.
        clock: the time.
        incidents: what is wrong with each policy, opened here.
        wake: calls a policy whose verdicts changed.
        vantage: whether failures are to be believed; by default one without sentinels.
    """

    def __init__(
        self,
        emit: Emit,
        clock: Clock,
        incidents: Incidents,
        wake: Wake,
        vantage: Vantage | None = None,
    ) -> None:
        self._clock = clock
        self._wake = wake
        self._announce = Announcer(emit, clock, incidents)
        self._vantage = vantage or Vantage(emit, clock)
        self._entries: dict[str, Entry] = {}
        self._stretched = 1

    def watch(self, policy: Policy) -> None:
        """Put a policy on the board, or a newer revision of it; what is known of unchanged endpoints stays."""
        old = self._entries.get(policy.name)
        entry = self._entries[policy.name] = Entry.of(policy, self._clock(), self._stretched, old)
        self._vantage.recount(come=entry.sights, gone=old.sights if old is not None else ())

    def forget(self, policy: str) -> None:
        old = self._entries.pop(policy, None)
        if old is not None:
            self._vantage.recount(gone=old.sights)

    def observe(self, name: str, result: ProbeResult) -> Observation | None:
        """Fold one probe result in: of a policy, or of a sentinel under the name `SENTINELS`.

        None when nobody waits for it any more (the policy changed meanwhile).
        """
        entry = self._entries.get(name)
        if entry is None:
            return self._vantage.observe(result) if name == SENTINELS else None
        checked = entry.checked.get((result.endpoint, result.check))
        if checked is None:
            return None
        watched, before, rules = checked.watched, checked.health, entry.policy.health
        if result.outcome is Outcome.FAIL:
            before = lapsed(before, result.at, checked.stale_after)
        objection = None
        if result.outcome is Outcome.PASS and not watched.sight.began:
            if checked.check.uses_network:
                watched.sight.answers.heard(result)
        else:
            objection = self._vantage.judge(watched.sight, checked.check, result, before, rules)
        taken = doubted(result, objection.why) if objection is not None else result
        explained = bool(entry.down) and bool(entry.explaining(watched))
        observation = observe(before, taken, rules, explained=explained)
        checked.health = after = observation.health
        if after.suppressed or checked.suppressed:
            self._announce.suppression(entry, checked)
        if after.state is not before.state or watched.verdict.state is Health.UNKNOWN:
            self._judge(entry, watched, result.at)
        if objection is not None:
            observation = observation._replace(
                recheck=observation.recheck or objection.open, siblings=observation.siblings or objection.open
            )
        if observation.recheck or entry.open:
            self._follow_up(entry, checked, open_still=observation.recheck)
        return observation

    def _follow_up(self, entry: Entry, checked: Checked, *, open_still: bool) -> None:
        """Keep account of the verdicts that are being looked for, and tell who waits for the last of them."""
        if open_still and not checked.watched.dependency:
            entry.open.add(checked)
            return
        entry.open.discard(checked)
        if entry.awaited and not entry.open:
            self._call(entry)

    def witnesses(self, name: str, endpoint: Endpoint) -> list[tuple[str, str]]:
        """Whose answer would bear out that this endpoint fails: a policy and a region for each."""
        entry = self._entries.get(name)
        watched = entry.watched.get(endpoint) if entry is not None else None
        return self._vantage.witnesses(watched.sight) if watched is not None else []

    def settle(self) -> None:
        """Let evidence that grew too old become UNKNOWN. Called regularly, for the absence of news is no event."""
        now = self._clock()
        self._vantage.settle()
        for entry in self._entries.values():
            for watched in entry.watched.values():
                waited = not watched.met and not watched.dependency and now - entry.since > FIRST_SIGHT
                if self._judge(entry, watched, now) or not waited:
                    continue
                if any(warming(checked.health, now, entry.policy.health) for checked in watched.checks):
                    continue  # it may still be starting
                watched.met = True  # said once: nobody waits for its first verdict any longer
                self._announce.endpoint(entry, watched, watched.verdict, watched.judged(now))
                self._call(entry)

    def stretch(self, factor: int) -> None:
        """Intervals are so many times as long from now on, so evidence may be so much older before it is stale."""
        self._stretched = factor
        for entry in self._entries.values():
            for checked in entry.checked.values():
                checked.stretched = factor

    def regions(self, policy: str, record_type: RecordType) -> dict[str, RegionHealth]:
        """The health of each region that a record of this type can answer with."""
        entry = self._entries[policy]
        if record_type not in entry.rolled_up:
            entry.rolled_up.add(record_type)
            self._roll_up(entry, record_type)
        return {name: health for (kind, name), health in entry.regions.items() if kind is record_type}

    def undecided(self, policy: str) -> bool:
        """Whether some endpoint of the policy has no verdict yet."""
        return any(watched.verdict.state is Health.UNKNOWN for watched in self._entries[policy].endpoints)

    def calm(self, policy: str) -> bool:
        """Whether every endpoint of the policy is HEALTHY."""
        return all(watched.verdict.state is Health.HEALTHY for watched in self._entries[policy].endpoints)

    def statuses(self, policy: str) -> list[RegionStatus | EndpointStatus]:
        now, entry = self._clock(), self._entries[policy]
        return [
            *(watched.status(policy, now) for watched in entry.endpoints),
            *self._region_statuses(policy, now),
        ]

    def _region_statuses(self, policy: str, now: float) -> list[RegionStatus]:
        return [
            RegionStatus(
                policy=policy,
                record_type=record_type,
                region=name,
                at=now,
                state=health.state,
                score=health.score,
                since=health.since,
                well_since=health.well_since,
                evidence=health.evidence,
            )
            for record_type in record_types(self._entries[policy].policy)
            for name, health in sorted(self.regions(policy, record_type).items())
        ]

    # -- transitions ---------------------------------------------------------------------------------------------------

    def _judge(self, entry: Entry, watched: Watched, now: float) -> bool:
        """Look at the verdict on an endpoint again; says whether it changed."""
        before, after = watched.verdict, watched.judged(now)
        if after.state is before.state:
            if after.state is Health.UNKNOWN and after.evidence != before.evidence:
                watched.verdict = after  # no news, but why it cannot be seen is told by whoever asks
                entry.rolled_up.clear()
            return False
        self._turn(entry, watched, before, after)
        return True

    def _turn(self, entry: Entry, watched: Watched, before: Verdict, after: Verdict) -> None:
        """A verdict changed: say so, roll the regions up that it is about, wake the policy."""
        watched.verdict = after
        if watched.dependency:
            self._turn_dependency(entry, watched, after)
            return
        if watched.met or after.state is not Health.HEALTHY:
            self._announce.endpoint(entry, watched, before, after)
        watched.met = True
        turned = [
            self._roll_up(entry, record_type, only=watched.endpoint.region)
            for record_type in record_types(entry.policy)
            if watched.endpoint.answer(record_type) is not None
        ]
        entry.open.difference_update(watched.checks)
        self._call(entry, more=bool(entry.open) and not any(turned))

    def _call(self, entry: Entry, *, more: bool = False) -> None:
        entry.awaited = more
        self._wake(entry.policy.name, more=more)

    def _turn_dependency(self, entry: Entry, watched: Watched, after: Verdict) -> None:
        """No record answers with it: it moves nothing, and explains much, as long as it is seen to be down."""
        down = after.state is Health.UNHEALTHY
        (entry.down.add if down else entry.down.discard)(watched.dependency)
        if down is not watched.met and after.state is not Health.UNKNOWN:
            watched.met = down
            self._announce.dependency(entry, watched, after)
        for record_type in record_types(entry.policy):
            self._roll_up(entry, record_type)

    def _roll_up(self, entry: Entry, record_type: RecordType, only: str = "") -> bool:
        """Judge the regions anew, or `only` one of them.

        Whether one of them turned. The first sight of one that is well is less: more of its endpoints come up just now.
        """
        now, turned = self._clock(), False
        for spec in entry.policy.regions:
            if only and spec.name != only:
                continue
            endpoints = [
                (value, _said(entry, entry.watched[endpoint]))
                for endpoint in spec.endpoints
                if (value := endpoint.answer(record_type)) is not None
            ]
            if not endpoints:
                continue
            before = entry.regions.get((record_type, spec.name))
            after = roll_up(spec.name, endpoints, before, entry.policy.health, now)
            entry.regions[record_type, spec.name] = after
            if before is not None and before.state is after.state:
                continue
            if after.state is RegionState.UNKNOWN and (before is None or _learning(entry, spec)):
                continue  # not lost from sight: not seen yet, as at the start or after a new revision
            self._announce.region(entry, record_type, before, after)
            turned = turned or after.state is not RegionState.HEALTHY or (before is not None and before.seen)
        return turned


def _said(entry: Entry, watched: Watched) -> Verdict:
    """The verdict with what explains it."""
    if not entry.down or watched.verdict.state is not Health.UNHEALTHY:
        return watched.verdict
    return replace(watched.verdict, explained_by=entry.explaining(watched))


def _learning(entry: Entry, spec: RegionSpec) -> bool:
    """Whether an endpoint of the region never had a verdict under the checks that it has now."""
    return any(not entry.watched[endpoint].met for endpoint in spec.endpoints)
