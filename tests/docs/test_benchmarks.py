"""What the benchmarks compute from what they see. What they see is measured in `bench/`, never in a test."""

import random
import signal
import subprocess
import sys
from math import inf
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))

from bench.circumstances import Circumstances  # noqa: E402 - the same
from bench.detectors import _Daemon, _Gdnsd, _HaProxy  # noqa: E402 - the line above is how it is found
from bench.estate_report import EstateRun  # noqa: E402 - the same
from bench.estate_report import goals as estate_goals  # noqa: E402 - the same
from bench.estate_run import Asked, Edit, Estate, Found  # noqa: E402 - the same
from bench.exposition import Histogram, histogram, total  # noqa: E402 - the same
from bench.figures import Goal  # noqa: E402 - the same
from bench.member_cost import Cost as MemberCost  # noqa: E402 - the same
from bench.member_cost import Load, Period  # noqa: E402 - the same
from bench.member_faults import Moved  # noqa: E402 - the same
from bench.members_report import MembersRun, tables  # noqa: E402 - the same
from bench.members_report import goals as members_goals  # noqa: E402 - the same
from bench.nginx import Counts  # noqa: E402 - the same
from bench.page_report import PageRun  # noqa: E402 - the same
from bench.page_report import goals as page_goals  # noqa: E402 - the same
from bench.page_run import Found as Watched  # noqa: E402 - the same
from bench.paper import Loss, Paper  # noqa: E402 - the same
from bench.probe_cost import Cost, Setting, Window  # noqa: E402 - the same
from bench.probe_report import ProbeRun, goals  # noqa: E402 - the same
from bench.scale_report import ScaleRun  # noqa: E402 - the same
from bench.scale_report import goals as scale_goals  # noqa: E402 - the same
from bench.scale_run import Reading, Scaled, Size  # noqa: E402 - the same
from bench.takeovers import Fate, Takeover  # noqa: E402 - the same
from bench.threshold import threshold  # noqa: E402 - the same
from bench.troubles import INTERVAL, Field, Region, Trouble  # noqa: E402 - the same
from bench.watchers import FAILOVERD, GDNSD, GDNSD_SLOWER, HAPROXY, Kind  # noqa: E402 - the same
from failoverd.core.probe_reasons import ProbeOutcome  # noqa: E402 - the same
from failoverd.core.records import Endpoint  # noqa: E402 - the same

# -- metrics -----------------------------------------------------------------------------------------------------------

PAGE = """\
# TYPE lag_seconds histogram
lag_seconds_bucket{le="0.01",kind="http"} 90
lag_seconds_bucket{le="0.05",kind="http"} 99
lag_seconds_bucket{le="+Inf",kind="http"} 100
lag_seconds_bucket{le="0.01",kind="tcp"} 100
lag_seconds_bucket{le="0.05",kind="tcp"} 100
lag_seconds_bucket{le="+Inf",kind="tcp"} 100
lag_seconds_count{kind="http"} 100
lag_seconds_count{kind="tcp"} 100
lag_seconds_sum{kind="http"} 1
lag_seconds_sum{kind="tcp"} 1
"""


def test_series_of_one_histogram_are_taken_together() -> None:
    assert histogram(PAGE, "lag_seconds").counts == {0.01: 190, 0.05: 199, inf: 200}
    assert total(PAGE, "lag_seconds_count") == 200


@pytest.mark.parametrize(("percent", "bound"), [(50, 0.01), (95, 0.01), (99, 0.05), (99.5, 0.05), (100, inf)])
def test_a_percentile_is_the_bound_of_its_bucket(percent: float, bound: float) -> None:
    assert histogram(PAGE, "lag_seconds").percentile(percent) == bound


def test_what_was_before_does_not_count() -> None:
    before = Histogram({0.01: 100, 0.05: 100, inf: 100})
    assert histogram(PAGE, "lag_seconds").since(before).percentile(90) == 0.01
    assert histogram(PAGE, "lag_seconds").since(before).percentile(95) == 0.05


