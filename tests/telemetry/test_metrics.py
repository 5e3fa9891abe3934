"""The page of metrics: scraped from a real daemon, the same as the manual, bounded, and shut to everything else."""

import asyncio
import gzip
import re
import socket
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from support.accepting import accepting, hang_up
from support.daemons import EMBEDDED, NAME, site
from support.leaders import but, members
from support.living import at_work, living
from support.prometheus import promtool
from support.scenes import NOW, TARGET

from failoverd.core.control.figures import ReplayedFigures, SignalFigures, TargetFigures
from failoverd.core.control.plan import LastGood
from failoverd.core.control.state import TargetMemory
from failoverd.core.events import EndpointRecovered, Event, MetricsFailed
from failoverd.core.loads import excess
from failoverd.core.overrides import Announced, Override, Scope, Verb
from failoverd.core.practices import PastPractice, PracticeOutcome
from failoverd.core.probe_reasons import ProbeOutcome, ProbeReason
from failoverd.core.reasons import Cause, Limit, LimitCheck, Reason, ReasonCode
from failoverd.core.records import Endpoint, Limits, ProbeResult, RecordSet, Timings
from failoverd.core.status import (
    Bill,
    FilesStatus,
    OrphanedRecord,
    OrphansStatus,
    PolicyStatus,
    RefusedFile,
    RegionStatus,
    Status,
    TargetState,
    TargetStatus,
    VantageStatus,
)
from failoverd.core.tallies import (
    LAG_BOUNDS,
    CallOutcome,
    CallTally,
    Histogram,
    ProbeFigures,
    ProbeTally,
    ProbingFigures,
    percentile,
)
from failoverd.telemetry import exposing, prose
from failoverd.telemetry.exposing import exposed
from failoverd.telemetry.metrics import Metrics, Work

PATIENCE = 20.0
MANUAL = Path(__file__).parents[2] / "docs" / "metrics.md"
NOTIFY = "notify: {nobody: {webhook: 'http://127.0.0.1:9/'}}\n"


def families(page: bytes) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(page.decode())}


def value(page: bytes, name: str, **labels: str) -> float:
    (found,) = [
        sample.value
        for family in families(page).values()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return found


async def ask(port: int, asked: bytes, source: str = "127.0.0.1") -> bytes:
    """Everything that comes back to these bytes."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        try:
            writer.write(asked)
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.transport.abort()


async def scrape(port: int) -> bytes:
    def read() -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
            page: bytes = answer.read()
            return page

    return await asyncio.to_thread(read)


# -- of a real daemon --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def running(root: Path, listen: str) -> AsyncIterator[list[Event]]:
    """A daemon with its regions on loopback, and what it told."""
    async with site(root, EMBEDDED) as here:
        here.config.write_text(f'{here.config.read_text()}metrics: {{listen: "{listen}"}}\n{NOTIFY}')
        async with living(here) as life:
            await life.until(at_work)
            yield life.events


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def listed() -> set[tuple[str, str, tuple[str, ...]]]:
    """What the manual says that there is: names, types and labels."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", MANUAL.read_text(), re.MULTILINE)
    return {(name, kind, tuple(sorted(re.findall(r"`(\w+)`", labels)))) for name, kind, labels in rows}


def exported(page: bytes) -> set[tuple[str, str, tuple[str, ...]]]:
    """The same of a page; of a metric without a series, no labels are known."""
    shown = set()
    for name, kind in re.findall(rb"^# TYPE (\w+) (\w+)$", page, re.MULTILINE):
        labels = re.findall(rb"^%s(?:_bucket)?\{(.*?)\} " % name, page, re.MULTILINE)
        names = sorted(key for key in re.findall(r'(\w+)="', labels[0].decode()) if key != "le") if labels else ()
        shown.add((name.decode(), kind.decode(), tuple(names)))
    return shown


