"""What each reason means for the person who reads it, and what to do next: one sentence each.

The words of a reason are for programs; these are for whoever is paged.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from failoverd.core.records import ProbeReason

MEANINGS: Final[Mapping[ProbeReason, str]] = MappingProxyType(
    {
        ProbeReason.OK: "The endpoint answered as the check wants; there is nothing to do.",
        ProbeReason.OVERLOADED: "The endpoint lives and turns work away (429): give it capacity, or less traffic.",
        ProbeReason.SLOW: "The answer is right and later than the check's `slow`: look which phase takes the time.",
        ProbeReason.RESOLVE_FAILED: "The endpoint's name does not exist or has no address: correct the name, or DNS.",
        ProbeReason.CONNECT_REFUSED: "The host is up and nothing listens there: start the service or correct the port.",
        ProbeReason.CONNECT_TIMEOUT: "Nothing answers the request to connect: look at the host, and at firewalls.",
        ProbeReason.CONNECT_RESET: "It was cut before an answer: look at the service's log, and at its backlog.",
        ProbeReason.CONNECT_UNREACHABLE: "A router says that there is no way there: look at its network and routes.",
        ProbeReason.TLS_TIMEOUT: "The handshake does not end in time: look at the load of whatever terminates TLS.",
        ProbeReason.TLS_FAILED: "TLS cannot be agreed on: look at the port, the versions, and who terminates TLS.",
        ProbeReason.TLS_CERTIFICATE: "The certificate cannot be trusted: renew it, or correct its name or its chain.",
        ProbeReason.SEND_FAILED: "The connection ended while the request was sent: look at the service's log.",
        ProbeReason.RESPONSE_TIMEOUT: "It was asked and does not answer in time: look at its load and what it awaits.",
        ProbeReason.RESPONSE_CLOSED: "The connection ended before the answer: look for a crash in the service's log.",
        ProbeReason.RESPONSE_INVALID: "What came back is not of the protocol: look at what listens on that port.",
        ProbeReason.RESPONSE_TOO_LARGE: "The answer is larger than a probe reads: point the check at a smaller page.",
        ProbeReason.RESPONSE_ENCODED: "The answer came compressed unasked: let the server honour Accept-Encoding.",
        ProbeReason.STATUS_UNEXPECTED: "The service answers with another status: look at its log, or at `status`.",
        ProbeReason.BODY_MISMATCH: "The answer does not say what the check wants: compare it with the check's text.",
        ProbeReason.REDIRECT_REFUSED: "It redirects to where probes do not go: correct the redirect, or the path.",
        ProbeReason.REDIRECT_LOOP: "It redirects too often or in a circle: ask for the last place, or mend the circle.",
        ProbeReason.CERTIFICATE_EXPIRING: "The certificate is right and ends soon: renew it before it fails the check.",
        ProbeReason.ANSWER_MISMATCH: "It answers, and says something else: compare the answer with what is expected.",
        ProbeReason.RCODE_UNEXPECTED: "The DNS server answers with another code: look whether it serves the zone.",
        ProbeReason.GRPC_STATUS: "The call ended with an error: look the status up, and whether health is served.",
        ProbeReason.NOT_SERVING: "The service says of itself that it does not serve: look at why in its own log.",
        ProbeReason.SERVICE_UNKNOWN: "The server does not know this service: correct its name, or register its health.",
        ProbeReason.ICMP_UNREACHABLE: "The host, or a router, says that it cannot be reached: look at host and routes.",
        ProbeReason.PLUGIN_WARNING: "The plugin warns (exit code 1): its words in the detail say of what.",
        ProbeReason.PLUGIN_CRITICAL: "The plugin says that it is critical (exit code 2): its words say what to mend.",
        ProbeReason.PLUGIN_TIMEOUT: "The plugin took too long and was killed: run it by hand, or raise `timeout`.",
        ProbeReason.PLUGIN_UNKNOWN: "The plugin could not tell: run it by hand as failoverd's user and see why.",
        ProbeReason.PLUGIN_UNUSABLE: "The plugin cannot be started here: look at its path and its mode bits.",
        ProbeReason.THRESHOLD_WARNING: "A metric is past its `degraded` threshold: look at what it measures.",
        ProbeReason.THRESHOLD_CRITICAL: "A metric is past its `fail` threshold: look at what it measures.",
        ProbeReason.METRIC_MISSING: "The page lacks the metric, which tells nothing: correct its name or its labels.",
        ProbeReason.MODEL_MISSING: "The server does not list the model: load it, or correct the check's `model`.",
        ProbeReason.REVISION_MISMATCH: "Another revision of the model is served: finish the rollout, or the policy's.",
        ProbeReason.FIRST_TOKEN_SLOW: "The first token comes late: look at the queue, and at what loads the model.",
        ProbeReason.THROUGHPUT_LOW: "Tokens come slowly: look at the accelerator, and at how much runs beside it.",
        ProbeReason.STREAM_INVALID: "The completion is not the stream of an OpenAI-compatible API: look at the path.",
        ProbeReason.CREDENTIAL_REFUSED: "The endpoint refuses our key, which says nothing of health: renew the key.",
        ProbeReason.CREDENTIAL_MISSING: "A file with our credentials cannot be used: look at its path and its rights.",
        ProbeReason.NOT_PERMITTED: "This host forbids the probe: allow ping sockets (net.ipv4.ping_group_range).",
        ProbeReason.VANTAGE_ISOLATED: "The prober's own network is in doubt: look at this host before the endpoint.",
        ProbeReason.NO_ROUTE: "This host has no route or no address of that family: look at its own network.",
        ProbeReason.NO_DESCRIPTORS: "This process has no file descriptor left: raise its limit (LimitNOFILE).",
        ProbeReason.RESOLVER_FAILED: "This host's resolver does not answer: look at /etc/resolv.conf and its servers.",
        ProbeReason.PROBER_ERROR: "This is a defect of failoverd, not of the endpoint: please report it.",
    }
)
"""Complete over all reasons; a test sees to it."""