def test_a_page_without_the_histogram_is_said() -> None:
    with pytest.raises(RuntimeError, match="have no histogram delay"):
        histogram(PAGE, "delay")


# -- what probes cost --------------------------------------------------------------------------------------------------


def cost(kind: Kind, watcher: str, *micros: float) -> Cost:
    return Cost(kind, watcher, tuple(Window(1.0, each * 1e-6 * 1_000, 1_000, 1_000, None) for each in micros))


def judged(*costs: Cost) -> list[Goal]:
    setting = Setting(1_000, 1, 20, 10, 3, tuple(Kind))
    at = Circumstances("bench/probes.py", "today", "a machine", {}, (0.0, 0.0))
    return goals(ProbeRun(setting, costs, at))


def test_the_median_of_the_windows_counts() -> None:
    assert cost(Kind.HTTP, FAILOVERD, 300, 90, 100).each == pytest.approx(100e-6)


def test_the_cheaper_gdnsd_is_the_one_to_beat() -> None:
    ours, peers = cost(Kind.HTTP, FAILOVERD, 110), (cost(Kind.HTTP, GDNSD, 120), cost(Kind.HTTP, GDNSD_SLOWER, 105))
    (goal,) = judged(ours, *peers)
    assert not goal.reached
    assert goal.found == "1.05 times (110 of 105 µs)"


def test_haproxy_is_striven_for_with_http_and_demanded_with_tls() -> None:
    found = judged(
        cost(Kind.HTTP, FAILOVERD, 100),
        cost(Kind.HTTP, HAPROXY, 60),
        cost(Kind.HTTPS, FAILOVERD, 820),
        cost(Kind.HTTPS, HAPROXY, 750),
    )
    assert [(goal.reached, goal.binding) for goal in found] == [(False, False), (True, True)]


def test_what_was_not_measured_has_no_goal() -> None:
    assert judged(cost(Kind.RESUMED, FAILOVERD, 500)) == []


# -- how many one core carries -----------------------------------------------------------------------------------------


def scaled(name: str, endpoints: int, every: float, *, micros: float, memories: tuple[int, ...] = (100, 100)) -> Scaled:
    """A minute at full rate, at this cost of a probe, with so many MB at each look; a lag of 10 ms for all but 1 %."""
    size, seconds = Size(name, endpoints, every, 60), 60.0
    probes, steps = endpoints / every * seconds, len(memories) - 1
    readings = [
        Reading(
            at=seconds * step / steps,
            cpu=probes * step / steps * micros * 1e-6,
            memory=memory * 1_000_000,
            counts=Counts(round(probes * step / steps), round(probes * step / steps)),
            lag=Histogram({0.01: 99.0 * step, 0.1: 100.0 * step, inf: 100.0 * step}),
        )
        for step, memory in enumerate(memories)
    ]
    return Scaled(size, 1.0, tuple(readings))


def missed(*sizes: Scaled) -> list[str]:
    at = Circumstances("bench/scale.py", "today", "a machine", {}, (0.0, 0.0))
    return [goal.found for goal in scale_goals(ScaleRun(sizes, 30, at)) if not goal.reached]


def test_a_third_of_a_core_is_what_two_thousand_cheap_probes_a_second_take() -> None:
    assert missed(scaled("10000/5s", 10_000, 5.0, micros=170)) == []
    assert missed(scaled("10000/5s", 10_000, 5.0, micros=180)) == ["36.0%, for 100.0% of the probes"]


def test_memory_has_to_be_small_and_flat() -> None:
    assert missed(scaled("10000/5s", 10_000, 5.0, micros=100, memories=(140, 160, 142))) == ["160.0 MB"]
    assert missed(scaled("10000/5s", 10_000, 5.0, micros=100, memories=(100, 103))) == ["3.0%"]


def test_a_probe_may_not_get_dear_with_the_number_of_endpoints() -> None:
    few, some = scaled("1000/500ms", 1_000, 0.5, micros=90), scaled("10000/5s", 10_000, 5.0, micros=100)
    assert missed(few, some, scaled("30000/15s", 30_000, 15.0, micros=130)) == []
    assert missed(few, some, scaled("30000/15s", 30_000, 15.0, micros=150)) == ["1.67 times (30000/15s to 1000/500ms)"]


