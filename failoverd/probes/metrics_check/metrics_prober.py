"""The `metrics` check: a page of Prometheus metrics, held against thresholds."""

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal, Self, TypeGuard

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from failoverd.core.errors import ConfigError
from failoverd.core.probe_reasons import ProbeReason
from failoverd.core.records import Check, Endpoint
from failoverd.ports import Cancel, Clock, ProbeContext, ProbeKind, Tell
from failoverd.probes.execution import Probe, settings_of, start_exchange, start_known, start_steps
from failoverd.probes.field_types import SecretPath
from failoverd.probes.findings import Finding
from failoverd.probes.http1.http1_exchange import Http1Exchange
from failoverd.probes.http1.http_service import HttpService, ServiceSettings
from failoverd.probes.http1.request_credentials import RequestCredentials, redact
from failoverd.probes.http1.request_fields import RequestTarget
from failoverd.probes.http1.status_rules import StatusRules
from failoverd.probes.metrics_check.thresholds import PageError, Threshold, ThresholdVerdict, read_page

MAX_PAGE: Final = 2 * 1024 * 1024
"""Bytes of a page that are read."""

_MOST_THRESHOLDS: Final = 16
_MAX_TEXT: Final = 500
_OK: Final = frozenset({200})
_ACCEPT: Final = "text/plain;version=0.0.4,application/openmetrics-text;q=0.5,*/*;q=0.1"

PRESETS: Final[Mapping[str, tuple[str, ...]]] = {
    "vllm": ("vllm:num_requests_waiting > 5", "vllm:kv_cache_usage_perc > 0.8"),
    "tgi": ("tgi_queue_size > 5",),
    "triton": ("nv_inference_pending_request_count > 5",),
    "nim": ("num_requests_waiting > 5", "gpu_cache_usage_perc > 0.8"),
}
"""Thresholds past which a server counts as full: a queue of five and 80 % of the KV cache, which are also the defaults
of the Gateway API's inference extension. Names: the documentation of vLLM, TGI, Triton and NIM."""


def parse_thresholds(value: object) -> tuple[Threshold, ...]:
    """Raises ValueError, saying what is wrong with which expression."""
    items = (value,) if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or len(items) > _MOST_THRESHOLDS:
        raise ValueError(f'write a list of at most {_MOST_THRESHOLDS} thresholds: ["queue_depth > 5"]')
    return tuple(_threshold(item) for item in items)


def _threshold(item: object) -> Threshold:
    if isinstance(item, Threshold):
        return item
    if not isinstance(item, str) or len(item) > _MAX_TEXT:
        raise ValueError(f'a threshold is a text of at most {_MAX_TEXT} characters: "queue_depth > 5"')
    return Threshold.parse(item)


def say_thresholds(thresholds: Iterable[Threshold]) -> list[str]:
    return [threshold.text for threshold in thresholds]


Thresholds = Annotated[
    tuple[Threshold, ...],
    BeforeValidator(parse_thresholds),
    PlainSerializer(say_thresholds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "maxItems": _MOST_THRESHOLDS},
            ],
            "examples": [['queue_depth{model="m"} > 5', "sum(queue_depth) > 20"]],
        }
    ),
]


class MetricsSettings(ServiceSettings):
    """Whether the metrics of a server are within limits."""

    metrics: RequestTarget = Field(description="path of the page, such as /metrics")
    degraded: Thresholds = Field(
        default=(), description='thresholds past which the endpoint is DEGRADED: ["queue_depth > 5"]'
    )
    fail: Thresholds = Field(default=(), description="thresholds past which the endpoint fails")
    preset: Literal["vllm", "tgi", "triton", "nim"] | None = Field(
        default=None, description="thresholds for degraded that suit this server, besides those that are written here"
    )
    authorization_file: SecretPath | None = Field(
        default=None,
        description="absolute path of a file with a bearer token, or a whole Authorization value; read when it changes",
    )

    @property
    def warnings(self) -> tuple[Threshold, ...]:
        """Thresholds that degrade; a preset's gives way to one of the same metric that is written here."""
        named = {threshold.name for threshold in (*self.degraded, *self.fail)}
        preset = map(Threshold.parse, PRESETS.get(self.preset or "", ()))
        return (*self.degraded, *(threshold for threshold in preset if threshold.name not in named))

    @model_validator(mode="after")
    def _something_is_looked_at(self) -> Self:
        if not self.warnings and not self.fail:
            raise ValueError("it has no threshold: write degraded, fail or preset")
        return self