async def test_a_real_daemon_shows_what_the_manual_lists_and_no_more(tmp_path: Path) -> None:
    port = free_port()
    async with running(tmp_path, f"127.0.0.1:{port}") as events:
        async with asyncio.timeout(PATIENCE):
            while b'state="in_sync"' not in (page := await scrape(port)):  # it is made once a second
                assert not [event for event in events if isinstance(event, MetricsFailed)]
    assert not [event for event in events if isinstance(event, MetricsFailed | EndpointRecovered)]
    shown = {(name, kind, labels or TROUBLE.get(name, ())) for name, kind, labels in exported(page)}
    assert listed() == shown
    assert promtool("check", "metrics", given=page) == ""
    assert value(page, "failoverd_probes_total", policy="api", check="live", kind="http", outcome="pass") > 0
    assert value(page, "failoverd_schedule_lag_seconds_count") > 0
    assert value(page, "failoverd_region_score_ratio", region="west") == 1.0
    assert value(page, "failoverd_region_state", region="east", state="healthy") == 1.0
    assert value(page, "failoverd_probe_interval_factor") == 1.0
    assert value(page, "failoverd_record_share_ratio", record=f"{NAME} A", provider="main", region="west") == 0.5
    assert value(page, "failoverd_record_state", policy="api", state="in_sync") == 1.0
    assert value(page, "failoverd_budget_changes_left", policy="api", ration="tuning") == 100
    assert value(page, "failoverd_provider_calls_total", provider="main", call="apply", outcome="ok") == 1
    assert value(page, "failoverd_record_last_change_timestamp_seconds", policy="api") > 0
    assert value(page, "failoverd_journal_failing") == 0
    assert b"127.87.0." not in page


async def test_a_port_that_somebody_else_has_is_said_and_stops_nothing(tmp_path: Path) -> None:
    async with accepting(hang_up) as port, running(tmp_path, f"127.0.0.1:{port}") as events:
        (failed,) = [event for event in events if isinstance(event, MetricsFailed)]
    assert failed.listen == f"127.0.0.1:{port}"
    assert "already in use" in prose.say(failed)


# -- the numbers -------------------------------------------------------------------------------------------------------


def tally() -> ProbeTally:
    found = ProbeTally("api", "live", "http")
    endpoint = Endpoint("azure", "192.0.2.10")
    for outcome, reason, took in (
        (ProbeOutcome.PASS, ProbeReason.OK, 0.001),
        (ProbeOutcome.PASS, ProbeReason.OK, 0.0011),
        (ProbeOutcome.DEGRADED, ProbeReason.SLOW, 0.7),
        (ProbeOutcome.FAIL, ProbeReason.CONNECT_REFUSED, 99.0),
        (ProbeOutcome.BLIND, ProbeReason.NO_ROUTE, 5.0),
    ):
        found.add(ProbeResult(endpoint, "live", outcome, reason, Timings(took), 0.0))
    return found


def metrics() -> Metrics:
    figures = ProbingFigures(probes=(tally().figures(),), lag_max=0.25, skipped=3, stretched=2, wires=4)
    region = RegionStatus("api", "A", 'a "quoted"\nname', 0.0, "down", 2_500, 0.0)
    vantage = VantageStatus(0.0, ("IPv4", "IPv6"), 0.0)
    orphans = OrphansStatus(0.0, (OrphanedRecord(TARGET, 7, 0.0),))
    return Metrics(lambda: figures, lambda: [region, vantage, orphans], "1.2.3", 1_000.0)


