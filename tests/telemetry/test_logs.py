import fcntl
import io
import json
import logging
import os
import pty
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import jsonpath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.journals import assert_it_says_why, closed, incident

from failoverd.core.events import ConfigRejected, Event, Level, PlanHeld, PolicyRemoved, TaskCrashed
from failoverd.core.reasons import Cause, Limit, LimitCheck
from failoverd.telemetry import lines as telemetry_lines
from failoverd.telemetry.lines import Descriptor, LineWriter
from failoverd.telemetry.logs import LogFormat, Logs, configure_logs

DOC = Path(__file__).parents[2] / "docs" / "logs.md"

AT = 1_793_848_327.345  # 2026-11-05T03:12:07.345Z


@contextmanager
def logs(stream: io.TextIOBase, form: LogFormat = LogFormat.AUTO, level: Level = Level.INFO) -> Iterator[Logs]:
    opened = configure_logs(form, level, stream)  # type: ignore[arg-type]  # every text stream of io is a TextIO
    try:
        yield opened
    finally:
        opened.close()


def lines(*told: Event, form: LogFormat = LogFormat.AUTO, level: Level = Level.INFO) -> list[str]:
    stream = io.StringIO()
    with logs(stream, form, level) as opened:
        for event in told:
            opened.render(event)
    return stream.getvalue().splitlines()


def parsed(*told: Event) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(*told)]


# -- JSON --------------------------------------------------------------------------------------------------------------


def test_a_line_is_the_time_the_level_the_name_the_sentence_and_the_facts_in_their_order() -> None:
    (line,) = parsed(closed(AT))
    assert list(line.items()) == [
        ("at", "2026-11-05T03:12:07.345Z"),
        ("level", "info"),
        ("event", "incident.closed"),
        ("message", "incident inc-1 closed after 300s and 2 changes"),
        ("policy", "inference-api"),
        ("incident_id", "inc-1"),
        ("lasted", 300.0),
        ("changes", 2),
    ]


def test_shares_stay_numbers_in_basis_points() -> None:
    applied = next(line for line in parsed(*incident(AT)) if line["event"] == "change.applied")
    assert applied["shares_from"] == {"azure-eastus": 7_000, "oci-ashburn": 3_000}
    assert applied["shares_to"] == {"oci-ashburn": 10_000}


def test_one_incident_can_be_told_from_its_id_alone() -> None:
    told = parsed(*incident(AT), closed(AT + 300), *incident(AT + 900, "inc-2", "chg-2"))
    story = [line["event"] for line in told if line.get("incident_id") == "inc-1"]
    assert story == [
        "endpoint.failed",
        "region.failed",
        "incident.opened",
        "decision.made",
        "change.applied",
        "change.verified",
        "incident.closed",
    ]


@given(st.text(max_size=50))
def test_whatever_a_value_holds_it_stays_one_line_of_json(text: str) -> None:
    (line,) = lines(PolicyRemoved(at=AT, policy=f"x{text}"))
    assert line.isascii()
    assert json.loads(line)["policy"] == f"x{text}"


def test_a_flood_is_cut_so_that_the_line_stays_whole() -> None:
    flood = tuple(f"{number}: " + "x" * 100_000 for number in range(1_000))
    (line,) = lines(ConfigRejected(at=AT, file="p.yaml", errors=flood))
    assert len(line) < 41_000
    errors = json.loads(line)["errors"]
    assert "more characters" in errors[0]
    assert re.fullmatch(r"\.\.\. \d+ more", errors[-1])


def held_with(manual: str) -> PlanHeld:
    return PlanHeld(
        at=AT, record="api.example.com A", provider="bind", zone="example.com", wanted={},
        cause=Cause.TUNING, limits=(LimitCheck(Limit.MAX_SHIFT, False, 10_000, 7_000, 300.0),),
        rule_at="p.yaml:9", manual=manual,
    )  # fmt: skip