# -- who noticed -------------------------------------------------------------------------------------------------------

FIELD = Field([Region("crashed-0", Trouble.CRASHED, [f"127.90.0.{host}" for host in range(1, 9)])])


def test_a_region_of_haproxy_is_down_when_fewer_than_half_of_its_servers_are_up() -> None:
    listener = _HaProxy(FIELD)
    says = "[WARNING]  (7) : Server crashed-0/s{} is {}, reason: Layer4 connection problem, info: ..."
    turns = [(0, "DOWN"), (1, "DOWN"), (2, "DOWN"), (3, "DOWN"), (3, "UP"), (4, "DOWN"), (5, "DOWN")]
    assert [list(listener.down(says.format(*turn))) for turn in turns] == [[]] * 6 + [["crashed-0"]]


def test_a_region_of_gdnsd_is_down_when_fewer_than_half_of_its_addresses_are_up() -> None:
    listener = _Gdnsd(FIELD)
    says = "warning: state of '127.90.0.{}/live' changed from UP to DOWN"
    assert [list(listener.down(says.format(host))) for host in range(1, 6)] == [[]] * 4 + [["crashed-0"]]
    assert list(listener.down("info: something else")) == []


def test_the_verdict_of_failoverd_is_its_event() -> None:
    listener = _Daemon("failoverd")
    assert list(listener.down('{"event": "region.failed", "policy": "crashed-0", "region": "struck"}')) == ["crashed-0"]
    assert list(listener.down('{"event": "region.degraded", "policy": "crashed-0", "region": "struck"}')) == []
    wrong = listener.down('{"event": "region.failed", "policy": "crashed-0", "region": "steady"}')
    assert list(wrong) == ["crashed-0/steady"]


def test_a_listener_takes_the_time_of_the_first_verdict() -> None:
    lines = 'print(\'nothing\'); print(\'{"event": "region.failed", "policy": "p", "region": "struck"}\')'
    listener = _Daemon("failoverd")
    with subprocess.Popen([sys.executable, "-c", f"{lines}; {lines}"], stdout=subprocess.PIPE) as process:
        listener.read(process)
    assert list(listener.verdicts) == ["p"]


# -- what is made up ---------------------------------------------------------------------------------------------------


def test_plain_threshold_probing_needs_two_intervals_more_than_the_phase() -> None:
    found = threshold(Trouble.CRASHED, 200, seed=1)
    assert all(2 * INTERVAL <= seconds <= 3 * INTERVAL for seconds in found)
    assert min(threshold(Trouble.DROPPED, 200, seed=1)) > min(found)


def paper_world() -> Paper:
    return Paper(random.Random(1))  # noqa: S311 - repeatable, no secret


def answers(paper: Paper, times: int) -> list[tuple[ProbeOutcome, float]]:
    looks = (paper.answer("p", Endpoint("struck", "192.0.2.1"), 2.0) for _ in range(times))
    return [(outcome, took) for outcome, _, took in looks]


def test_lost_packets_are_sent_again_and_mostly_arrive_in_time() -> None:
    paper = paper_world()
    paper.lose(Loss.PACKETS)
    found = answers(paper, 10_000)
    late = sum(1 for outcome, took in found if outcome is ProbeOutcome.PASS and took > 0.1)
    assert 250 < late < 550  # a packet of four, one time in a hundred
    assert 0 < paper.failed < 20  # two connection requests in a row


def test_lost_probes_fail_one_time_in_a_hundred() -> None:
    paper = paper_world()
    paper.lose(Loss.PROBES)
    assert 60 < sum(outcome is ProbeOutcome.FAIL for outcome, _ in answers(paper, 10_000)) < 140


