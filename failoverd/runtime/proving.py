"""The proof of a change: every authoritative server is asked directly, until all of them answer what was written.

Proofs run in the background. None delays the next round. One that is under way when the daemon ends is begun again by
the next one, where what was written stands still. A later change of the same target takes the place of an older proof.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from failoverd.core.control.news import names
from failoverd.core.control.plan import Plan
from failoverd.core.control.propagation import (
    Hearing,
    Nameserver,
    Nameservers,
    Propagation,
    Question,
    Statement,
    judge,
    question,
)
from failoverd.core.errors import FailoverdError, ProviderError, describe
from failoverd.core.events import ChangeDisputed, ChangeVerified, TaskCrashed
from failoverd.core.records import Target
from failoverd.ports import Authorities, Clock, Emit, Propagating, Provider
from failoverd.runtime.supervising import backoff

DISPUTE_AFTER: Final = 60.0
"""Seconds that servers may take to agree before it is said; secondaries hear of a change within a few."""

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 5.0
"""Seconds between two rounds of questions while a proof is young."""

FIRST_LATE_PAUSE: Final = 15.0
LONGEST_LATE_PAUSE: Final = 300.0
"""The same once it is disputed."""

_NOW: Final = 0.001
"""Seconds. What is due within it is due."""

ABREAST: Final = 64
"""Servers that are being asked at the same time, by all proofs together."""

ABREAST_AT_ONE: Final = 8
"""The same at one server, so that a dead one does not keep every other proof waiting."""

SILENCE_KEPT: Final = 5.0
"""Seconds for which a server that was silent counts as silent for every proof: asking it takes seconds each time."""


@dataclass(slots=True)
class _Proof:
    """One change that is being proved."""

    provider: Provider
    plan: Plan
    incident_id: str
    began: float
    propagation: Propagation = field(default_factory=Propagation)
    disputed: bool = False
    rounds: int = 0
    late_rounds: int = 0
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Prover:
    """Proves changes. `dispute_after` is in seconds from the write."""

    def __init__(
        self,
        authorities: Authorities,
        emit: Emit,
        clock: Clock,
        *,
        dispute_after: float = DISPUTE_AFTER,
        chance: random.Random | None = None,
    ) -> None:
        self._authorities = authorities
        self._emit = emit
        self._clock = clock
        self._dispute_after = dispute_after
        self._backoff = partial(backoff, chance=chance) if chance is not None else backoff
        self._proofs: dict[Target, _Proof] = {}
        self._turns = asyncio.Semaphore(ABREAST)
        self._silent: dict[Nameserver, tuple[float, Statement]] = {}
        self._turns_at = defaultdict[Nameserver, asyncio.Semaphore](partial(asyncio.Semaphore, ABREAST_AT_ONE))

    def prove(self, provider: Provider, plan: Plan, incident_id: str) -> None:
        """Begin to prove a change that was written and read back. Returns at once."""
        self._drop(plan.target)
        proof = self._proofs[plan.target] = _Proof(provider, plan, incident_id, self._clock())
        proof.task = asyncio.create_task(self._guarded(proof), name=f"proof of {plan.id}")

    def forget(self, policy: str) -> None:
        """End the proofs of a policy that is no longer managed."""
        for target in [target for target in self._proofs if target.policy == policy]:
            self._drop(target)

    async def settle(self, target: Target, patience: float) -> None:
        """Wait up to `patience` seconds for the proof of a target that is under way."""
        proof = self._proofs.get(target)
        if proof is not None and proof.task is not None:
            await asyncio.wait({proof.task}, timeout=patience)

    @property
    def disputed(self) -> frozenset[Target]:
        """Whose last change some authoritative server does not answer yet, although it is overdue."""
        return frozenset(target for target, proof in self._proofs.items() if proof.disputed)

    def propagation(self, plan: Plan) -> Propagation | None:
        """How far the proof of a change is; None once it has ended."""
        proof = self._proofs.get(plan.target)
        return proof.propagation if proof is not None and proof.plan.id == plan.id else None

    async def close(self) -> None:
        """End every proof. What they would have proved stays as it is."""
        tasks = [proof.task for proof in self._proofs.values() if proof.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._proofs.clear()

    # -- one proof -----------------------------------------------------------------------------------------------------

    def _drop(self, target: Target) -> None:
        older = self._proofs.pop(target, None)
        if older is not None and older.task is not None:
            older.task.cancel()

    async def _guarded(self, proof: _Proof) -> None:
        """The proof to its end; a defect in it is told, and it is begun again."""
        attempt = 0
        while True:
            try:
                await self._prove(proof)
                break
            except Exception as error:  # noqa: BLE001 - the boundary that keeps a defect in one proof out of the others
                attempt += 1
                await asyncio.sleep(self._tell_crash(proof, error, self._backoff(attempt)))
        if self._proofs.get(proof.plan.target) is proof:
            del self._proofs[proof.plan.target]

    async def _prove(self, proof: _Proof) -> None:
        everywhere = await self._propagated(proof)
        while True:
            who = await self._locate(proof)
            if who is not None and not who.servers:
                return self._tell_verified(proof, unconfirmed=not everywhere)
            if who is not None:
                await self._hear(proof, who)
            if proof.propagation.overtaken:
                return None
            if proof.propagation.proved:
                return self._tell_verified(proof)
            self._dispute_in_time(proof)
            await asyncio.sleep(self._pause(proof))

    async def _propagated(self, proof: _Proof) -> bool:
        """Let a provider that knows by itself say when all of its servers have it, before any of them is asked.

        What keeps it from saying so matters only where nobody is to be asked: else the servers prove it all the same.
        """
        provider = proof.provider
        if not isinstance(provider, Propagating):
            return True
        with suppress(ProviderError, TimeoutError):
            async with asyncio.timeout(self._dispute_after):
                return await provider.propagated(proof.plan.target)
        return False

    async def _locate(self, proof: _Proof) -> Nameservers | None:
        try:
            return await self._authorities.of(proof.plan.target)
        except FailoverdError as error:
            proof.propagation = replace(proof.propagation, detail=str(error))
            return None

    async def _hear(self, proof: _Proof, who: Nameservers) -> None:
        """Ask everybody who did not agree before."""
        plan = proof.plan
        asked = question(plan, who)
        waiting = [server for server in who.servers if server not in proof.propagation.agreeing]
        heard = await asyncio.gather(*(self._ask(server, asked) for server in waiting))
        proof.propagation = proof.propagation.after([(said, judge(said, plan, who)) for said in heard])

    async def _ask(self, server: Nameserver, asked: Question) -> Statement:
        async with self._turns_at[server], self._turns:
            at, silence = self._silent.get(server, (0.0, None))
            if silence is not None and self._clock() - at <= SILENCE_KEPT:
                return silence
            said = await self._authorities.ask(server, asked)
            self._silent.pop(server, None)
            if said.hearing is Hearing.SILENT:
                self._silent[server] = (self._clock(), said)
            return said

    # -- time ----------------------------------------------------------------------------------------------------------

    def _pause(self, proof: _Proof) -> float:
        """Seconds until the next round: short at first, never past the moment when a dispute is due."""
        if proof.disputed:
            proof.late_rounds += 1
            return self._backoff(proof.late_rounds, first=FIRST_LATE_PAUSE, longest=LONGEST_LATE_PAUSE)
        proof.rounds += 1
        pause = self._backoff(proof.rounds, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        return min(pause if proof.propagation.disagreeing else max(pause, SILENCE_KEPT), self._left(proof))

    def _left(self, proof: _Proof) -> float:
        """Seconds until a dispute is due. A millisecond before is as good: a sum of floats may never get there."""
        left = proof.began + self._dispute_after - self._clock()
        return left if left > _NOW else 0.0

    def _dispute_in_time(self, proof: _Proof) -> None:
        if not proof.disputed and self._left(proof) == 0.0:
            proof.disputed = True
            self._tell_disputed(proof)

    # -- what is told --------------------------------------------------------------------------------------------------

    def _tell_verified(self, proof: _Proof, *, unconfirmed: bool = False) -> None:
        plan, now, old = proof.plan, self._clock(), proof.plan.before.records
        self._emit(
            ChangeVerified(
                **names(plan.target, proof.incident_id, now),
                decision_id=plan.decision.id,
                change_id=plan.id,
                generation=plan.generation,
                took=now - plan.decision.at,
                aged_out_at=now + old.ttl if old is not None and old.serving else None,
                servers=len(proof.propagation.agreeing),
                unconfirmed=unconfirmed or None,
                unasked=_texts(proof.propagation.unasked),
            )
        )

    def _tell_disputed(self, proof: _Proof) -> None:
        plan, now, propagation = proof.plan, self._clock(), proof.propagation
        self._emit(
            ChangeDisputed(
                **names(plan.target, proof.incident_id, now),
                decision_id=plan.decision.id,
                change_id=plan.id,
                generation=plan.generation,
                waited=now - proof.began,
                agreeing=_texts(sorted(propagation.agreeing)),
                disagreeing=propagation.disagreeing,
                silent=_texts(propagation.silent),
                unasked=_texts(propagation.unasked),
                detail=propagation.detail,
            )
        )

    def _tell_crash(self, proof: _Proof, error: Exception, delay: float) -> float:
        target, words = proof.plan.target, describe(error)
        task = f"proof of {target}"
        self._emit(TaskCrashed(at=self._clock(), policy=target.policy, task=task, error=words, restart_in=delay))
        return delay


def _texts(servers: Iterable[Nameserver]) -> tuple[str, ...]:
    return tuple(str(server) for server in servers)