def test_probes_are_counted_by_what_they_came_to_and_blind_ones_are_not_timed() -> None:
    page = metrics().snapshot().page()
    counted = {
        (sample.labels["outcome"], sample.labels["reason"]): sample.value
        for sample in families(page)["failoverd_probes"].samples
    }
    assert counted == {
        ("pass", "ok"): 2,
        ("degraded", "slow"): 1,
        ("fail", "connect_refused"): 1,
        ("blind", "no_route"): 1,
    }
    seconds = {
        sample.labels["le"]: sample.value
        for sample in families(page)["failoverd_probe_duration_seconds"].samples
        if "le" in sample.labels
    }
    assert [seconds[bound] for bound in ("0.001", "0.0025", "0.5", "1.0", "30.0", "+Inf")] == [1, 2, 2, 3, 3, 4]
    assert value(page, "failoverd_probe_duration_seconds_sum") == pytest.approx(99.7021)


def test_everything_else_is_there_and_names_are_written_so_that_they_can_be_read_back() -> None:
    page = metrics().snapshot().page()
    assert value(page, "failoverd_probes_skipped_total") == 3
    assert value(page, "failoverd_probe_interval_factor") == 2
    assert value(page, "failoverd_schedule_lag_max_seconds") == 0.25
    assert value(page, "failoverd_vantage_isolated") == 2
    assert value(page, "failoverd_orphaned_records") == 1
    assert value(page, "failoverd_build_info", version="1.2.3") == 1
    assert value(page, "failoverd_region_score_ratio", region='a "quoted"\nname') == 0.25


def held(state: TargetState, cause: str) -> float:
    """The gauge for a policy with one record that stands so, beside another that is well."""
    well = replace(TARGET, provider="another")
    statuses: list[Status] = [
        PolicyStatus(TARGET.policy, 0.0, "api.yaml", "r1"),
        TargetStatus(TARGET, 0.0, state, cause=cause),
        TargetStatus(well, 0.0, TargetState.IN_SYNC),
    ]
    page = Metrics(ProbingFigures, lambda: statuses, "1.2.3", 0.0).snapshot().page()
    return value(page, "failoverd_failover_held", policy=TARGET.policy)


def test_only_a_limit_that_keeps_what_is_down_is_a_failover_held() -> None:
    assert held(TargetState.LIMITED, Cause.FAILING_OUT) == 1
    assert held(TargetState.LIMITED, Cause.TUNING) == 0
    assert held(TargetState.DRIFTED, Cause.FAILING_OUT) == 0


@pytest.mark.parametrize(
    ("reasons", "counted"),
    [((), 0), ((Reason(ReasonCode.RIVAL),), 1), ((Reason(ReasonCode.NEWER_LEADER),), 1)],
)
def test_records_that_another_instance_writes_as_well_are_counted(reasons: tuple[Reason, ...], counted: int) -> None:
    target = TargetStatus(TARGET, 0.0, TargetState.IN_SYNC, reasons=reasons)
    policy = PolicyStatus(TARGET.policy, 0.0, "api.yaml", "r1")
    page = Metrics(ProbingFigures, partial(list, [policy, target]), "1.2.3", 0.0).snapshot().page()
    assert value(page, "failoverd_rival_records", policy=TARGET.policy) == counted


# -- what keeps records from what is wanted ----------------------------------------------------------------------------

