"""The metrics check: pages of Prometheus text against thresholds."""

from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from pydantic import ValidationError
from support.probers import prober
from support.targets import answers, answers_and_holds, refusing, response, serve
from support.tls_servers import NAME, tls_server

from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.records import ProbeResult
from failoverd.probes.findings import Finding
from failoverd.probes.metrics_check.metrics_prober import MAX_PAGE, PRESETS, PageThresholds
from failoverd.probes.metrics_check.thresholds import MAX_SERIES, Threshold, read_page

TOKEN = "tok-0123456789-abcdef"  # noqa: S105 - opens nothing
VLLM = b"""\
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting{engine="1",model_name="m"} 7.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:num_requests_waiting_total{engine="0"} 900
"""


def weigh(page: bytes, *degraded: str, fail: tuple[str, ...] = ()) -> Finding:
    return PageThresholds(tuple(map(Threshold.parse, fail)), tuple(map(Threshold.parse, degraded))).weigh(page)


async def probed(page: bytes, **settings: object) -> ProbeResult:
    async with serve(answers(response("200 OK", page))) as target:
        return await prober("metrics", "/metrics", timeout="5s", **settings).probe(target.endpoint)


# -- thresholds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "crossed"),
    [
        ("vllm:num_requests_waiting > 5", True),
        ("vllm:num_requests_waiting > 7", False),
        ("vllm:num_requests_waiting >= 7", True),
        ("vllm:num_requests_waiting < 2", False),
        ("vllm:num_requests_waiting <= 2.0e0", True),
        ("vllm:num_requests_waiting == 2", True),
        ("vllm:num_requests_waiting != 2", True),
        ('vllm:num_requests_waiting{engine="0"} > 5', False),
        ('vllm:num_requests_waiting{engine!="1"} > 5', False),
        ('vllm:num_requests_waiting{engine=~"1|2", model_name="m"} > 5', True),
        ('vllm:num_requests_waiting{engine=~"."} > 5', True),
        ('vllm:num_requests_waiting{engine!~"1"} > 5', False),
        ('vllm:num_requests_waiting{absent=""} > 5', True),
        ("sum(vllm:num_requests_waiting) > 8.9", True),
        ("sum(vllm:num_requests_waiting) > 9", False),
        ("avg( vllm:num_requests_waiting ) >= 4.5", True),
        ("min(vllm:num_requests_waiting) > 2", False),
        ("max(vllm:num_requests_waiting)>6", True),
        ('sum(vllm:num_requests_waiting{engine="1"}) > 6', True),
        ("vllm:kv_cache_usage_perc > -1", True),
    ],
)
def test_a_threshold_is_crossed_or_not(text: str, crossed: bool) -> None:
    assert (weigh(VLLM, text).reason is ProbeReason.THRESHOLD_WARNING) is crossed


def test_what_crossed_is_told_with_its_value() -> None:
    found = weigh(VLLM, "vllm:num_requests_waiting > 5", "sum(vllm:num_requests_waiting) > 8")
    assert found.detail == "vllm:num_requests_waiting=7 > 5, sum(vllm:num_requests_waiting)=9 > 8"
    assert dict(found.measures) == {"vllm:num_requests_waiting": 7.0, "sum(vllm:num_requests_waiting)": 9.0}


def test_a_failure_counts_more_than_a_warning_and_that_more_than_what_is_missing() -> None:
    high, low, gone = "vllm:num_requests_waiting > 5", "vllm:num_requests_waiting > 50", "absent > 1"
    assert weigh(VLLM, gone, high, fail=(high,)).reason is ProbeReason.THRESHOLD_CRITICAL
    assert weigh(VLLM, gone, high, fail=(low,)).reason is ProbeReason.THRESHOLD_WARNING
    assert weigh(VLLM, low, fail=(gone,)).reason is ProbeReason.METRIC_MISSING
    assert weigh(VLLM, low).reason is ProbeReason.OK