def test_a_manual_command_of_ordinary_length_is_not_cut() -> None:
    manual = "nsupdate -k key <<'EOF'\n" + "update add api.example.com 30 A 192.0.2.10\n" * 50 + "EOF"
    assert parsed(held_with(manual))[0]["manual"] == manual


PASTED = r"""# failoverd keeps what this writes. For longer: failoverctl extend
cat > out <<'END'
it's "one" line \\ with $HOME, `ticks`, !bang and \n
and another
END
echo done >> out"""
"""With all that a shell would spoil, were it not quoted."""


def pasted(command: str, folder: Path) -> str:
    """What a person gets who pastes this into a shell."""
    subprocess.run(["bash", "-c", command], cwd=folder, check=True, capture_output=True, timeout=20)
    return (folder / "out").read_text()


def test_a_command_of_several_lines_can_be_pasted_from_json_and_from_a_line_on_a_terminal(tmp_path: Path) -> None:
    meant = pasted(PASTED, tmp_path)
    assert meant.splitlines()[1:] == ["and another", "done"]
    (line,) = parsed(held_with(PASTED))
    assert pasted(line["manual"], tmp_path) == meant
    (shown,) = lines(held_with(PASTED), form=LogFormat.TERMINAL)
    command = shown.partition("manual=")[2]
    assert command.startswith("eval $'# failoverd keeps")
    assert pasted(command, tmp_path) == meant


def test_a_command_of_one_line_stands_in_a_line_on_a_terminal_as_it_is() -> None:
    (shown,) = lines(held_with("aws route53 'x y'"), form=LogFormat.TERMINAL)
    assert shown.endswith("manual=aws route53 'x y'")


@pytest.mark.parametrize("form", [LogFormat.JSON, LogFormat.TERMINAL])
def test_half_a_command_is_never_shown(form: LogFormat) -> None:
    (line,) = lines(held_with("update add api.example.com\n" * 5_000), form=form)
    assert "update add" not in line
    assert "# too long to be shown here: failoverctl why and status -v print all 135000 characters" in line


def test_a_number_that_json_cannot_say_is_said_in_words() -> None:
    (line,) = lines(TaskCrashed(at=AT, task="t", error="e", restart_in=float("inf")))
    assert json.loads(line)["restart_in"] == "inf"


def test_lines_below_the_level_are_left_out() -> None:
    told = [json.loads(line)["level"] for line in lines(*incident(AT), level=Level.WARNING)]
    assert set(told) == {"warning", "error"}
    assert [json.loads(line)["event"] for line in lines(*incident(AT), level=Level.ERROR)] == ["region.failed"]


# -- never raises, never blocks ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wordless(Event):
    name: ClassVar[str] = "defect.found"


def test_an_event_with_a_defect_is_still_a_line() -> None:
    (line,) = parsed(_Wordless(at=AT))
    assert line["event"] == "defect.found"
    assert "no sentence" in line["message"]


class Reader:
    """Takes lines while it is well, and stalls until it is let go."""

    def __init__(self) -> None:
        self.took: list[str] = []
        self.well = True
        self.go = threading.Event()
        self.go.set()
        self.stalled = threading.Event()

    def take(self, line: str) -> None:
        if not self.go.is_set():
            self.stalled.set()
            self.go.wait(10)
        if not self.well:
            raise BrokenPipeError(line)
        self.took.append(line)


def in_words(lines: int) -> str:
    return f"{lines} lost"


def test_what_a_reader_does_not_take_is_counted_and_told_once_it_takes_something() -> None:
    reader = Reader()
    reader.well = False
    writer = LineWriter(reader, in_words)
    writer.write("one")
    writer.write("two")
    assert writer.close()
    assert (writer.lost, reader.took) == (2, [])

    reader.well = True
    writer = LineWriter(reader, in_words, capacity=1)
    writer._lost = 2
    writer.write("three")
    assert writer.close()
    assert (writer.lost, reader.took) == (0, ["three", "2 lost"])