LIMITED = TargetStatus(
    TARGET,
    NOW,
    TargetState.LIMITED,
    cause=Cause.FAILING_OUT,
    published={"west": 5_000, "east": 5_000},
    reasons=(
        Reason(ReasonCode.FAILBACK_HOLD, region="north"),
        Reason(ReasonCode.RAMP, "failback.ramp", "north", numbers={"step": 2.0, "steps": 4.0, "part": 2_500.0}),
        Reason(ReasonCode.EXCESS, "tier", "east", numbers={"rest": 1_000.0, "demand": 400.0, "taken": 0.0}),
        Reason(ReasonCode.SHED_TO, "shed_to", "192.0.2.99", numbers={"short": 60.0, "demand": 400.0}),
    ),
    checks=(LimitCheck(Limit.MIN_REGIONS, passed=False, found=1, allowed=2),),
    demand=400.0,
    capacities={"west": 300.0, "east": 300.0},
    bill=Bill(12.5, 9.0, 9_000.0),
)
POLICY = PolicyStatus(
    TARGET.policy,
    NOW,
    "api.yaml",
    "r1",
    rejected="line 3: no such key",
    practices=(
        PastPractice("east", PracticeOutcome.FAILED, NOW - 86_400, NOW - 86_000, "practice-1", "api.yaml:9"),
        PastPractice("west", PracticeOutcome.BLOCKED, NOW - 86_400, NOW - 86_400, "practice-2", "api.yaml:9"),
    ),
)
TROUBLE = {
    "failoverd_record_held": ("cause", "policy", "provider", "record"),
    "failoverd_record_waiting": ("policy", "provider", "reason", "record"),
    "failoverd_record_disputed": ("policy", "provider", "record"),
    "failoverd_region_failed_unmoved_seconds": ("policy", "provider", "record", "region"),
    "failoverd_record_ramp_ratio": ("policy", "provider", "record", "region"),
    "failoverd_policy_demand": ("policy",),
    "failoverd_policy_excess": ("policy", "region"),
    "failoverd_policy_shed": ("policy",),
    "failoverd_region_load": ("region",),
    "failoverd_region_capacity": ("region",),
    "failoverd_record_cost_usd_per_hour": ("policy", "provider", "record"),
    "failoverd_record_normal_cost_usd_per_hour": ("policy", "provider", "record"),
    "failoverd_region_practised_timestamp_seconds": ("policy", "region"),
    "failoverd_region_latency_seconds": ("policy", "record_type", "region"),
    "failoverd_signals_lost": ("source",),
    "failoverd_member_differing": ("member",),
    "failoverd_signal_age_seconds": ("policy", "signal"),
    "failoverd_signal_burn": ("policy", "region"),
    "failoverd_signal_failures_total": ("reason", "source"),
}
"""The labels of what has a series in trouble only, or where somebody measures."""


def in_trouble() -> Metrics:
    """A region is down, `min_regions` keeps it in the answer, and everything else is wrong as well."""
    regions = [
        RegionStatus(TARGET.policy, "A", name, NOW, state, 0, NOW - 90.0, latency=0.012)
        for name, state in REGIONS.items()
    ]
    alone = but(members(NOW, leads=False, coordinated=False), "oci-1", uncounted="silent", differing=("shop", "web"))
    files = FilesStatus(NOW, (RefusedFile("b.yaml", "line 1"),))
    statuses: list[Status] = [POLICY, LIMITED, *regions, files, alone]
    remembered = TargetFigures(TargetMemory(TARGET), Limits(), {"west": NOW - 120.0}, disputed=True)
    calls = CallTally("dns-main", "apply")
    calls.add(CallOutcome.FENCED, 0.2)
    word = Override("drain-1", Verb.DRAIN, Scope(), "alice@host", NOW - 600.0, NOW + 60.0)
    words = (
        replace(word, told=Announced.ENDING),
        replace(word, id="drain-2", since=NOW - 60.0, until=NOW + 7_200.0),
        replace(word, id="hold-1", verb=Verb.HOLD, until=NOW - 1.0),
        replace(word, id="pin-1", verb=Verb.PIN, needed=2),
    )
    signals = SignalFigures(
        {(TARGET.policy, "demand"): 61.5}, {("main", "unreachable"): 4}, {(TARGET.policy, "west"): 120.0}, {"main": 1}
    )
    work = Work(
        NOW,
        (remembered,),
        (calls.figures(),),
        words,
        journal_failing=True,
        journal_failures=3,
        signals=signals,
        replayed=ReplayedFigures(NOW - 60.0, 1_234, 2, 5),
    )
    return Metrics(ProbingFigures, lambda: statuses, "1.2.3", 0.0, lambda: work)


REGIONS = {"west": "down", "east": "healthy", "north": "down"}


