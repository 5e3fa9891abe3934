"""Why probes end as they do: every reason, and all that the rest of the program wants to know of it, in one table.

A new reason is one row here. Its word is stable: logs, metrics and runbooks use it. The sentence says what it means to
whoever is paged, and what to do next.
"""

from enum import StrEnum
from typing import NamedTuple, Self


class ProbeOutcome(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict, not a password
    DEGRADED = "degraded"
    FAIL = "fail"
    BLIND = "blind"


_PASS, _DEGRADED, _FAIL, _BLIND = ProbeOutcome


class _Row(NamedTuple):
    word: str
    outcome: ProbeOutcome
    meaning: str
    answer: bool = False


def _answer(word: str, outcome: ProbeOutcome, meaning: str) -> _Row:
    return _Row(word, outcome, meaning, answer=True)


class ProbeReason(StrEnum):
    """Why a probe ended as it did.

    Attributes:
        outcome: what it counts as. BLIND is about ourselves, and never held against the endpoint.
        meaning: what it means, and what to do.
        is_answer: only somebody who was reached can give it, so it shows that the network is there. Refused and reset
            connections do not: a packet filter next to the prober answers like that as well.
    """

    outcome: ProbeOutcome
    meaning: str
    is_answer: bool

    def __new__(cls, word: str, outcome: ProbeOutcome = _FAIL, meaning: str = "", answer: bool = False) -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.outcome = outcome
        member.meaning = meaning
        member.is_answer = answer or outcome in {_PASS, _DEGRADED}
        return member

    OK = _Row("ok", _PASS, "The endpoint answered as the check wants; there is nothing to do.")
    OVERLOADED = _Row(
        "overloaded", _DEGRADED, "The endpoint lives and turns work away (429): give it capacity, or less traffic."
    )
    SLOW = _Row(
        "slow", _DEGRADED, "The answer is right and later than the check's `slow`: look which phase takes the time."
    )

    # the way there
    RESOLVE_FAILED = _Row(
        "resolve_failed", _FAIL, "The endpoint's name does not exist or has no address: correct the name, or DNS."
    )
    CONNECT_REFUSED = _Row(
        "connect_refused", _FAIL, "The host is up and nothing listens there: start the service or correct the port."
    )
    CONNECT_TIMEOUT = _Row(
        "connect_timeout", _FAIL, "Nothing answers the request to connect: look at the host, and at firewalls."
    )
    CONNECT_RESET = _Row(
        "connect_reset", _FAIL, "It was cut before an answer: look at the service's log, and at its backlog."
    )
    CONNECT_UNREACHABLE = _Row(
        "connect_unreachable", _FAIL, "A router says that there is no way there: look at its network and routes."
    )
    ICMP_UNREACHABLE = _Row(
        "icmp_unreachable", _FAIL, "The host, or a router, says that it cannot be reached: look at host and routes."
    )

    # TLS
    TLS_TIMEOUT = _Row(
        "tls_timeout", _FAIL, "The handshake does not end in time: look at the load of whatever terminates TLS."
    )
    TLS_FAILED = _Row(
        "tls_failed", _FAIL, "TLS cannot be agreed on: look at the port, the versions, and who terminates TLS."
    )
    TLS_CERTIFICATE = _answer(
        "tls_certificate", _FAIL, "The certificate cannot be trusted: renew it, or correct its name or its chain."
    )
    CERTIFICATE_EXPIRING = _Row(
        "certificate_expiring", _DEGRADED, "The certificate is right and ends soon: renew it before it fails the check."
    )

    # what comes back, over any protocol
    SEND_FAILED = _Row(
        "send_failed", _FAIL, "The connection ended while the request was sent: look at the service's log."
    )
    RESPONSE_TIMEOUT = _Row(
        "response_timeout", _FAIL, "It was asked and does not answer in time: look at its load and what it awaits."
    )
    RESPONSE_CLOSED = _Row(
        "response_closed", _FAIL, "The connection ended before the answer: look for a crash in the service's log."
    )
    RESPONSE_INVALID = _answer(
        "response_invalid", _FAIL, "What came back is not of the protocol: look at what listens on that port."
    )
    RESPONSE_TOO_LARGE = _answer(
        "response_too_large", _FAIL, "The answer is larger than a probe reads: point the check at a smaller page."
    )
    RESPONSE_ENCODED = _answer(
        "response_encoded", _FAIL, "The answer came compressed unasked: let the server honour Accept-Encoding."
    )
    ANSWER_MISMATCH = _answer(
        "answer_mismatch", _FAIL, "It answers, and says something else: compare the answer with what is expected."
    )

    # HTTP
    STATUS_UNEXPECTED = _answer(
        "status_unexpected", _FAIL, "The service answers with another status: look at its log, or at `status`."
    )
    BODY_MISMATCH = _answer(
        "body_mismatch", _FAIL, "The answer does not say what the check wants: compare it with the check's text."
    )
    REDIRECT_REFUSED = _answer(
        "redirect_refused", _FAIL, "It redirects to where probes do not go: correct the redirect, or the path."
    )
    REDIRECT_LOOP = _answer(
        "redirect_loop", _FAIL, "It redirects too often or in a circle: ask for the last place, or mend the circle."
    )

    # DNS
    RCODE_UNEXPECTED = _answer(
        "rcode_unexpected", _FAIL, "The DNS server answers with another code: look whether it serves the zone."
    )

    # gRPC
    GRPC_STATUS = _answer(
        "grpc_status", _FAIL, "The call ended with an error: look the status up, and whether health is served."
    )
    NOT_SERVING = _answer(
        "not_serving", _FAIL, "The service says of itself that it does not serve: look at why in its own log."
    )
    SERVICE_UNKNOWN = _answer(
        "service_unknown", _FAIL, "The server does not know this service: correct its name, or register its health."
    )

    # monitoring plugins
    PLUGIN_WARNING = _Row(
        "plugin_warning", _DEGRADED, "The plugin warns (exit code 1): its words in the detail say of what."
    )
    PLUGIN_CRITICAL = _Row(
        "plugin_critical", _FAIL, "The plugin says that it is critical (exit code 2): its words say what to mend."
    )
    PLUGIN_TIMEOUT = _Row(
        "plugin_timeout", _FAIL, "The plugin took too long and was killed: run it by hand, or raise `timeout`."
    )
    PLUGIN_UNKNOWN = _Row(
        "plugin_unknown", _BLIND, "The plugin could not tell: run it by hand as failoverd's user and see why."
    )
    PLUGIN_UNUSABLE = _Row(
        "plugin_unusable", _BLIND, "The plugin cannot be started here: look at its path and its mode bits."
    )

    # metrics
    THRESHOLD_WARNING = _Row(
        "threshold_warning", _DEGRADED, "A metric is past its `degraded` threshold: look at what it measures."
    )
    THRESHOLD_CRITICAL = _answer(
        "threshold_critical", _FAIL, "A metric is past its `fail` threshold: look at what it measures."
    )
    METRIC_MISSING = _answer(
        "metric_missing", _BLIND, "The page lacks the metric, which tells nothing: correct its name or its labels."
    )

    # inference
    MODEL_MISSING = _answer(
        "model_missing", _FAIL, "The server does not list the model: load it, or correct the check's `model`."
    )
    REVISION_MISMATCH = _answer(
        "revision_mismatch", _FAIL, "Another revision of the model is served: finish the rollout, or the policy's."
    )
    FIRST_TOKEN_SLOW = _Row(
        "first_token_slow", _DEGRADED, "The first token comes late: look at the queue, and at what loads the model."
    )
    THROUGHPUT_LOW = _Row(
        "throughput_low", _DEGRADED, "Tokens come slowly: look at the accelerator, and at how much runs beside it."
    )
    STREAM_INVALID = _answer(
        "stream_invalid", _FAIL, "The completion is not the stream of an OpenAI-compatible API: look at the path."
    )

    # our credentials
    CREDENTIAL_REFUSED = _answer(
        "credential_refused",
        _BLIND,
        "The endpoint refuses our key or certificate, which says nothing of health: renew it.",
    )
    CREDENTIAL_MISSING = _Row(
        "credential_missing", _BLIND, "A file with our credentials cannot be used: look at its path and its rights."
    )

    # this host and this process
    NOT_PERMITTED = _Row(
        "not_permitted", _BLIND, "This host forbids the probe: allow ping sockets (net.ipv4.ping_group_range)."
    )
    VANTAGE_ISOLATED = _Row(
        "vantage_isolated", _BLIND, "The prober's own network is in doubt: look at this host before the endpoint."
    )
    NO_ROUTE = _Row("no_route", _BLIND, "This host has no route or no address of that family: look at its own network.")
    NO_DESCRIPTORS = _Row(
        "no_descriptors", _BLIND, "This process has no file descriptor left: raise its limit (LimitNOFILE)."
    )
    RESOLVER_FAILED = _Row(
        "resolver_failed", _BLIND, "This host's resolver does not answer: look at /etc/resolv.conf and its servers."
    )
    PROBER_ERROR = _Row("prober_error", _BLIND, "This is a defect of failoverd, not of the endpoint: please report it.")