def test_lines_that_were_lost_are_told_as_an_event_whatever_the_level() -> None:
    stream = io.StringIO()
    with logs(stream, level=Level.ERROR) as opened:
        opened._writer._lost = 3
    (said,) = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (said["event"], said["level"], said["lines"]) == ("log.lost", "warning", 3)
    assert said["message"] == "3 log lines were lost: their reader did not take them"


def test_a_reader_that_stalls_stalls_nobody_else_and_hears_in_the_end_how_many_lines_it_missed() -> None:
    reader = Reader()
    reader.go.clear()
    writer = LineWriter(reader, in_words, capacity=2)
    writer.write("first")
    assert reader.stalled.wait(5)
    for line in ("second", "third", "too many", "far too many"):
        writer.write(line)
    assert writer.lost == 2
    reader.go.set()
    assert writer.close()
    assert reader.took == ["first", "second", "third", "2 lost"]
    assert writer.lost == 0


def test_a_few_long_lines_take_no_more_memory_than_many_short_ones() -> None:
    reader = Reader()
    reader.go.clear()
    writer = LineWriter(reader, in_words, most=100)
    writer.write("first")
    assert reader.stalled.wait(5)
    for line in ("x" * 90, "y" * 90, "z"):
        writer.write(line)
    reader.go.set()
    writer.close()
    assert reader.took == ["first", "x" * 90, "z", "1 lost"]


def test_a_pipe_that_is_full_is_waited_for_by_the_thread_alone_whoever_made_it_not_block() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4_096)
    event = PolicyRemoved(at=AT, policy="x" * 3_000)
    with os.fdopen(writing, "w", encoding="ascii") as stream, logs(stream) as opened:
        for _ in range(10):
            opened.render(event)
        with os.fdopen(reading) as pipe:
            told = [json.loads(pipe.readline()) for _ in range(10)]
    assert {line["policy"] for line in told} == {"x" * 3_000}


def test_a_line_that_was_torn_does_not_spoil_the_next() -> None:
    reading, writing = os.pipe()
    pipe = Descriptor(writing, "ascii")
    pipe._torn = True
    pipe.take("whole")
    pipe.take("zwölf")
    os.close(writing)
    with os.fdopen(reading) as stream:
        assert stream.read() == "\nwhole\nzw\\xf6lf\n"


def test_a_log_that_nobody_reads_says_so_when_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry_lines, "_PATIENCE", 0.01)
    reader = Reader()
    reader.go.clear()
    writer = LineWriter(reader, in_words)
    writer.write("first")
    assert not writer.close()
    reader.go.set()


# -- libraries ---------------------------------------------------------------------------------------------------------


def test_of_what_libraries_log_the_name_and_the_place_are_told_from_warning_up_and_never_the_words() -> None:
    stream = io.StringIO()
    log = logging.getLogger("some.library")
    with logs(stream):
        log.info("nothing to see")
        log.warning("the server said %r", "a secret")
        log.error("a secret", exc_info=of_a_library("a secret"))
    log.warning("after closing")
    warned, failed = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (warned["event"], warned["level"], warned["logger"]) == ("library.logged", "warning", log.name)
    assert warned["message"].startswith("some.library has a complaint at test_logs.py:")
    assert failed["level"] == "error"
    assert failed["exception"].startswith("JSONPathSyntaxError at ")
    assert "secret" not in stream.getvalue()


def of_a_library(words: str) -> Exception:
    """What a library raises over words that it quotes."""
    with pytest.raises(jsonpath.JSONPathError, match=words) as caught:
        jsonpath.compile(f"$['{words}")
    return caught.value


@pytest.mark.parametrize("name", ["azure.identity._internal.decorators", "msal.oauth2cli", "oci.base_client.140",
                                  "botocore.hooks", "urllib3.connectionpool", "apscheduler.scheduler"])  # fmt: skip
def test_a_library_whose_failures_reach_us_as_errors_is_not_told_twice(name: str) -> None:
    stream = io.StringIO()
    with logs(stream):
        logging.getLogger(name).error("POST with client_secret=...", exc_info=LookupError("lost"))
    assert stream.getvalue() == ""