def test_a_region_that_failed_and_keeps_its_share_is_counted_in_seconds_and_what_keeps_it_is_named() -> None:
    page = in_trouble().snapshot().page()
    (unmoved,) = families(page)["failoverd_region_failed_unmoved_seconds"].samples
    assert unmoved.value == 120.0  # and not 90: it was down before the restart
    labels = {"policy": TARGET.policy, "record": str(TARGET.key), "provider": TARGET.provider}
    assert unmoved.labels == {**labels, "region": "west"}
    assert value(page, "failoverd_record_held", **labels, cause="min_regions") == 1
    assert value(page, "failoverd_record_waiting", **labels, reason="failback_hold") == 1
    assert value(page, "failoverd_record_disputed", **labels) == 1
    assert value(page, "failoverd_record_state", **labels, state="limited") == 1
    shares = {each.labels["region"]: each.value for each in families(page)["failoverd_record_share_ratio"].samples}
    assert shares == {"west": 0.5, "east": 0.5, "north": 0.0}
    assert {name: labels for name, _, labels in exported(page) if name in TROUBLE} == TROUBLE


def test_the_rest_of_a_bad_night_is_counted() -> None:
    page = in_trouble().snapshot().page()
    assert value(page, "failoverd_signal_age_seconds", policy=TARGET.policy, signal="demand") == 61.5
    assert value(page, "failoverd_signal_failures_total", source="main", reason="unreachable") == 4
    assert value(page, "failoverd_signal_burn", policy=TARGET.policy, region="west") == 120
    assert value(page, "failoverd_policy_rejected", policy=TARGET.policy) == 1
    assert value(page, "failoverd_files_rejected") == 1
    assert value(page, "failoverd_journal_failing") == 1
    assert value(page, "failoverd_journal_failures_total") == 3
    assert value(page, "failoverd_replay_timestamp_seconds") == NOW - 60.0
    assert value(page, "failoverd_replay_decisions") == 1_234
    assert value(page, "failoverd_replay_differing") == 2
    assert value(page, "failoverd_replay_unreadable") == 5
    assert value(page, "failoverd_leader") == 0
    assert value(page, "failoverd_leader_known") == 0
    assert value(page, "failoverd_leader_epoch") == 7
    assert value(page, "failoverd_coordinator_failing") == 1
    assert value(page, "failoverd_coordinator_silence_seconds") == 1.0
    assert (value(page, "failoverd_members"), value(page, "failoverd_members_voting")) == (3, 2)
    assert value(page, "failoverd_member_differing", member="oci-1") == 2
    assert value(page, "failoverd_provider_calls_total", provider="dns-main", call="apply", outcome="fenced") == 1
    assert value(page, "failoverd_provider_calls_total", provider="dns-main", call="apply", outcome="ok") == 0
    assert value(page, "failoverd_provider_call_duration_seconds_sum", call="apply") == pytest.approx(0.2)
    assert value(page, "failoverd_budget_shift_left_ratio", ration="returning") == 1.0


def test_what_regions_carry_and_what_fits_nowhere_is_counted() -> None:
    """400 are needed, with room for 300: of the rest, 60 go to a place and 40 to the region that suffers least."""
    page = in_trouble().snapshot().page()
    assert value(page, "failoverd_policy_demand", policy=TARGET.policy) == 400
    loads = {name: value(page, "failoverd_region_load", region=name) for name in ("west", "east")}
    assert loads == {"west": 200, "east": 200}
    assert value(page, "failoverd_region_capacity", region="east") == 300
    assert value(page, "failoverd_policy_excess", policy=TARGET.policy, region="east") == 40
    assert value(page, "failoverd_policy_shed", policy=TARGET.policy) == 60


def test_what_is_overloaded_by_all_alike_is_counted_by_region() -> None:
    over = Reason(ReasonCode.OVERLOAD, "demand", numbers={"rest": 2_500.0}, shares={"west": 3_000, "east": 1_000})
    assert excess(replace(LIMITED, reasons=(over,))) == {"west": 75.0, "east": 25.0}
    assert excess(replace(LIMITED, reasons=(over,), demand=None)) == {}


