"""Climbs the ladder: liveness, models, completion, each when it is its turn."""

import asyncio
from collections.abc import Awaitable
from typing import Final

from failoverd.core.errors import ConfigError
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import Check, Endpoint
from failoverd.ports import Cancel, Clock, ProbeContext, ProbeKind, Tell
from failoverd.probes.execution import Probe, settings_of, start_steps
from failoverd.probes.findings import Finding
from failoverd.probes.http1.http1_exchange import Http1Exchange
from failoverd.probes.http1.http_service import HttpService, ServiceRequest
from failoverd.probes.http1.request_credentials import RequestCredentials, redact
from failoverd.probes.http1.request_fields import HeaderFields
from failoverd.probes.inference_check.answer_status import AnswerStatus, LiveJudge
from failoverd.probes.inference_check.completion import CompletionJudge, Stopwatch, body_of
from failoverd.probes.inference_check.inference_settings import InferenceSettings, most_tokens
from failoverd.probes.inference_check.model_list import ModelsJudge
from failoverd.probes.inference_check.rungs import Rung, combine
from failoverd.probes.inference_check.token_budget import TokenBudget, TokenReservation
from failoverd.probes.transport.error_mapping import explain
from failoverd.probes.transport.protocol import ClientTransport

MOST_ENDPOINTS: Final = 20_000
"""Endpoints whose rungs are remembered; a policy has fewer."""

_PATIENCE: Final = 0.95
"""The part of the time left that a rung may take, so that there is some to take down what became of it."""

_LEDGER_PATIENCE: Final = 0.5
"""Seconds that a probe waits for the journal: a slow disk is nothing that the endpoint could help."""

_BRIEFLY: Final = 0.05
_COMPLETING: Final = (("Content-Type", "application/json"), ("Accept", "text/event-stream"))
_LISTING: Final = (("Accept", "application/json"),)


class ConnectOnly:
    """A `ClientProtocol` that is over as soon as somebody is there."""

    def opened(self, _: ClientTransport) -> Finding | None:
        return Finding(ProbeReason.OK)

    def received(self, _: bytes) -> Finding | None:
        raise AssertionError("it was over before")

    def ended(self) -> Finding:
        raise AssertionError("it was over before")