def test_errors_come_at_random_and_every_other_trouble_always() -> None:
    paper = paper_world()
    assert {outcome for outcome, _ in answers(paper, 50)} == {ProbeOutcome.PASS}
    paper.strike("p", Trouble.SLOW)
    assert set(answers(paper, 50)) == {(ProbeOutcome.FAIL, 2.0)}
    paper.strike("p", Trouble.ERRORS)
    assert {outcome for outcome, _ in answers(paper, 50)} == {ProbeOutcome.PASS, ProbeOutcome.FAIL}


# -- what policies in number cost --------------------------------------------------------------------------------------


def estate(policies: int, *, met: float, edits: tuple[Edit, ...], late: float) -> list[Goal]:
    """All lag in the bucket that ends at `late`, and a status that takes 0.4 s."""
    lag = Histogram({0.05: 0.0 if late > 0.05 else 100.0, late: 100.0, inf: 100.0})
    found = Found(Estate(policies, 10.0), met, 2.0, edits, lag, Asked(0.4, 0.6, 0.3), 150_000_000)
    return estate_goals(EstateRun([found], Circumstances("bench/estate.py", "today", "a machine", {}, (0.0, 0.0))))


def test_a_thousand_policies_are_judged_by_medians() -> None:
    edits = (Edit(2.0, 0.09), Edit(9.0, 5.0), Edit(2.1, 0.08))
    assert [goal.reached for goal in estate(1_000, met=4.9, edits=edits, late=0.05)] == [True] * 5
    assert [goal.reached for goal in estate(1_000, met=5.1, edits=edits[1:2], late=1.0)] == [
        *(False, True, False, False, False)
    ]


def test_ten_thousand_are_judged_by_start_and_status_and_fewer_by_nothing() -> None:
    assert len(estate(10_000, met=39.0, edits=(Edit(2.0, 0.1),), late=0.05)) == 2
    assert estate(10, met=39.0, edits=(Edit(2.0, 0.1),), late=0.05) == []


# -- what it costs to be looked at -------------------------------------------------------------------------------------


def looked_at(watched: tuple[float, ...]) -> list[bool]:
    found = Watched(1_000, 200, (1.0, 1.0, 5.0), watched, 0.1, 0.2, 1)
    return [
        goal.reached
        for goal in page_goals(PageRun(found, Circumstances("bench/page.py", "today", "a machine", {}, (0.0, 0.0))))
    ]


def test_who_listens_may_cost_a_tenth_by_medians() -> None:
    assert looked_at((1.09, 1.0, 9.0)) == [True]
    assert looked_at((1.11, 1.0, 9.0)) == [False]


# -- what it takes to be three -----------------------------------------------------------------------------------------


def installed(
    moved: tuple[Moved, ...] = (), taken: tuple[Takeover, ...] = (), costs: tuple[MemberCost, ...] = ()
) -> MembersRun:
    return MembersRun(
        moved,
        taken,
        Load(1_000, 30, 120),
        costs,
        Circumstances("bench/members.py", "today", "a machine", {}, (0.0, 0.0)),
    )


def weighed(
    cpu: tuple[float, ...], puts: int, handed_over: float | None = None, after: float | None = 6.0
) -> MemberCost:
    """A hundred seconds in which nothing happens, and ten in which a region fails; all moves, or three quarters do."""
    etcd = (1.0,) * len(cpu) if handed_over is not None else ()
    failing = Period(10.0, cpu, etcd, 5_000, 900.0, 5_010)
    moved, memory = 1_000 if after is not None else 750, (1,) * len(cpu)
    return MemberCost(len(cpu), Period(100.0, cpu, etcd, puts), failing, moved, 3.0, after, memory, handed_over)


def reached(run: MembersRun) -> list[bool]:
    return [goal.reached for goal in members_goals(run)]


def test_three_may_be_as_slow_as_one_alone_and_a_tenth_by_medians() -> None:
    alone = tuple(Moved(1, after) for after in (1.0, 2.0, 9.0))
    assert reached(installed((*alone, Moved(3, 2.19)))) == [True]
    assert reached(installed((*alone, Moved(3, 2.21)))) == [False]
    assert reached(installed(alone)) == []