def test_ways_back_costs_and_practice_are_counted() -> None:
    page = in_trouble().snapshot().page()
    assert value(page, "failoverd_record_ramp_ratio", policy=TARGET.policy, region="north") == 0.25
    assert value(page, "failoverd_record_cost_usd_per_hour", policy=TARGET.policy) == 12.5
    assert value(page, "failoverd_record_normal_cost_usd_per_hour", policy=TARGET.policy) == 9.0
    practised = families(page)["failoverd_region_practised_timestamp_seconds"].samples
    assert [(each.labels["region"], each.value) for each in practised] == [("east", NOW - 86_400)]


def test_words_in_force_are_counted_by_verb_and_those_that_are_over_or_wait_are_not() -> None:
    page = in_trouble().snapshot().page()
    numbers = {each.labels["verb"]: each.value for each in families(page)["failoverd_overrides"].samples}
    assert numbers.keys() == set(Verb)
    assert {verb: number for verb, number in numbers.items() if number} == {"drain": 2}
    assert value(page, "failoverd_overrides_ending", verb="drain") == 1
    assert value(page, "failoverd_override_age_seconds", verb="drain") == 600.0
    assert value(page, "failoverd_override_age_seconds", verb="hold") == 0.0
    assert value(page, "failoverd_overrides_pending") == 1


def good_day(*names: str) -> bytes:
    """A page of policies with one check, one record and three regions each."""
    statuses, targets, probes = list[Status](), list[TargetFigures](), list[ProbeFigures]()
    for name in names:
        target = replace(TARGET, policy=name)
        statuses.append(PolicyStatus(name, NOW, f"{name}.yaml", "r1"))
        statuses.append(TargetStatus(target, NOW, TargetState.IN_SYNC, published={"west": 10_000}))
        statuses += [RegionStatus(name, "A", region, NOW, "healthy", 10_000, NOW) for region in REGIONS]
        good = LastGood(RecordSet.of(target.key, 30, {"192.0.2.10": 1}), 1, {"west": 10_000}, NOW)
        targets.append(TargetFigures(TargetMemory(target, last_good=good), Limits()))
        probed = ProbeTally(name, "live", "http")
        passed = ProbeOutcome.PASS, ProbeReason.OK, Timings(0.01), NOW
        probed.add(ProbeResult(Endpoint("west", "192.0.2.10"), "live", *passed))
        probes.append(probed.figures())
    figures, work = ProbingFigures(probes=tuple(probes)), Work(NOW, tuple(targets))
    return Metrics(lambda: figures, lambda: statuses, "1.2.3", 0.0, lambda: work).snapshot().page()


def test_a_policy_costs_as_many_series_as_the_manual_says() -> None:
    one, three = (
        sum(not line.startswith(b"#") for line in page.splitlines()) for page in (good_day("a"), good_day(*"abc"))
    )
    (said,) = re.findall(r"three regions has (\d+) series", MANUAL.read_text())
    assert three - one == 2 * int(said)


def test_nothing_is_left_of_what_is_managed_no_longer() -> None:
    page = Metrics(ProbingFigures, list, "1.2.3", 0.0).snapshot().page()
    assert TARGET.policy.encode() not in page
    assert b"record=" not in page


def test_the_real_checker_of_names_and_help_has_nothing_to_say_of_a_page_of_trouble() -> None:
    assert promtool("check", "metrics", given=in_trouble().snapshot().page()) == ""


def test_a_percentile_is_the_bound_of_its_bucket() -> None:
    lag = Histogram(LAG_BOUNDS)
    assert percentile(lag.bounds, lag.counts, 99.0) == 0.0
    for late in [0.0005] * 98 + [0.2] * 2:
        lag.add(late)
    assert percentile(lag.bounds, lag.counts, 98.0) == 0.001
    assert percentile(lag.bounds, lag.counts, 99.0) == 0.25
    assert lag.cumulative()[-1] == 100


