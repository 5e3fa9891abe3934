"""Climbs the ladder: liveness, models, completion, each when it is its turn."""

import asyncio
from collections.abc import Awaitable
from typing import Final

from failoverd.core.errors import ConfigError
from failoverd.core.records import Check, Endpoint, Outcome, ProbeReason
from failoverd.ports import Cancel, Clock, ProbeContext, ProbeKind, Tell
from failoverd.probes.conversation import Speaker
from failoverd.probes.credentials import Credentials, hush
from failoverd.probes.exchange import Exchange
from failoverd.probes.inference.answers import Heads, LiveJudge
from failoverd.probes.inference.budget import Budget, Reservation
from failoverd.probes.inference.completion import CompletionJudge, Stopwatch, body_of
from failoverd.probes.inference.models import ModelsJudge
from failoverd.probes.inference.rungs import Rung, combine
from failoverd.probes.inference.settings import InferenceSettings, most_tokens
from failoverd.probes.look import Look, settings_of, start_visit
from failoverd.probes.reasons import Finding, explain, outcome_of
from failoverd.probes.services import Asked, Service
from failoverd.probes.web_settings import Fields

MOST_ENDPOINTS: Final = 20_000
"""Endpoints whose rungs are remembered; a policy has fewer."""

_PATIENCE: Final = 0.95
"""The part of the time left that a rung may take, so that there is some to take down what became of it."""

_LEDGER_PATIENCE: Final = 0.5
"""Seconds that a look waits for the journal: a slow disk is nothing that the endpoint could help."""

_BRIEFLY: Final = 0.05
_COMPLETING: Final = (("Content-Type", "application/json"), ("Accept", "text/event-stream"))
_LISTING: Final = (("Accept", "application/json"),)


class Knock:
    """A `Conversation` that is over as soon as somebody is there."""

    def opened(self, _: Speaker) -> Finding | None:
        return Finding(ProbeReason.OK)

    def received(self, _: bytes) -> Finding | None:
        raise AssertionError("it was over before")

    def ended(self) -> Finding:
        raise AssertionError("it was over before")


class Memory:
    """What is remembered of one endpoint.

    Attributes:
        live, models, completion: its rungs; the lowest is asked by every look.
        quiet_until: when the server may be asked for more than whether it lives; it said so (Retry-After).
        is_broke: the last completion was left out, because it may not be paid for.
    """

    __slots__ = ("completion", "is_broke", "live", "models", "quiet_until")

    def __init__(self, settings: InferenceSettings) -> None:
        every = settings.every
        self.live = Rung("liveness", every, every)
        self.models = Rung("models", every if settings.live is None else settings.models_every, every)
        self.completion = Rung("completion", settings.completion_every or every, every)
        self.quiet_until = 0.0
        self.is_broke = False