class PageJudge:
    """Keeps a page, and holds it against the thresholds once it is complete."""

    def __init__(self, thresholds: "PageThresholds", *, secret: bool) -> None:
        self._thresholds = thresholds
        self._statuses = StatusRules(_OK, secret=secret)
        self._parts: list[bytes] = []
        self._cut = False

    def head(self, status: int, reason: str, headers: Mapping[str, str]) -> Finding | None:
        return None if status in _OK else self._statuses.wrong(status, reason, headers)

    def body(self, data: bytes) -> None:
        self._parts.append(data)

    def cut(self) -> None:
        self._cut = True

    def end(self) -> Finding:
        if self._cut:
            return Finding(ProbeReason.METRIC_MISSING, f"the page is larger than {MAX_PAGE // 1024} KiB")
        return self._thresholds.weigh(b"".join(self._parts))


class PageThresholds:
    """The thresholds of a check."""

    def __init__(self, fail: tuple[Threshold, ...], degraded: tuple[Threshold, ...]) -> None:
        self._fail = fail
        self._degraded = degraded
        self._names = tuple({threshold.name: None for threshold in (*fail, *degraded)})

    def weigh(self, page: bytes) -> Finding:
        """The worst that a page says. What it lacks counts only when nothing else is wrong."""
        try:
            samples = read_page(page, self._names)
        except PageError as error:
            return Finding(ProbeReason.METRIC_MISSING, str(error))
        weighed = [
            (threshold, threshold.weigh(samples[threshold.name])) for threshold in (*self._fail, *self._degraded)
        ]
        measures = tuple({str(each): verdict.value for each, verdict in weighed if _is_number(verdict.value)}.items())
        bad, fewer = weighed[: len(self._fail)], weighed[len(self._fail) :]
        for reason, some in ((ProbeReason.THRESHOLD_CRITICAL, bad), (ProbeReason.THRESHOLD_WARNING, fewer)):
            past = [_say(threshold, verdict) for threshold, verdict in some if verdict.crossed]
            if past:
                return Finding(reason, ", ".join(past), measures)
        missing = [threshold.text for threshold, verdict in weighed if verdict.value is None]
        if missing:
            return Finding(ProbeReason.METRIC_MISSING, f"the page has no number for {', '.join(missing)}", measures)
        return Finding(ProbeReason.OK, ", ".join(f"{name}={value:.6g}" for name, value in measures), measures)


def _say(threshold: Threshold, verdict: ThresholdVerdict) -> str:
    return f"{threshold}={verdict.value:.6g} {threshold.sign} {threshold.limit:.6g}"


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


# -- the check ---------------------------------------------------------------------------------------------------------


class MetricsProber:
    """One `metrics` check. Raises ConfigError when a file that the check names cannot be used."""

    def __init__(self, check: Check, settings: MetricsSettings, clock: Clock) -> None:
        self._check = check
        self._settings = settings
        self._clock = clock
        self._service = HttpService(settings, clock)
        self._credentials = RequestCredentials(settings.authorization_file, None)
        self._thresholds = PageThresholds(settings.fail, settings.warnings)

    def start(self, endpoint: Endpoint, tell: Tell) -> Cancel:
        """See `ports.Prober`."""
        slow = self._settings.slow
        try:
            secrets = self._credentials.fields()
            asked = self._service.ask(endpoint, self._settings.metrics, fields=(("Accept", _ACCEPT), *secrets))
        except ConfigError as error:
            finding = Finding(ProbeReason.CREDENTIAL_MISSING, str(error))
            return start_known(self._check, endpoint, self._clock, finding, tell)
        judge = PageJudge(self._thresholds, secret=bool(secrets))
        call = asked.over(Http1Exchange(asked.request, judge, most_body=MAX_PAGE))
        if not secrets:
            return start_exchange(self._check, endpoint, self._clock, slow, asked.destination, call, tell)

        async def steps(probe: Probe) -> Finding:
            return redact(await probe.exchange(asked.destination, call), secrets)

        return start_steps(self._check, endpoint, self._clock, slow, steps, tell)


def open_metrics(check: Check, context: ProbeContext) -> MetricsProber:
    """Raises ConfigError when a file that the check names cannot be used."""
    return MetricsProber(check, settings_of(check, MetricsSettings), context.clock)


KINDS: tuple[ProbeKind, ...] = (ProbeKind("metrics", MetricsSettings, open_metrics),)