# -- whoever asks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n", b"200 OK"),
        (b"GET /metrics?name=up HTTP/1.0\r\n\r\n", b"200 OK"),
        (b"HEAD /metrics HTTP/1.1\r\nHost: here\r\n\r\n", b"200 OK"),
        (b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", b"404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nabc", b"405 Method Not Allowed"),
        (b"\xff\x00\r\n\r\n", b"400 Bad Request"),
    ],
)
async def test_only_the_page_is_served_and_only_to_who_reads(
    monkeypatch: pytest.MonkeyPatch, asked: bytes, status: bytes
) -> None:
    monkeypatch.setattr(exposing, "_PATIENCE", 2 * PATIENCE)  # nobody's connection ends because his time is over
    async with exposed("127.0.0.1", 0, metrics()) as port:
        answer = await ask(port, asked)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.partition(b" ")[2].startswith(status)
    assert bool(body) is not asked.startswith(b"HEAD")


async def test_who_asks_with_too_many_bytes_is_hung_up_on() -> None:
    async with exposed("127.0.0.1", 0, metrics()) as port:
        assert b"200 OK" not in await ask(port, b"GET /metrics HTTP/1.1\r\nHost: here\r\nX: " + b"x" * 100_000)
        assert b"200 OK" in await ask(port, b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n")


async def test_who_never_finishes_asking_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposing, "_PATIENCE", 0.05)
    async with exposed("127.0.0.1", 0, metrics()) as port:
        assert await ask(port, b"GET /metrics HTTP/1.1\r\n") == b""


async def test_the_page_is_made_once_for_a_crowd() -> None:
    made = 0
    plain = metrics()

    def counted() -> ProbingFigures:
        nonlocal made
        made += 1
        return plain._figures()

    async with exposed("127.0.0.1", 0, Metrics(counted, list, "1", 0.0)) as port:
        answers = await asyncio.gather(*(ask(port, b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n") for _ in range(8)))
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        assert made == 1


@pytest.mark.parametrize("accepts", [b"gzip", b"deflate, GZIP"])
async def test_who_takes_gzip_gets_the_same_page_in_few_bytes(accepts: bytes) -> None:
    async with exposed("127.0.0.1", 0, metrics()) as port:
        plain = await ask(port, b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n")
        packed = await ask(port, b"GET /metrics HTTP/1.1\r\nHost: here\r\nAccept-Encoding: " + accepts + b"\r\n\r\n")
    head, body = packed.split(b"\r\n\r\n", 1)
    assert b"Content-Encoding: gzip" in head
    assert gzip.decompress(body) == plain.split(b"\r\n\r\n", 1)[1]
    assert len(packed) < len(plain) / 2


async def test_a_defect_in_the_page_is_told_as_one_and_costs_one_answer(caplog: pytest.LogCaptureFixture) -> None:
    plain, told = metrics(), list[dict[str, object]]()

    def broken() -> ProbingFigures:
        if not told:
            raise RuntimeError("broken")
        return plain._figures()

    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with exposed("127.0.0.1", 0, Metrics(broken, list, "1", 0.0)) as port:
        assert b"500 Internal Server Error" in await ask(port, b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n")
        assert [str(each["exception"]) for each in told] == ["broken"]
        assert b"200 OK" in await ask(port, b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n")
        assert b"400 Bad Request" in await ask(port, b"\x00\r\n\r\n")
    assert not caplog.records, "what strangers send fills no log"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"], ids=["that-client", "another-one"])
async def test_a_client_that_holds_connections_keeps_nobody_out(address: str) -> None:
    async with exposed("127.0.0.1", 0, metrics()) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        assert b"200 OK" in await ask(port, b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n", address)
        for reader, _ in idle[:-8]:  # the longest guests made room
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        for _, writer in idle:
            writer.close()
