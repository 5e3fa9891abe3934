"""The check table: everything that is known about endpoints and regions, and which probe is due next out of turn.

Probe results come in; what turned comes out as data, and with it what is worth a probe before its turn:

- the same endpoint, `recheck` after this answer, or after this probe began if it failed, while its verdict is open;
- its siblings under the same check, one after the other, when it fails for the first time;
- one endpoint of each other region of the policy, at once, when failures begin in a region, and again with each further
  one that counts while the region's own verdict is open. So regions that fail together are known to do so together, and
  those that are well have shown it by the time that somebody is to receive more;
- sentinels and witnesses, who can bear the failure out (`isolation`).

Where a region's verdict is open and more than one endpoint fails, each bears the others out: what one of them shows
after half a second, they show together in a moment. So whoever failed is probed again after one round trip, and
after `FLOOR` at least; no verdict takes fewer failures for that, and a blip is not seen twice. In an interval this
happens once, and only after failures, so it takes no more probes than the re-checks do that it brings forward.

Where several vantages vote (`convene`), what this one sees of an endpoint (`EndpointHealth.own`) is one vote, and what
holds (`verdict`) is what they agree on. Everything that decisions look at works on what holds; counters, re-checks and
doubts of itself on what this vantage sees. Another one that sees an endpoint fail, or begins to, is a reason to look at
once, so that a majority knows within `fall` re-checks of the first that saw it.

A result that changes nothing ends in the first lines of `feed`, and costs one tuple.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from failoverd.core.health.ballot_box import BallotBox, contested, differing, looked_into, votes_of
from failoverd.core.health.electorate import Electorate
from failoverd.core.health.endpoint import (
    ALIVE,
    CheckHealth,
    Health,
    Verdict,
    flapping_until,
    kept_out,
    lapsed,
    observe,
    settled,
    warming,
)
from failoverd.core.health.isolation import (
    NEVER,
    SENTINEL_RULES,
    SENTINELS,
    Family,
    IsolationRules,
    doubted,
)
from failoverd.core.health.policy_health import (
    FLOOR,
    NEVER_PROBED,
    CheckState,
    EndpointHealth,
    PolicyHealth,
    RegionFailures,
    record_types,
)
from failoverd.core.health.region import FIRST_SIGHT, SERVING, RegionHealth, RegionState, roll_up
from failoverd.core.health.transitions import (
    NOTHING_NEW,
    DependencyTurned,
    EndpointTurned,
    Fed,
    KeptOut,
    News,
    NextProbe,
    ProbeDue,
    RegionTurned,
    Transition,
    VantageTurned,
    Voted,
)
from failoverd.core.health.vantage import Vantage
from failoverd.core.health.votes import Vote, Votes
from failoverd.core.probe_reasons import ProbeOutcome
from failoverd.core.records import Check, Endpoint, Policy, ProbeResult, RecordType
from failoverd.core.status import EndpointStatus, RegionStatus, VantageStatus

STAGGER: Final = 0.005
"""Seconds between the probes of those who are asked together."""

RETOLD: Final = 5.0
"""Seconds, at least, between two times that one verdict is put into other words: an answer may be another each time."""

CROWD: Final = 64
"""Endpoints of a region. Where there are more, those that fail do not each ask for probes of all the others."""


class HealthTable:
    """Health of every endpoint and region of every policy.

    Changes in `feed`, `settle`, `watch` and `forget`, and in `convene` and `hear`, only.

    Args:
        now: seconds since the epoch.
        isolation: when failures are to be believed.
        sentinels: what should always be reachable, each with its check.
    """

    def __init__(
        self, now: float, isolation: IsolationRules | None = None, sentinels: Sequence[tuple[Endpoint, Check]] = ()
    ) -> None:
        self._told: list[Transition] = []  # by what is being done just now
        self._policies: dict[str, PolicyHealth] = {}
        self._vantage = Vantage(self._turn_vantage, now, isolation, sentinels)
        self._box = BallotBox(self._told.append, lambda: self._vantage.isolated, lambda: self._vantage.families)
        self._doubts_turned = False
        self._stretched = 1

    def watch(self, policy: Policy, now: float) -> tuple[Transition, ...]:
        """Take up a policy, or a newer revision of it; what is known of unchanged endpoints stays."""
        old = self._policies.get(policy.name)
        found = self._policies[policy.name] = PolicyHealth.of(policy, now, self._stretched, old)
        if self._box.convened:
            self._hold_still(found, old)
        self._vantage.recount(now, come=found.tracks, gone=old.tracks if old is not None else ())
        for record_type in record_types(policy):
            self._roll_up(found, record_type, now)
        return self._tell(now)

    def _hold_still(self, found: PolicyHealth, old: PolicyHealth | None) -> None:
        """What the vantages agreed on holds until their votes on this revision are there."""
        for of in found.answering:
            earlier = old.endpoints.get(of.endpoint) if old is not None else None
            of.verdict = earlier.verdict if earlier is not None else NEVER_PROBED
            of.cast = of.vote
        self._told.append(Voted(found.policy.name))

    def forget(self, name: str, now: float) -> tuple[Transition, ...]:
        old = self._policies.pop(name, None)
        if old is not None:
            self._vantage.recount(now, gone=old.tracks)
        return self._tell(now)

    def feed(self, name: str, result: ProbeResult, now: float) -> Fed:
        """Fold one probe result in: of a policy, or of a sentinel under the name `SENTINELS`.

        Nothing comes of it when nobody waits for it any more (the policy changed meanwhile).
        """
        policy = self._policies.get(name)
        if policy is None:
            return self._feed_sentinel(result, now) if name == SENTINELS else NOTHING_NEW
        state = policy.state(result.endpoint, result.check)
        if state is None:
            return NOTHING_NEW
        health, of = state.health, state.of
        if of.latencies:
            self._measure(state, result)
        if result.served is not None and state.sees(result.served, policy.policy.health):
            self._call(policy)
            return self._fold(policy, state, result, now)
        if (
            result.outcome is ProbeOutcome.PASS
            and settled(health, policy.policy.health)
            and not (of.track.began or state.asked or state.kept_out)
            and of.own.state is not Health.UNKNOWN
        ):
            if state.check.uses_network:
                of.track.answers.heard(result)
            state.health = CheckHealth._make((*health[:-1], result))
            return NOTHING_NEW
        return self._fold(policy, state, result, now)

    def _measure(self, state: CheckState, result: ProbeResult) -> None:
        """Count how long the connection took; but a prober that is behind with its work would measure itself."""
        took = result.timings.connect
        if took is not None and result.outcome is ProbeOutcome.PASS and state.check.connects and self._stretched == 1:
            for each in state.of.latencies:
                each.note(took, result.at)

    def settle(self, now: float, name: str | None = None) -> tuple[Transition, ...]:
        """Let evidence that grew too old become UNKNOWN, of one policy or of all.

        Called regularly, for the absence of news is no event.
        """
        self._vantage.settle(now)
        names = self._policies if name is None else self._policies.keys() & {name}
        concerned = [self._policies[each] for each in names]
        self._recount(now, concerned)
        for policy in concerned:
            for of in policy.endpoints.values():
                waited = not of.met and not of.dependency and now - policy.since > FIRST_SIGHT
                if self._judge(policy, of, now, now) or not waited:
                    continue
                if any(warming(state.health, now, policy.policy.health) for state in of.checks):
                    continue  # it may still be starting
                of.met = True  # said once: nobody waits for its first verdict any longer
                self._say(policy, of, of.verdict, of.verdict if self._box.convened else of.judged(now))
                self._call(policy)
        return self._tell(now)

    def stretch(self, factor: int) -> None:
        """Intervals are so many times as long from now on, so evidence may be so much older before it is stale."""
        self._stretched = factor
        for policy in self._policies.values():
            for of in policy.endpoints.values():
                for state in of.checks:
                    state.stretched = factor

    # -- other vantages ------------------------------------------------------------------------------------------------

    def convene(self, electorate: Electorate | None, now: float) -> tuple[Transition, ...]:
        """Who votes, and what is heard of them; None: this vantage alone, whatever others see.

        Called regularly, for silence is no event.
        """
        turned = self._box.convened is not (electorate is not None)
        if turned:  # what the others said before is not what they see now
            for policy in self._policies.values():
                policy.heard.clear()
        self._box.convene(electorate, now)
        self._recount(now, self._policies.values(), everything=turned)
        return self._tell(now)

    def hear(self, voter: str, name: str, votes: Votes | None, now: float) -> Fed:
        """What another vantage sees of a policy; None: nothing that counts. Returns which probes are due because of it.

        Nothing comes of it when it is no voter, or nobody watches that policy.
        """
        policy = self._policies.get(name)
        if policy is None or not self._box.knows(voter):
            return NOTHING_NEW
        before, after = policy.heard.pop(voter, None) or Votes(Health.UNKNOWN), votes or Votes(Health.UNKNOWN)
        if votes is not None:
            policy.heard[voter] = votes
        concerned = list(differing(policy, before, after))
        opened = self._hold_all(policy, concerned, now).opened
        due = [each for region in sorted(opened) for each in self._ask_others(policy, region, now)]
        for of in concerned:
            due += self._look_too(policy, of, before.of(of.endpoint), after.of(of.endpoint), now)
        pause = min(STAGGER, policy.policy.health.recheck / max(1, len(due)))
        others = tuple(each._replace(delay=number * pause) for number, each in enumerate(due))
        return Fed(self._tell(now), NextProbe(None, others))

    def votes(self, name: str) -> Votes:
        """What this vantage sees of a policy."""
        return votes_of(self._policies[name])

    def leave(self, name: str, elsewhere: frozenset[Endpoint]) -> tuple[Transition, ...]:
        """Leave endpoints of a policy to other vantages: probe them only while there is a reason to look."""
        policy = self._policies.get(name)
        if policy is None or policy.elsewhere == elsewhere:
            return ()
        policy.elsewhere = elsewhere
        return (Voted(name),)

    def idle(self, name: str, endpoint: Endpoint) -> bool:
        """Whether that endpoint is left to others, and nobody has a reason to look."""
        policy = self._policies.get(name)
        of = policy.endpoints.get(endpoint) if policy is not None and endpoint in policy.elsewhere else None
        return policy is not None and of is not None and not looked_into(policy, of)

    def isolated(self) -> frozenset[Family]:
        """In which address families this vantage does not trust itself."""
        return self._vantage.isolated

    @staticmethod
    def _look_too(
        policy: PolicyHealth, of: EndpointHealth, before: Vote, after: Vote, now: float
    ) -> Iterator[ProbeDue]:
        """Another vantage sees otherwise than what holds: this one looks as well, unless it sees the same already."""
        if before[:2] == after[:2] or not after.contradicts(of.verdict.state):
            return
        fails = of.own.state is Health.UNHEALTHY or any(state.counting for state in of.checks)
        known = fails if after.adverse else of.own.state in SERVING
        if known or now - of.looked_at < policy.policy.health.recheck / 2:
            return
        of.looked_at = now
        for state in of.checks:
            yield ProbeDue(policy.policy.name, of.endpoint, state.check.name, 0.0)

    def _recount(self, now: float, passed: Collection[PolicyHealth], *, everything: bool = False) -> None:
        """Others have a vote than before, or time has `passed` for some policies: what do the vantages agree on now?"""
        changed = self._box.look(now)
        for policy in self._policies.values() if changed else passed:
            again = policy.answering if everything else contested(policy) if changed else policy.disputes
            self._hold_all(policy, tuple(again), now)

    def _turn_vantage(self, turned: VantageTurned) -> None:
        self._told.append(turned)
        self._doubts_turned = True

    # -- asked about it ------------------------------------------------------------------------------------------------

    def regions(self, name: str, record_type: RecordType, now: float) -> dict[str, RegionHealth]:
        """The health of each region that a record of this type can answer with."""
        policy = self._policies[name]
        rolled_up = self._rolled_up(policy, record_type, now)
        return {region: policy.with_failures(health, record_type, now) for region, health in rolled_up.items()}

    def _rolled_up(self, policy: PolicyHealth, record_type: RecordType, now: float) -> dict[str, RegionHealth]:
        if record_type in policy.outdated:
            policy.outdated.discard(record_type)
            self._roll_up(policy, record_type, now)
        return {region: health for (kind, region), health in policy.regions.items() if kind is record_type}

    def undecided(self, name: str) -> bool:
        """Whether some endpoint of the policy has no verdict yet."""
        return any(of.verdict.state is Health.UNKNOWN for of in self._policies[name].answering)

    def calm(self, name: str, aside: Collection[str] = ()) -> bool:
        """Whether every endpoint of the policy is HEALTHY, those of some regions left `aside`."""
        return all(
            of.verdict.state is Health.HEALTHY
            for of in self._policies[name].answering
            if of.endpoint.region not in aside
        )

    def steady(self, now: float) -> bool:
        """Whether everything stays as it is while every probe comes to the same as the last one did.

        So a thousand more of them would change nothing but when each endpoint was last seen, until `reused_at`.
        """
        policies = (each.steady(now) for each in self._policies.values())
        return not self._box.convened and self._stretched == 1 and self._vantage.steady and all(policies)

    @property
    def reused_at(self) -> float | None:
        """When the next of those may be used again that are kept out because they flapped; None without any."""
        known = ((policy, state) for policy in self._policies.values() for state in policy.checked)
        moments = (flapping_until(each.health, policy.policy.health) for policy, each in known if each.kept_out)
        return min(moments, default=None)

    def last(self, name: str, endpoint: Endpoint, check: str) -> ProbeResult | None:
        """What the last probe that could see came to, of an endpoint or a sentinel."""
        if name == SENTINELS:
            return self._vantage.sentinels[check].health.last
        state = self._policies[name].state(endpoint, check)
        return state.health.last if state is not None else None

    def verdicts(self, name: str) -> dict[Endpoint, Verdict]:
        """What is held to be true of each endpoint that records can answer with."""
        return {of.endpoint: of.verdict for of in self._policies[name].answering}

    def down(self, name: str, endpoint: Endpoint, check: str) -> bool:
        """Whether an endpoint is UNHEALTHY through one check. A sentinel never is."""
        policy = self._policies.get(name)
        state = policy.state(endpoint, check) if policy is not None else None
        return state is not None and state.health.state is Health.UNHEALTHY

    def statuses(self, name: str, now: float) -> list[RegionStatus | EndpointStatus]:
        """Where each endpoint and each region stands."""
        return [*(of.status(name, now) for of in self._policies[name].answering), *self._region_statuses(name, now)]

    def _region_statuses(self, name: str, now: float) -> list[RegionStatus]:
        known = self._policies[name]
        clouds = {region.name: region.cloud for region in known.policy.regions}
        return [
            RegionStatus(
                policy=name,
                record_type=record_type,
                region=region,
                at=now,
                state=health.state,
                score=health.score,
                since=health.since,
                well_since=health.well_since,
                evidence=health.evidence,
                cloud=clouds.get(region, ""),
                seen=known.seen_at(region, record_type),
                flapping_until=health.flapping_until,
                latency=known.latency(region, record_type, now),
            )
            for record_type in record_types(known.policy)
            for region, health in sorted(self._rolled_up(known, record_type, now).items())
        ]

    def vantage_status(self, now: float) -> VantageStatus:
        return self._vantage.status(now)

    def late(self, name: str, endpoint: Endpoint, check: str, now: float) -> tuple[ProbeDue, ...]:
        """Who is to bear it out that this endpoint, which used to be quicker, does not answer."""
        policy = self._policies.get(name)
        state = policy.state(endpoint, check) if policy is not None else None
        return tuple(self._witnesses(policy, state, now)) if policy is not None and state is not None else ()

    # -- one result ----------------------------------------------------------------------------------------------------

    def _fold(self, policy: PolicyHealth, state: CheckState, result: ProbeResult, now: float) -> Fed:
        of, before, rules = state.of, state.health, policy.policy.health
        if result.outcome is ProbeOutcome.FAIL:
            before = lapsed(before, result.at, state.stale_after)
            state.passed = state.last_pass
        veto = self._vantage.judge(of.track, state.check, result, before, rules)
        taken = doubted(result, veto.why) if veto is not None else result
        explained = bool(policy.down) and bool(policy.explaining(of))
        state.health, recheck, siblings = observe(before, taken, rules, explained=explained)
        failed = state.health.failures > before.failures
        if failed and not before.failures:
            state.failing_since = result.at - result.timings.total
        if veto is not None and veto.open:
            recheck = siblings = True
        self._keep_out(policy, state)
        if state.health.state is not before.state or of.own.state is Health.UNKNOWN:
            self._judge(policy, of, result.at, now)
        if state.kept_out or result.outcome in {ProbeOutcome.FAIL, ProbeOutcome.DEGRADED}:
            self._retell(policy, of, result.at, now)
        if self._box.convened:
            self._hold(policy, of, now)
        others = list(self._look_into(policy, state, now, failed=failed)) if not of.dependency else []
        if recheck or policy.open:
            self._follow_up(policy, state, open_still=recheck)
        if state.asked and result.outcome in ALIVE:
            self._answer(policy, state, result)
        if siblings:
            others += self._siblings(policy, state, now)
            others += self._witnesses(policy, state, now)
        again = self._again(policy, state, result, failed=failed) if recheck else None
        return Fed(self._tell(now), NextProbe(again, tuple(others)))

    def _again(self, policy: PolicyHealth, state: CheckState, result: ProbeResult, *, failed: bool) -> float:
        """Seconds to the next probe of the same endpoint: what a failure took is a part of `recheck`."""
        rules, failures = policy.policy.health, policy.failures.get(state.of.endpoint.region)
        if failed and failures is not None and failures.hurried and state in failures.counting:
            return state.hurried(rules)
        took = result.timings.total if result.outcome is ProbeOutcome.FAIL else 0.0
        return max(rules.recheck - took, min(FLOOR, rules.recheck))

    def _feed_sentinel(self, result: ProbeResult, now: float) -> Fed:
        observation = self._vantage.observe(result)
        if observation is None:
            return NOTHING_NEW
        again = SENTINEL_RULES.recheck if observation.recheck else None
        others = tuple(self._sentinels(now, result.check)) if observation.siblings else ()
        return Fed(self._tell(now), NextProbe(again, others))

    def _keep_out(self, policy: PolicyHealth, state: CheckState) -> None:
        """Say once that an endpoint which passes again is kept out by flap damping."""
        said, health = state.kept_out, state.health
        state.kept_out = kept_out(health, policy.policy.health)
        if state.kept_out and not said and state.of.verdict.state is Health.UNHEALTHY:
            self._told.append(KeptOut(policy.policy, state.of.endpoint, state.check.name, health))

    def _follow_up(self, policy: PolicyHealth, state: CheckState, *, open_still: bool) -> None:
        """Keep account of the verdicts that are being looked for, and tell who waits for the last of them."""
        if open_still and not state.of.dependency:
            policy.open.add(state)
            return
        policy.open.discard(state)
        if policy.awaited and not policy.pending:
            self._call(policy)

    # -- a region in trouble -------------------------------------------------------------------------------------------

    def _look_into(self, policy: PolicyHealth, state: CheckState, now: float, *, failed: bool) -> Iterator[ProbeDue]:
        """Keep account of the failures of a region; yields whom else they make worth a probe."""
        name = state.of.endpoint.region
        failures = policy.failures[name]
        if not (failed or failures.counting or failures.since is not None):
            return
        first, was_open = failed and not failures.counting, failures.open
        if state.counting and state not in failures.counting:
            failures.counting.add(state)
            failures.open = was_open or policy.may_fall(name)
        elif not state.counting and state in failures.counting:
            failures.counting.remove(state)
            failures.open = policy.may_fall(name)
        if first and not (failures.since is not None and RegionState.DOWN in policy.states(name)):
            heard = failures.since if failures.since is not None and failures.disputed else state.failing_since
            failures.since = min(heard, state.failing_since)
        if was_open and not failures.open and not self._called:
            self._call(policy)  # who held still because of it need not any longer
        if not failures.counting:
            failures.hurried = False
            self._calm_down(policy, failures)
        if first or (failed and (was_open or failures.open)):
            yield from self._ask_others(policy, name, now)
        if failed and failures.open and not failures.hurried:
            yield from self._hurry(policy, failures, state, now)

    @staticmethod
    def _calm_down(policy: PolicyHealth, failures: RegionFailures) -> None:
        """Nothing fails any more in a region that is well."""
        quiet = not (failures.counting or failures.disputed)
        if quiet and policy.states(failures.spec.name) <= {RegionState.HEALTHY}:
            failures.since = None

    def _follow_disputes(self, policy: PolicyHealth, region: str, now: float) -> None:
        """Votes are waited for, or no longer: tell who waits for the last of them."""
        failures = policy.failures[region]
        was_open, failures.open = failures.open, policy.may_fall(region)
        if failures.disputed and failures.since is None:
            failures.since = now
        self._calm_down(policy, failures)
        ended = (was_open and not failures.open) or (policy.awaited and not policy.pending)
        if ended and not self._called:
            self._call(policy)

    @property
    def _called(self) -> bool:
        """Whether somebody is called already, by what is being done just now."""
        return any(isinstance(each, News) and not each.more for each in self._told)

    def _ask_others(self, policy: PolicyHealth, failing: str, now: float) -> Iterator[ProbeDue]:
        """One endpoint of each other region, at once: does it fail as well, or is it well?"""
        since = policy.failures[failing].since or now
        for name, failures in policy.failures.items():
            lately = failures.asked_at >= since and now - failures.asked_at < policy.policy.health.recheck / 2
            known = name == failing or failures.open or RegionState.DOWN in policy.states(name)
            asked = failures.choose() if not known and not lately else None
            if asked is None:
                continue
            failures.asked_at = now
            for state in asked.checks:
                state.asked = True
                yield ProbeDue(policy.policy.name, asked.endpoint, state.check.name, 0.0, afresh=True)

    def _hurry(
        self, policy: PolicyHealth, failures: RegionFailures, state: CheckState, now: float
    ) -> Iterator[ProbeDue]:
        """Endpoints of a region bear each other's failures out: bring their re-checks forward."""
        if not failures.borne_out or now - failures.hurried_at < state.check.every:
            return
        failures.hurried, failures.hurried_at = True, now
        for other in failures.counting - {state}:
            failed_at = other.health.last.at if other.health.last is not None else now
            delay = failed_at + other.hurried(policy.policy.health) - now
            yield ProbeDue(policy.policy.name, other.of.endpoint, other.check.name, max(0.0, delay))

    def _answer(self, policy: PolicyHealth, state: CheckState, result: ProbeResult) -> None:
        """Somebody who was asked is well. Tell who waits for that before it is to receive more."""
        state.asked = False
        if state.check.uses_network:
            state.of.track.answers.note(result)
        mine = policy.failures.get(state.of.endpoint.region)
        if mine is None:
            return
        passed_at, told = mine.passed_at, mine.told
        for name, failures in policy.failures.items():
            if failures is mine or failures.since is None or not told < failures.since <= passed_at:
                continue
            mine.told = max(mine.told, failures.since)
            if RegionState.DOWN in policy.states(name) and not self._called:
                self._call(policy)

    # -- whom to ask ---------------------------------------------------------------------------------------------------

    def _siblings(self, policy: PolicyHealth, failing: CheckState, now: float) -> Iterator[ProbeDue]:
        """The other endpoints of its region under the same check, but for those whose failures are known."""
        failures = policy.failures.get(failing.of.endpoint.region)
        if failures is None:
            return
        crowded = len(failures.endpoints) > CROWD
        if crowded and not self._may_ask(policy, policy.siblings_asked, failing, now):
            return
        others = (of.state(failing.check.name) for of in failures.endpoints)
        wanted = [other for other in others if other is not None and other is not failing and not other.health.failures]
        yield from _in_order(policy.policy.name, ((other.of.endpoint, other.check.name) for other in wanted))

    def _witnesses(self, policy: PolicyHealth, failing: CheckState, now: float) -> Iterator[ProbeDue]:
        """Those who can bear a failure out, or would not: sentinels, and somebody in each other cloud."""
        if not self._may_ask(policy, policy.witnesses_asked, failing, now):
            return
        yield from self._sentinels(now)
        for name, region in self._vantage.witnesses(failing.of.track):
            failures = self._policies[name].failures[region]
            asked = failures.choose() if failures.asked_at != now else None  # else one of its endpoints is asked anyway
            if asked is None:
                continue
            state = min(asked.checks, key=_as_witness)
            state.asked = True
            yield ProbeDue(name, state.of.endpoint, state.check.name, STAGGER)

    def _sentinels(self, now: float, failing: str = "") -> Iterator[ProbeDue]:
        """Every sentinel that was not heard just now."""
        wanted = [
            (each.endpoint, name)
            for name, each in self._vantage.sentinels.items()
            if name != failing and (each.health.seen_at or NEVER) <= now - SENTINEL_RULES.recheck
        ]
        yield from _in_order(SENTINELS, wanted)

    def _may_ask(
        self, policy: PolicyHealth, asked: dict[tuple[str, str], float], failing: CheckState, now: float
    ) -> bool:
        """Whether to ask now: all endpoints of a region that fail together ask for the same probes."""
        key = failing.of.endpoint.region, failing.check.name
        if now - asked.get(key, NEVER) < policy.policy.health.recheck:
            return False
        asked[key] = now
        return True

    # -- transitions ---------------------------------------------------------------------------------------------------

    def _judge(self, policy: PolicyHealth, of: EndpointHealth, at: float, now: float) -> bool:
        """Look again at what this vantage sees of an endpoint; says whether what holds of it changed."""
        before, after = of.own, of.judged(at)
        if after.state is before.state:
            unseen = after.state is Health.UNKNOWN and after.evidence != before.evidence
            if not unseen and not (policy.policy.health.checks and after.gist != before.gist):
                return False  # the same verdict, and it rests on the same
        of.own = after
        return self._hold(policy, of, now)

    def _hold(self, policy: PolicyHealth, of: EndpointHealth, now: float) -> bool:
        """Look again at what holds of an endpoint; says whether it changed."""
        return self._hold_all(policy, (of,), now).turned

    def _hold_all(self, policy: PolicyHealth, endpoints: Iterable[EndpointHealth], now: float) -> "_Held":
        """Look again at what holds of these, and then once at each region: many may turn by one word."""
        turned: list[tuple[EndpointHealth, Verdict]] = []
        opened, closed = set[str](), set[str]()
        for of in endpoints:
            before, was_open = of.verdict, of.disputed
            if self._box.convened and not of.dependency and (vote := of.vote) != of.cast:
                of.cast = vote
                self._told.append(Voted(policy.policy.name))
            after = of.verdict = self._box.weigh(policy, of, now)
            if after.state is not before.state:
                turned.append((of, before))
            elif after is not before and (after.state is Health.UNKNOWN or self._box.convened):
                policy.outdated.update(record_types(policy.policy))  # no news, but it is told by whoever asks
            if of.disputed is not was_open:
                (opened if of.disputed else closed).add(of.endpoint.region)
        self._turn(policy, turned, now)
        for region in opened | closed:
            self._follow_disputes(policy, region, now)
        return _Held(bool(turned), frozenset(opened))

    def _retell(self, policy: PolicyHealth, of: EndpointHealth, at: float, now: float) -> None:
        """The same verdict may rest on something else by now: what refused hangs, or passes and is kept out.

        That is no news, but whoever asks is told of now. Only that the one who is kept out may be used again at some
        moment, or no longer, changes what is to be expected of the policy.
        """
        before, after = of.own, of.judged(at)
        if after.state is not before.state or after.gist == before.gist or now - of.told_at < RETOLD:
            return
        held = of.verdict
        of.own, of.told_at = after, now
        self._hold(policy, of, now)
        policy.outdated.update(record_types(policy.policy))
        if of.verdict.flapping_until != held.flapping_until:
            self._call(policy, more=policy.awaited and policy.pending)

    def _turn(self, policy: PolicyHealth, turned: Sequence[tuple[EndpointHealth, Verdict]], now: float) -> None:
        """Verdicts changed: say so, roll the regions up that they are about, call for the policy."""
        touched: dict[tuple[RecordType, str], None] = {}
        regions = set[str]()
        for of, before in turned:
            if of.dependency:
                self._turn_dependency(policy, of, now)
                continue
            if of.met or of.verdict.state is not Health.HEALTHY:
                self._say(policy, of, before, of.verdict)
            of.met = True
            region = of.endpoint.region
            regions.add(region)
            kinds = (kind for kind in record_types(policy.policy) if of.endpoint.answer(kind) is not None)
            touched |= dict.fromkeys((kind, region) for kind in kinds)
            policy.open.difference_update(of.checks)
        if regions:
            rolled = [self._roll_up(policy, kind, now, only=region) for kind, region in touched]
            waits = not any(rolled) or any(policy.may_fall(region) for region in regions)
            self._call(policy, more=policy.pending and waits)

    def _turn_dependency(self, policy: PolicyHealth, of: EndpointHealth, now: float) -> None:
        """No record answers with it: it moves nothing, and explains much, as long as it is seen to be down."""
        down = of.verdict.state is Health.UNHEALTHY
        (policy.down.add if down else policy.down.discard)(of.dependency)
        if down is not of.met and of.verdict.state is not Health.UNKNOWN:
            of.met = down
            self._told.append(DependencyTurned(policy.policy, of.dependency, of.endpoint, of.verdict))
        for record_type in record_types(policy.policy):
            self._roll_up(policy, record_type, now)

    def _roll_up(self, policy: PolicyHealth, record_type: RecordType, now: float, only: str = "") -> bool:
        """Judge the regions anew, or `only` one of them.

        Whether one of them turned. The first sight of one that is well is less: more of its endpoints come up just now.
        """
        turned = False
        for spec in policy.policy.regions:
            members = policy.members(spec, record_type) if not only or spec.name == only else []
            if not members:
                continue
            before = policy.regions.get((record_type, spec.name))
            verdicts = [(value, policy.said(of)) for value, of in members]
            weights = [of.weight for _, of in members]
            after = roll_up(spec.name, verdicts, before, policy.policy.health, now, weights)
            policy.regions[record_type, spec.name] = after
            if before is not None and before.state is after.state:
                continue
            if after.state is RegionState.UNKNOWN and (before is None or policy.learning(spec.name)):
                continue  # not lost from sight: not seen yet, as at the start or after a new revision
            self._told.append(RegionTurned(policy.policy, record_type, before, after))
            turned = turned or after.state is not RegionState.HEALTHY or (before is not None and before.seen)
        return turned

    def _say(self, policy: PolicyHealth, of: EndpointHealth, before: Verdict, after: Verdict) -> None:
        state = of.state(after.check) if of.own.state is after.state else None
        failures, passes = _counts(state.health, after.state) if state is not None else (0, 0)
        explained = policy.explaining(of) if after.state is not Health.HEALTHY else ()
        down = state is not None and after.state is Health.UNHEALTHY
        since = state.health.failing_since if state is not None and down else None
        self._told.append(EndpointTurned(policy.policy, of.endpoint, before, after, failures, passes, explained, since))

    def _call(self, policy: PolicyHealth, *, more: bool = False) -> None:
        policy.awaited = more
        self._told.append(News(policy.policy.name, more))

    def _tell(self, now: float) -> tuple[Transition, ...]:
        if not self._told:
            return ()
        if self._doubts_turned:
            self._doubts_turned = False
            self._recount(now, self._policies.values())
        told = tuple(self._told)
        self._told.clear()
        return told


class _Held(NamedTuple):
    """Whether what holds changed of any endpoint, and in which regions votes are waited for from now on."""

    turned: bool
    opened: frozenset[str]


def _in_order(name: str, wanted: Iterable[tuple[Endpoint, str]]) -> Iterator[ProbeDue]:
    """One after the other."""
    for index, (endpoint, check) in enumerate(wanted, start=1):
        yield ProbeDue(name, endpoint, check, index * STAGGER)


def _counts(health: CheckHealth, turned: Health) -> tuple[int, int]:
    """The failures and passes that a verdict rests on: of one that is down, those that came between its failures."""
    return health.failures, health.between if turned is Health.UNHEALTHY else health.passes


def _as_witness(state: CheckState) -> tuple[bool, float]:
    """The check under which an endpoint is asked to bear a failure out: the one that answers soonest."""
    return not state.check.uses_network, state.check.timeout