@pytest.mark.parametrize(
    "line",
    [
        b"", b"depth", b"depth ", b"depth x", b"depth NaN", b"depth 1_0", b"depth 9junk", b"depths 9", b"depth{ 9",
        b'depth{a="b} 9', b"depth{a=b} 9", b'depth{a="b"} ', b'depth{="b"} 9', b"depth{,} 9", b"# depth 9",
        b" # depth 9", b"xdepth 9", b"x depth 9", b'depth{a="\xff" 9', b"depth 0x9", b"depth " + b"9" * 400,
    ],
)  # fmt: skip
def test_a_line_that_is_none_is_missing_and_never_past_a_limit(line: bytes) -> None:
    assert weigh(line, "depth > 1").reason is ProbeReason.METRIC_MISSING


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"depth 9", 9.0), (b"depth\t9\r\n", 9.0), (b"depth{} 9\n", 9.0), (b'depth{a="b",} 9 1795392000\n', 9.0),
        (b'depth { a = "b" , c="d" } 9', 9.0), (b'depth \t {a="b"}\t9 \r\n', 9.0), (b"  depth 9", 9.0),
        (b"\t depth{}9", 9.0), (b"x 1\n depth   9", 9.0), (b'depth{a="b",c="d"} 9 # {trace_id="x"} 0.5 1\n', 9.0),
        (b'depth{a="x\\"} 1\\\\"} .9e1', 9.0), (b'depth{a="\xc3\xa9\xff"} +9.', 9.0), (b"y 1\ndepth 9\nz 2", 9.0),
    ],
)  # fmt: skip
def test_a_line_is_read_as_the_formats_say(line: bytes, value: float) -> None:
    assert dict(weigh(line, "depth > 100").measures) == {"depth": value}


def test_no_blank_of_a_page_hides_what_is_past_a_limit() -> None:
    for page in (b'depth {a="b"} 6\n', b'  depth{a="b"} 6\n', b'\tdepth\t{ a = "b" }\t6\n'):
        assert weigh(page, fail=("depth > 5",)).reason is ProbeReason.THRESHOLD_CRITICAL


def test_names_that_begin_alike_are_told_apart() -> None:
    found = weigh(b"depth_total 3\ndepth 1\ndepth_total{} 4\n", "depth > 100", "sum(depth_total) > 100", "dept < -1")
    assert dict(found.measures) == {"depth": 1.0, "sum(depth_total)": 7.0}


def test_nan_says_nothing_and_hides_nothing() -> None:
    assert weigh(b"depth NaN\n", "depth > 5").detail == "the page has no number for depth > 5"
    assert weigh(b'depth{a="1"} NaN\ndepth{a="2"} 6\n', "depth > 5").reason is ProbeReason.THRESHOLD_WARNING


def test_an_infinite_value_is_past_a_limit_and_no_measure() -> None:
    found = weigh(b"depth +Inf\n", "depth > 5")
    assert (found.reason, found.detail, found.measures) == (ProbeReason.THRESHOLD_WARNING, "depth=inf > 5", ())
    assert weigh(b'depth{a="1"} +Inf\ndepth{a="2"} -Inf\n', "sum(depth) > 5").reason is ProbeReason.METRIC_MISSING


def test_labels_mean_what_they_say_without_their_escapes() -> None:
    page = b'depth{path="C:\\\\new\\"x\\n"} 9\n'
    assert weigh(page, 'depth{path="C:\\\\new\\"x\\n"} > 5').reason is ProbeReason.THRESHOLD_WARNING


@pytest.mark.parametrize(
    "text",
    [
        "", "depth", "depth >", "> 5", "depth > x", "depth => 5", "depth > 5 or 1", "sum(depth > 5", "depth) > 5",
        "count(depth) > 5", "depth{a} > 5", 'depth{a="b" c="d"} > 5', 'depth{a="b} > 5', 'depth{a=~"("} > 5',
        "depth > nan", "depth > 1e999", "1depth > 5", "depth\n > 5 x",
    ],
)  # fmt: skip
def test_what_is_no_threshold_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it like|pattern|finite"):
        Threshold.parse(text)


LABELS = st.dictionaries(st.sampled_from("abc"), st.text(max_size=6), max_size=3)


@given(st.lists(st.tuples(LABELS, st.floats()), min_size=1, max_size=5, unique_by=lambda pair: str(pair[0])))
def test_what_the_reference_writes_is_read_the_same(series: list[tuple[dict[str, str], float]]) -> None:
    for generate in (generate_latest, generate_openmetrics):
        registry = CollectorRegistry()
        gauge = Gauge("depth", "h", list("abc"), registry=registry)
        expected = {}
        for labels, value in series:
            full = {name: labels.get(name, "") for name in "abc"}
            gauge.labels(**full).set(value)
            expected[tuple(full.items())] = value
        want = max((value for value in expected.values() if value == value), default=None)  # noqa: PLR0124 - not NaN
        verdict = Threshold.parse("depth >= -1e300").weigh(read_page(generate(registry), ["depth"])["depth"])
        assert verdict.value == want