class EndpointLadder:
    """What is remembered of one endpoint.

    Attributes:
        live, models, completion: its rungs; the lowest is asked by every probe.
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

    def __init__(self, check: Check, settings: InferenceSettings, budget: TokenBudget, clock: Clock) -> None:
        self._check = check
        self._settings = settings
        self._budget = budget
        self._clock = clock
        self._service = HttpService(settings, clock)
        self._credentials = RequestCredentials(settings.api_key_file, None)
        self._base = settings.inference.rstrip("/")
        self._body = body_of(settings)
        self._most = most_tokens(settings.prompt, settings.max_tokens)
        self._ladders: dict[Endpoint, EndpointLadder] = {}

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        """See `ports.Prober`."""
        return start_steps(self._check, endpoint, self._clock, None, lambda probe: self._steps(probe, endpoint), tell)

    async def _steps(self, probe: Probe, endpoint: Endpoint) -> Finding:
        try:
            secrets = self._credentials.fields()
            return redact(await self._climb(probe, endpoint, secrets), secrets)
        except ConfigError as error:
            return Finding(ProbeReason.CREDENTIAL_MISSING, str(error))

    def _ladder(self, endpoint: Endpoint) -> EndpointLadder:
        found = self._ladders.get(endpoint)
        if found is None:
            if len(self._ladders) >= MOST_ENDPOINTS:
                del self._ladders[next(iter(self._ladders))]
            found = self._ladders[endpoint] = EndpointLadder(self._settings)
        return found

    # -- the ladder ----------------------------------------------------------------------------------------------------

    async def _climb(self, probe: Probe, endpoint: Endpoint, secrets: HeaderFields) -> Finding:
        """Raises ConfigError when our own files cannot be used any more."""
        ladder, began = self._ladder(endpoint), self._clock()
        lowest = ladder.models
        if self._settings.live is not None:
            lowest = ladder.live
            await self._ask_live(probe, endpoint, ladder, secrets)
        if self._may_ask(ladder.models, ladder, lowest):
            await self._ask_models(probe, endpoint, ladder, secrets)
        elif lowest is ladder.models:
            await self._knock(probe, endpoint, ladder)
        if self._settings.completion_every is not None and self._may_complete(ladder, lowest):
            await self._ask_completion(probe, endpoint, ladder, secrets)
        return self._come_to(ladder, lowest, began)

    def _may_ask(self, rung: Rung, ladder: EndpointLadder, lowest: Rung) -> bool:
        """A server that is dead, or that asked us to wait, is not asked for more."""
        now = self._clock()
        if now < ladder.quiet_until:
            return False
        return rung is lowest or (rung.is_due(now) and not self._fails(lowest))

    def _may_complete(self, ladder: EndpointLadder, lowest: Rung) -> bool:
        return self._may_ask(ladder.completion, ladder, lowest) and not self._fails(ladder.models)

    def _fails(self, rung: Rung) -> bool:
        said = rung.said(self._clock())
        return said is not None and said[1].reason.outcome in {ProbeOutcome.FAIL, ProbeOutcome.BLIND}

    def _come_to(self, ladder: EndpointLadder, lowest: Rung, began: float) -> Finding:
        """A probe that is blind itself has nothing to say of what was seen before.

        What another probe is asking again is left to that one: else one answer could count as several.
        """
        now = self._clock()
        newest = lowest.said(now, began)
        if newest is not None and newest[1].reason.outcome is ProbeOutcome.BLIND:
            return combine([newest])
        rungs = [rung for rung in (ladder.live, ladder.models, ladder.completion) if rung is lowest or not rung.is_busy]
        said = [each for rung in rungs if (each := rung.said(now, began))]
        if not said:
            return Finding(ProbeReason.PROBER_ERROR, "no rung has said anything yet")
        found = combine(said)
        if self._settings.completion_every is None:
            return found
        if ladder.is_broke and found.reason.outcome is ProbeOutcome.PASS:
            found = found._replace(detail=f"{found.detail}; no completion: {self._budget.refusal}")
        return found._replace(measures=(*found.measures, ("completion_left_out", float(ladder.is_broke))))

    # -- rungs ---------------------------------------------------------------------------------------------------------

    async def _ask_live(self, probe: Probe, endpoint: Endpoint, ladder: EndpointLadder, secrets: HeaderFields) -> None:
        answer_status = AnswerStatus(self._clock, secret=bool(secrets))
        asked = self._service.ask(endpoint, self._settings.live or "/", fields=secrets)
        await self._ask(
            probe,
            ladder,
            ladder.live,
            answer_status,
            self._call(probe, asked, Http1Exchange(asked.request, LiveJudge(answer_status))),
        )

    async def _ask_models(
        self, probe: Probe, endpoint: Endpoint, ladder: EndpointLadder, secrets: HeaderFields
    ) -> None:
        answer_status = AnswerStatus(self._clock, secret=bool(secrets))
        asked = self._service.ask(endpoint, f"{self._base}/models", fields=(*_LISTING, *secrets))
        call = self._call(probe, asked, Http1Exchange(asked.request, ModelsJudge(self._settings, answer_status)))
        await self._ask(probe, ladder, ladder.models, answer_status, call)

    async def _knock(self, probe: Probe, endpoint: Endpoint, ladder: EndpointLadder) -> None:
        """It asked us to wait, and that may be long. Whether it is there at all is seen without asking for anything."""
        asked = self._service.ask(endpoint, self._base)
        found = await _within(probe, probe.exchange(asked.destination, ConnectOnly()))
        if found.reason.outcome is not ProbeOutcome.PASS:
            ladder.quiet_until = 0.0  # whoever asked us to wait is gone
            ladder.models.say(found, self._clock())

    async def _ask_completion(
        self, probe: Probe, endpoint: Endpoint, ladder: EndpointLadder, secrets: HeaderFields
    ) -> None:
        target, fields = f"{self._base}/chat/completions", (*_COMPLETING, *secrets)
        asked = self._service.ask(endpoint, target, method="POST", fields=fields, body=self._body)
        ladder.completion.is_busy = True
        try:
            reserved = await self._reserve(probe)
        finally:
            ladder.completion.is_busy = False
        ladder.is_broke = reserved is None
        if reserved is None:
            wait = min(ladder.completion.every, self._budget.renewed_in())
            ladder.completion.postpone(self._clock() + wait)
            return
        answer_status = AnswerStatus(self._clock, secret=bool(secrets))
        judge = CompletionJudge(self._settings, answer_status)
        exchange = Stopwatch(Http1Exchange(asked.request, judge, method="POST"), judge)
        await self._ask(
            probe, ladder, ladder.completion, answer_status, probe.exchange(asked.destination, asked.over(exchange))
        )
        await self._settle(probe, reserved, judge.spent(reserved.tokens))

    async def _call(self, probe: Probe, asked: ServiceRequest, exchange: Http1Exchange) -> Finding:
        """One of the cheap rungs, which may be slow as any check may."""
        before = probe.left()
        found = await probe.exchange(asked.destination, asked.over(exchange))
        took, slow = before - probe.left(), self._settings.slow
        if slow is None or found.reason is not ProbeReason.OK or took <= slow:
            return found
        words = f"{found.detail}, but after {took:.3g}s (slow is {slow:.3g}s)"
        return found._replace(reason=ProbeReason.SLOW, detail=words)

    async def _ask(
        self, probe: Probe, ladder: EndpointLadder, rung: Rung, answer_status: AnswerStatus, call: Awaitable[Finding]
    ) -> None:
        """Whatever becomes of it is taken down, a time-out as well."""
        rung.is_busy = True
        try:
            found = await _within(probe, call)
        finally:
            rung.is_busy = False
        now = self._clock()
        rung.say(found, now, answer_status.wait)
        if answer_status.wait:
            ladder.quiet_until = max(ladder.quiet_until, now + answer_status.wait)

    # -- tokens --------------------------------------------------------------------------------------------------------

    async def _reserve(self, probe: Probe) -> TokenReservation | None:
        """A reservation that comes too late is lost: what may have been written down counts as spent."""
        try:
            async with asyncio.timeout(min(_LEDGER_PATIENCE, probe.left() / 2)):
                return await self._budget.reserve(self._most)
        except TimeoutError:
            return None

    async def _settle(self, probe: Probe, reserved: TokenReservation, spent: int) -> None:
        """The probe does not wait for long: the ledger goes on writing what it was told."""
        try:
            async with asyncio.timeout(max(_BRIEFLY, min(_LEDGER_PATIENCE, probe.left() / 2))):
                await self._budget.settle(reserved, spent)
        except TimeoutError:
            return


async def _within(probe: Probe, call: Awaitable[Finding]) -> Finding:
    """What it finds within nearly all of the time that is left, or what its failure means."""
    deadline = asyncio.timeout(probe.left() * _PATIENCE)
    try:
        async with deadline:
            return await call
    except TimeoutError as error:
        return probe.expired() if deadline.expired() else explain(error, probe.phase)
    except Exception as error:  # noqa: BLE001 - explain() classifies; a defect of ours is BLIND, never a FAIL
        return explain(error, probe.phase)


# -- kind --------------------------------------------------------------------------------------------------------------


def open_inference(check: Check, context: ProbeContext) -> InferenceProber:
    """Checks with the same key spend together; one without a key has an allowance of its own.

    Raises ConfigError when a file that the check names cannot be used.
    """
    settings = settings_of(check, InferenceSettings)
    account = str(settings.api_key_file or "") or f"{context.policy}/{check.name}"
    budget = TokenBudget(account, settings.tokens_per_day, context.ledger, context.clock)
    return InferenceProber(check, settings, budget, context.clock)


KINDS: tuple[ProbeKind, ...] = (ProbeKind("inference", InferenceSettings, open_inference),)