def test_a_leader_that_is_silent_has_its_lease_and_one_that_speaks_a_second() -> None:
    def fates(lease: int, after: float) -> list[bool]:
        each = (Fate.TOLD, Fate.RESIGNED, Fate.KILLED, Fate.FROZEN)
        return reached(installed(taken=tuple(Takeover(fate, lease, after) for fate in each)))

    assert fates(5, 0.9) == [True] * 4
    assert fates(5, 6.9) == [False, False, True, True]
    assert fates(20, 22.1) == [False] * 4


def test_the_slowest_takeover_is_the_one_that_counts() -> None:
    found = installed(taken=(Takeover(Fate.TOLD, 5, 0.1), Takeover(Fate.TOLD, 5, 1.1)))
    assert reached(found) == [False]


def test_a_region_that_is_killed_with_the_leader_may_take_the_lease_and_to_be_seen() -> None:
    assert reached(installed(taken=(Takeover(Fate.WITH_REGION, 5, 5.5, 9.9),))) == [True]
    assert reached(installed(taken=(Takeover(Fate.WITH_REGION, 5, 5.5, 10.1),))) == [False]


def test_the_dearest_of_three_is_beside_the_one_alone() -> None:
    alone = weighed((10.0,), 0)
    assert reached(installed(costs=(alone, weighed((14.0, 11.0, 14.9), 200, 0.4, 12.0)))) == [True] * 4
    assert reached(installed(costs=(alone, weighed((14.0, 11.0, 15.1), 201, 1.1, 12.1)))) == [False] * 4


def test_records_that_did_not_move_in_time_are_a_goal_missed_and_what_else_was_measured_is_told() -> None:
    run = installed(costs=(weighed((10.0,), 0), weighed((10.0, 9.0, 8.0), 150, 0.4, None)))
    assert reached(run) == [True, True, False, True]
    text = tables(run)
    assert "| 3 | 3.0 | not within 300 s (750 did) | 5,000 |" in text
    assert "| 10,000 endpoints, a region fails: all answers changed within 300 s | " in text
    assert "1,000 of 1,000 with 1, 750 of 1,000 with 3 | **missed** |" in text


def test_what_was_not_measured_of_members_has_no_table() -> None:
    assert "writes" not in tables(installed((Moved(1, 1.0), Moved(3, 1.0))))
    text = tables(installed(costs=(weighed((10.0,), 0), weighed((10.0, 9.0, 8.0), 150, 0.4))))
    assert "| 3 | nothing happens | 100 | 0 | 10.0% | 9.0%, 8.0% | 1.0%, 1.0%, 1.0% | 1.5 | 0 | 0.0 |" in text
    assert "| 3 | 3.0 | 6.0 | 5,000 | 5.0 | 27.0 | 3.0 | 0, 0, 0 | 0.40 |" in text
    assert "another one leads after" not in text


# -- how a benchmark ends ----------------------------------------------------------------------------------------------

HELD = """
import subprocess, sys
sys.path.append("tests")
from argparse import Namespace
from bench import sessions

def measure():
    process = subprocess.Popen(["sleep", "300"])
    try:
        print(process.pid, flush=True)
        process.wait()
    finally:
        process.kill()
        process.wait()

sessions.bring_loopback_up = sessions.allow_many_files = lambda: None
sessions.hold("bench/x.py", Namespace(output="text", write=None), measure, within=float(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("within", "by", "words"), [(0.5, None, "did not end within"), (0, "SIGTERM", "stopped"), (0, "SIGINT", "stopped")]
)
def test_a_benchmark_that_is_stopped_or_takes_too_long_ends_what_it_started(
    within: float, by: str | None, words: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HELD, str(within)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as session:
        assert session.stdout is not None
        started = int(session.stdout.readline())
        if by is not None:
            session.send_signal(signal.Signals[by])
        _, said = session.communicate(timeout=60)
    assert session.returncode == 1
    assert words in said
    assert not Path(f"/proc/{started}").exists()