@given(
    st.lists(
        st.sampled_from(
            [b"depth", b"{", b"}", b'a="', b'"', b",", b" ", b"9", b"NaN", b"\n", b"\\", b"=", b"\xff", b"#"]
        )
    )
)
def test_no_page_makes_the_scan_raise(parts: list[bytes]) -> None:
    found = weigh(b"".join(parts), "depth > 5", 'sum(depth{a="x"}) > 5', fail=('depth{a=~".*"} < 1',))
    assert found.reason in {
        ProbeReason.OK, ProbeReason.METRIC_MISSING, ProbeReason.THRESHOLD_WARNING, ProbeReason.THRESHOLD_CRITICAL,
    }  # fmt: skip


@given(st.text(max_size=40))
def test_no_text_makes_reading_a_threshold_raise_anything_else(text: str) -> None:
    try:
        assert Threshold.parse(text).name
    except ValueError as error:
        assert str(error)  # noqa: PT017 - most texts are refused, some are not


@pytest.mark.parametrize(
    "page",
    [
        b'depth{a="1"} 9\n' * (MAX_SERIES + 1),
        b"  depth 9\n" * 50_000,
        (b"depth{" + b'a="",' * 1_600 + b"} 9\n") * 20,
        (b'depth{a="' + b"\\n" * 4_000 + b'"} 9\n') * 100,
    ],
)
def test_a_page_that_would_keep_us_busy_is_not_read(page: bytes) -> None:
    found = weigh(page, "depth > 5")
    assert found.reason is ProbeReason.METRIC_MISSING
    assert "more than" in found.detail


# -- the check ---------------------------------------------------------------------------------------------------------


async def test_a_server_within_limits_passes_and_tells_its_values() -> None:
    result = await probed(
        VLLM, degraded="sum(vllm:num_requests_waiting) > 10", fail=["vllm:kv_cache_usage_perc > 0.99"]
    )
    assert (result.reason, result.outcome) == (ProbeReason.OK, ProbeOutcome.PASS)
    assert result.detail == "vllm:kv_cache_usage_perc=0.25, sum(vllm:num_requests_waiting)=9"
    assert result.measures == (("vllm:kv_cache_usage_perc", 0.25), ("sum(vllm:num_requests_waiting)", 9.0))


@pytest.mark.parametrize(
    ("settings", "reason", "outcome"),
    [
        ({"degraded": ["vllm:num_requests_waiting > 5"]}, ProbeReason.THRESHOLD_WARNING, ProbeOutcome.DEGRADED),
        ({"fail": ["vllm:num_requests_waiting > 5"]}, ProbeReason.THRESHOLD_CRITICAL, ProbeOutcome.FAIL),
        ({"fail": ["absent > 5"]}, ProbeReason.METRIC_MISSING, ProbeOutcome.BLIND),
        ({"preset": "vllm"}, ProbeReason.THRESHOLD_WARNING, ProbeOutcome.DEGRADED),
        ({"preset": "vllm", "degraded": ["vllm:num_requests_waiting > 50"]}, ProbeReason.OK, ProbeOutcome.PASS),
        ({"preset": "tgi"}, ProbeReason.METRIC_MISSING, ProbeOutcome.BLIND),
    ],
)
async def test_what_a_page_means(settings: dict[str, object], reason: ProbeReason, outcome: ProbeOutcome) -> None:
    result = await probed(VLLM, **settings)
    assert (result.reason, result.outcome) == (reason, outcome)


async def test_a_page_of_a_megabyte_is_read_to_its_end() -> None:
    page = b"".join(b'bucket{le="%d"} 1\n' % number for number in range(60_000)) + b"depth 9\n"
    assert 1_000_000 < len(page) < MAX_PAGE
    assert (await probed(page, degraded="depth > 5")).reason is ProbeReason.THRESHOLD_WARNING