# -- terminal and journald ---------------------------------------------------------------------------------------------


@pytest.fixture
def central_europe() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "CET-1"
    time.tzset()
    yield
    del os.environ["TZ"]
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("central_europe")
def test_a_terminal_gets_readable_lines_in_local_time_with_shares_in_percent() -> None:
    told = lines(*incident(AT), form=LogFormat.TERMINAL)
    assert told[5].startswith(
        "2026-11-05 04:12:07.645  info     change.applied      api.example.com A at bind-main moved"
    )
    assert "shares_to=(oci-ashburn 100%)" in told[5]
    assert "undo=failoverctl undo chg-1" in told[5]
    assert "\x1b" not in "".join(told)


def test_a_terminal_shows_a_name_in_its_own_letters_and_json_keeps_what_dns_holds() -> None:
    event = PolicyRemoved(at=AT, policy="xn--bcher-kva.example")
    (line,) = lines(event, form=LogFormat.TERMINAL)
    assert "bücher.example (xn--bcher-kva.example)" in line
    (line,) = lines(event, form=LogFormat.JSON)
    assert "xn--bcher-kva.example" in line
    assert "cher.example (" not in line


def test_nothing_that_a_value_holds_reaches_the_terminal_as_a_command_or_as_a_second_line() -> None:
    (line,) = lines(PolicyRemoved(at=AT, policy="x\x1b[2J\r\n2026 error\x9b\u2028"), form=LogFormat.TERMINAL)
    assert r"x\x1b[2J\r\n2026 error\x9b\u2028" in line


def test_a_terminal_is_recognised_and_coloured() -> None:
    main, side = pty.openpty()
    with os.fdopen(side, "w") as stream, logs(stream) as opened:
        opened.render(closed(AT))
        opened.close()
        seen = os.read(main, 4096).decode()
    os.close(main)
    assert "incident.closed" in seen
    assert "\x1b[32m" in seen


def test_a_pipe_gets_json(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream, logs(stream) as opened:
        opened.render(closed(AT))
    assert json.loads((tmp_path / "log").read_text("utf-8"))["event"] == "incident.closed"


def test_json_under_journald_begins_each_line_with_its_priority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "log").open("w") as stream:
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        with logs(stream, LogFormat.JSON) as opened:
            for event in incident(AT):
                opened.render(event)
    told = (tmp_path / "log").read_text("utf-8").splitlines()
    assert [line[:3] for line in told] == ["<6>", "<4>", "<3>", "<4>", "<6>", "<6>", "<6>"]
    assert all(json.loads(line[3:]) for line in told)


def test_a_stream_that_does_not_go_to_journald_gets_no_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    assert lines(closed(AT))[0].startswith("{")


# -- the manual --------------------------------------------------------------------------------------------------------


def jq_lines() -> list[str]:
    return re.findall(r"^kubectl logs deploy/failoverd \| (jq .*)$", DOC.read_text("utf-8"), re.MULTILINE)


def answer(command: str, log: list[str]) -> list[str]:
    noise = ["Starting failoverd.service - failoverd...", "42", "Started failoverd.service."]
    done = subprocess.run(
        shlex.split(command), input="\n".join([*noise, *log]), capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.splitlines()


def test_the_documented_jq_line_says_why_traffic_moved_at_03_12() -> None:
    log = lines(*incident(AT - 3_600, "inc-0", "chg-0"), *incident(AT), closed(AT + 300))
    why = answer(jq_lines()[0], log)
    assert_it_says_why(why)


def test_the_documented_jq_line_tells_an_incident() -> None:
    log = lines(*incident(AT), *incident(AT + 900, "inc-2", "chg-2"))
    told = answer(jq_lines()[1].replace("INCIDENT", "inc-2"), log)
    assert [line.split()[1] for line in told] == [
        "endpoint.failed",
        "region.failed",
        "incident.opened",
        "decision.made",
        "change.applied",
        "change.verified",
    ]