class InferenceProber:
    """One `inference` check.

    Args:
        check: name and time-out.
        settings: what the policy says.
        budget: the tokens that completions may cost.
        clock: seconds since the epoch.

    Raises:
        ConfigError: a file that the check names cannot be used.
    """

    def __init__(self, check: Check, settings: InferenceSettings, budget: Budget, clock: Clock) -> None:
        self._check = check
        self._settings = settings
        self._budget = budget
        self._clock = clock
        self._service = Service(settings, clock)
        self._credentials = Credentials(settings.api_key_file, None)
        self._base = settings.inference.rstrip("/")
        self._body = body_of(settings)
        self._most = most_tokens(settings.prompt, settings.max_tokens)
        self._memories: dict[Endpoint, Memory] = {}

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        """See `ports.Prober`."""
        return start_visit(self._check, endpoint, self._clock, None, lambda look: self._visit(look, endpoint), tell)

    async def _visit(self, look: Look, endpoint: Endpoint) -> Finding:
        try:
            secrets = self._credentials.fields()
            return hush(await self._climb(look, endpoint, secrets), secrets)
        except ConfigError as error:
            return Finding(ProbeReason.CREDENTIAL_MISSING, str(error))

    def _memory(self, endpoint: Endpoint) -> Memory:
        found = self._memories.get(endpoint)
        if found is None:
            if len(self._memories) >= MOST_ENDPOINTS:
                del self._memories[next(iter(self._memories))]
            found = self._memories[endpoint] = Memory(self._settings)
        return found

    # -- the ladder ----------------------------------------------------------------------------------------------------

    async def _climb(self, look: Look, endpoint: Endpoint, secrets: Fields) -> Finding:
        """Raises ConfigError when our own files cannot be used any more."""
        memory, began = self._memory(endpoint), self._clock()
        lowest = memory.models
        if self._settings.live is not None:
            lowest = memory.live
            await self._ask_live(look, endpoint, memory, secrets)
        if self._may_ask(memory.models, memory, lowest):
            await self._ask_models(look, endpoint, memory, secrets)
        elif lowest is memory.models:
            await self._knock(look, endpoint, memory)
        if self._settings.completion_every is not None and self._may_complete(memory, lowest):
            await self._ask_completion(look, endpoint, memory, secrets)
        return self._come_to(memory, lowest, began)

    def _may_ask(self, rung: Rung, memory: Memory, lowest: Rung) -> bool:
        """A server that is dead, or that asked us to wait, is not asked for more."""
        now = self._clock()
        if now < memory.quiet_until:
            return False
        return rung is lowest or (rung.is_due(now) and not self._fails(lowest))

    def _may_complete(self, memory: Memory, lowest: Rung) -> bool:
        return self._may_ask(memory.completion, memory, lowest) and not self._fails(memory.models)

    def _fails(self, rung: Rung) -> bool:
        said = rung.said(self._clock())
        return said is not None and outcome_of(said[1].reason) in {Outcome.FAIL, Outcome.BLIND}

    def _come_to(self, memory: Memory, lowest: Rung, began: float) -> Finding:
        """A look that is blind itself has nothing to say of what was seen before.

        What another look is asking again is left to that one: else one answer could count as several.
        """
        now = self._clock()
        newest = lowest.said(now, began)
        if newest is not None and outcome_of(newest[1].reason) is Outcome.BLIND:
            return combine([newest])
        rungs = [rung for rung in (memory.live, memory.models, memory.completion) if rung is lowest or not rung.is_busy]
        said = [each for rung in rungs if (each := rung.said(now, began))]
        if not said:
            return Finding(ProbeReason.PROBER_ERROR, "no rung has said anything yet")
        found = combine(said)
        if self._settings.completion_every is None:
            return found
        if memory.is_broke and outcome_of(found.reason) is Outcome.PASS:
            found = found._replace(detail=f"{found.detail}; no completion: {self._budget.refusal}")
        return found._replace(measures=(*found.measures, ("completion_left_out", float(memory.is_broke))))

    # -- rungs ---------------------------------------------------------------------------------------------------------

    async def _ask_live(self, look: Look, endpoint: Endpoint, memory: Memory, secrets: Fields) -> None:
        heads = Heads(self._clock, secret=bool(secrets))
        asked = self._service.ask(endpoint, self._settings.live or "/", fields=secrets)
        await self._ask(
            look, memory, memory.live, heads, self._call(look, asked, Exchange(asked.request, LiveJudge(heads)))
        )

    async def _ask_models(self, look: Look, endpoint: Endpoint, memory: Memory, secrets: Fields) -> None:
        heads = Heads(self._clock, secret=bool(secrets))
        asked = self._service.ask(endpoint, f"{self._base}/models", fields=(*_LISTING, *secrets))
        call = self._call(look, asked, Exchange(asked.request, ModelsJudge(self._settings, heads)))
        await self._ask(look, memory, memory.models, heads, call)

    async def _knock(self, look: Look, endpoint: Endpoint, memory: Memory) -> None:
        """It asked us to wait, and that may be long. Whether it is there at all is seen without asking for anything."""
        asked = self._service.ask(endpoint, self._base)
        found = await _within(look, look.call(asked.destination, Knock()))
        if outcome_of(found.reason) is not Outcome.PASS:
            memory.quiet_until = 0.0  # whoever asked us to wait is gone
            memory.models.say(found, self._clock())

    async def _ask_completion(self, look: Look, endpoint: Endpoint, memory: Memory, secrets: Fields) -> None:
        target, fields = f"{self._base}/chat/completions", (*_COMPLETING, *secrets)
        asked = self._service.ask(endpoint, target, method="POST", fields=fields, body=self._body)
        memory.completion.is_busy = True
        try:
            reserved = await self._reserve(look)
        finally:
            memory.completion.is_busy = False
        memory.is_broke = reserved is None
        if reserved is None:
            wait = min(memory.completion.every, self._budget.renewed_in())
            memory.completion.postpone(self._clock() + wait)
            return
        heads = Heads(self._clock, secret=bool(secrets))
        judge = CompletionJudge(self._settings, heads)
        exchange = Stopwatch(Exchange(asked.request, judge, method="POST"), judge)
        await self._ask(look, memory, memory.completion, heads, look.call(asked.destination, asked.over(exchange)))
        await self._settle(look, reserved, judge.spent(reserved.tokens))

    async def _call(self, look: Look, asked: Asked, exchange: Exchange) -> Finding:
        """One of the cheap rungs, which may be slow as any check may."""
        before = look.left()
        found = await look.call(asked.destination, asked.over(exchange))
        took, slow = before - look.left(), self._settings.slow
        if slow is None or found.reason is not ProbeReason.OK or took <= slow:
            return found
        return Finding(ProbeReason.SLOW, f"{found.detail}, but after {took:.3g}s (slow is {slow:.3g}s)", found.measures)

    async def _ask(self, look: Look, memory: Memory, rung: Rung, heads: Heads, call: Awaitable[Finding]) -> None:
        """Whatever becomes of it is taken down, a time-out as well."""
        rung.is_busy = True
        try:
            found = await _within(look, call)
        finally:
            rung.is_busy = False
        now = self._clock()
        rung.say(found, now, heads.wait)
        if heads.wait:
            memory.quiet_until = max(memory.quiet_until, now + heads.wait)

    # -- tokens --------------------------------------------------------------------------------------------------------

    async def _reserve(self, look: Look) -> Reservation | None:
        """A reservation that comes too late is lost: what may have been written down counts as spent."""
        try:
            async with asyncio.timeout(min(_LEDGER_PATIENCE, look.left() / 2)):
                return await self._budget.reserve(self._most)
        except TimeoutError:
            return None

    async def _settle(self, look: Look, reserved: Reservation, spent: int) -> None:
        """The look does not wait for long: the ledger goes on writing what it was told."""
        try:
            async with asyncio.timeout(max(_BRIEFLY, min(_LEDGER_PATIENCE, look.left() / 2))):
                await self._budget.settle(reserved, spent)
        except TimeoutError:
            return


async def _within(look: Look, call: Awaitable[Finding]) -> Finding:
    """What it finds within nearly all of the time that is left, or what its failure means."""
    deadline = asyncio.timeout(look.left() * _PATIENCE)
    try:
        async with deadline:
            return await call
    except TimeoutError as error:
        return look.expired() if deadline.expired() else explain(error, look.phase)
    except Exception as error:  # noqa: BLE001 - explain() classifies; a defect of ours is BLIND, never a FAIL
        return explain(error, look.phase)


# -- kind --------------------------------------------------------------------------------------------------------------


def open_inference(check: Check, context: ProbeContext) -> InferenceProber:
    """Checks with the same key spend together; one without a key has an allowance of its own.

    Raises ConfigError when a file that the check names cannot be used.
    """
    settings = settings_of(check, InferenceSettings)
    account = settings.api_key_file or f"{context.policy}/{check.name}"
    budget = Budget(account, settings.tokens_per_day, context.ledger, context.clock)
    return InferenceProber(check, settings, budget, context.clock)


KINDS: tuple[ProbeKind, ...] = (ProbeKind("inference", InferenceSettings, open_inference),)