async def test_a_page_that_is_too_large_says_nothing_about_the_endpoint() -> None:
    result = await probed(b"depth 9\n" + b"x" * MAX_PAGE, degraded="depth > 5")
    assert (result.reason, result.outcome) == (ProbeReason.METRIC_MISSING, ProbeOutcome.BLIND)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (response("503 Service Unavailable"), ProbeReason.STATUS_UNEXPECTED),
        (response("429 Too Many Requests"), ProbeReason.OVERLOADED),
        (response("200 OK", b"x", "Content-Encoding: gzip"), ProbeReason.RESPONSE_ENCODED),
        (response("200 OK", b"<html></html>"), ProbeReason.METRIC_MISSING),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ndepth 1", ProbeReason.RESPONSE_CLOSED),
    ],
)
async def test_an_answer_that_is_no_page(answer: bytes, reason: ProbeReason) -> None:
    async with serve(answers(answer)) as target:
        assert (await prober("metrics", "/metrics", degraded="depth > 5").probe(target.endpoint)).reason is reason


async def test_a_page_that_does_not_end_fails_at_the_deadline() -> None:
    async with serve(answers_and_holds(b"HTTP/1.1 200 OK\r\n\r\ndepth 1\n")) as target:
        result = await prober("metrics", "/metrics", timeout="500ms", degraded="depth > 5").probe(target.endpoint)
    assert result.reason is ProbeReason.RESPONSE_TIMEOUT


async def test_a_port_that_nobody_listens_at_fails() -> None:
    with refusing() as target:
        result = await prober("metrics", "/metrics", preset="vllm").probe(target.endpoint)
    assert result.reason is ProbeReason.CONNECT_REFUSED


async def test_the_request_says_what_it_wants_and_where(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    asked = {"authorization_file": str(tmp_path / "token"), "host": "metrics.example.com", "headers": {"X-Scope": "a"}}
    async with serve(answers(response("200 OK", b"depth 1\n"))) as target:
        result = await prober("metrics", "/m?x=1", degraded="depth > 5", **asked).probe(target.endpoint)
    assert result.reason is ProbeReason.OK
    (request,) = target.requests
    assert request.startswith("GET /m?x=1 HTTP/1.1\r\nHost: metrics.example.com\r\n")
    for line in (f"Authorization: Bearer {TOKEN}", "X-Scope: a", "Accept: text/plain;version=0.0.4"):
        assert f"\r\n{line}" in request


async def test_over_tls_the_certificate_is_verified(authority: trustme.CA, ca_file: str) -> None:
    asked = {"tls": True, "ca_file": ca_file, "degraded": "depth > 5"}
    async with serve(answers(response("200 OK", b"depth 1\n")), tls=tls_server(authority, NAME)) as target:
        right = await prober("metrics", "/metrics", host=NAME, **asked).probe(target.endpoint)
        wrong = await prober("metrics", "/metrics", host="other.example.test", **asked).probe(target.endpoint)
    assert [right.reason, wrong.reason] == [ProbeReason.OK, ProbeReason.TLS_CERTIFICATE]
    assert dict(right.measures).keys() == {"depth", "certificate_days"}


async def test_a_token_that_is_refused_or_gone_blinds_and_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    live = prober("metrics", "/metrics", preset="tgi", authorization_file=str(tmp_path / "token"))
    async with serve(answers(response(f"401 {TOKEN}"))) as target:
        refused = await live.probe(target.endpoint)
        (tmp_path / "token").unlink()
        gone = await live.probe(target.endpoint)
    assert [refused.reason, gone.reason] == [ProbeReason.CREDENTIAL_REFUSED, ProbeReason.CREDENTIAL_MISSING]
    assert TOKEN[:8] not in repr((refused, gone, live))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "write degraded, fail or preset"),
        ({"degraded": "depth"}, "is no threshold"),
        ({"degraded": [5]}, "a threshold is a text"),
        ({"degraded": 5}, "write a list"),
        ({"degraded": ["depth > 1"] * 17}, "at most 16"),
        ({"preset": "other"}, "Input should be"),
        ({"preset": "vllm", "ca_file": "/ca.pem"}, "add tls: true"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        prober("metrics", "/metrics", **settings)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_is_of_thresholds(name: str) -> None:
    for text in PRESETS[name]:
        assert Threshold.parse(text).limit in {5.0, 0.8}
