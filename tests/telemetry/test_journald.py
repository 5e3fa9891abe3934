"""Entries for journald: what is sent, where it goes while nobody takes it, and a real journald that reads it."""

import errno
import io
import json
import os
import re
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.journals import assert_it_says_why, closed, incident
from support.real_journald import told_to_journald

from failoverd.core.events import ConfigRejected, Event, Level, OverrideGiven, PlanHeld, PolicyRemoved
from failoverd.core.reasons import Cause
from failoverd.telemetry import journald
from failoverd.telemetry.journald import entry, field_name, message_id
from failoverd.telemetry.logs import LogFormat, Logs, configure_logs

AT = 1_793_848_327.345  # 2026-11-05T03:12:07.345Z

GIVEN = OverrideGiven(
    at=AT, override="drain-1", verb="drain", about="west", actor="alice", reason="work", until=AT + 60,
    policies=("shop", "api"),
)  # fmt: skip

Fields = list[tuple[str, str]]


def fields_of(data: bytes) -> Fields:
    """An entry as journald reads it (systemd.io/JOURNAL_NATIVE_PROTOCOL)."""
    found: Fields = []
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + length], rest[8 + length :]
            assert rest[:1] == b"\n"
            rest = rest[1:]
        found.append((name.decode("ascii"), value.decode("utf-8")))
        data = rest
    return found


class Listener:
    """The socket of journald, and who reads it now and then."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.bind()

    def bind(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._place))
        self._socket.settimeout(5)

    def hears(self) -> Fields:
        return fields_of(self._socket.recv(1 << 20))

    def hears_event(self) -> str:
        return dict(self.hears())["FAILOVERD_EVENT"]

    def is_flooded(self) -> int:
        """Fill its queue; how many datagrams that took."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            for count in range(100_000):
                try:
                    sender.sendto(b"X=1\n", str(self._place))
                except BlockingIOError:
                    return count
        raise AssertionError("its queue has no end")

    def is_drained(self, count: int) -> None:
        for _ in range(count):
            self._socket.recv(100)

    def close(self) -> None:
        self._socket.close()
        self._place.unlink(missing_ok=True)


class Stderr(io.StringIO):
    """Says when it has a line."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = threading.Semaphore(0)

    def write(self, text: str) -> int:
        written = super().write(text)
        self._lines.release()
        return written

    def has(self, lines: int) -> list[dict[str, Any]]:
        """All that was written, once so many more lines were."""
        for _ in range(lines):
            assert self._lines.acquire(timeout=5)
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "socket"


@pytest.fixture
def listener(place: Path) -> Iterator[Listener]:
    made = Listener(place)
    yield made
    made.close()


@contextmanager
def logs(place: Path, stream: io.TextIOBase | None = None, level: Level = Level.INFO) -> Iterator[Logs]:
    opened = configure_logs(LogFormat.JOURNAL, level, stream or io.StringIO(), str(place))  # type: ignore[arg-type]
    try:
        yield opened
    finally:
        opened.close()


def heard(listener: Listener, place: Path, *events: Event) -> list[Fields]:
    with logs(place) as opened:
        for event in events:
            opened.render(event)
        return [listener.hears() for _ in events]


# -- an entry ----------------------------------------------------------------------------------------------------------


def test_an_entry_is_the_sentence_its_priority_and_the_facts_each_in_a_field(listener: Listener, place: Path) -> None:
    (fields,) = heard(listener, place, closed(AT))
    assert fields == [
        ("MESSAGE", "incident inc-1 closed after 300s and 2 changes"),
        ("PRIORITY", "6"),
        ("SYSLOG_IDENTIFIER", "failoverd"),
        ("SYSLOG_FACILITY", "3"),
        ("MESSAGE_ID", message_id("incident.closed")),
        ("FAILOVERD_AT", "2026-11-05T03:12:07.345Z"),
        ("FAILOVERD_LEVEL", "info"),
        ("FAILOVERD_EVENT", "incident.closed"),
        ("FAILOVERD_POLICY", "inference-api"),
        ("FAILOVERD_INCIDENT_ID", "inc-1"),
        ("FAILOVERD_LASTED", "300.0"),
        ("FAILOVERD_CHANGES", "2"),
    ]


def test_priorities_are_those_of_syslog(listener: Listener, place: Path) -> None:
    told = heard(listener, place, *incident(AT))
    assert [dict(fields)["PRIORITY"] for fields in told] == ["6", "4", "3", "4", "6", "6", "6"]


def test_a_fact_of_several_values_has_a_field_for_each_unless_their_order_matters(
    listener: Listener, place: Path
) -> None:
    *_, change, _ = heard(listener, place, *incident(AT))
    assert [value for name, value in change if name == "FAILOVERD_REASONS"] == [
        "azure-eastus is down (score 0%)\noci-ashburn gets 100%"
    ]
    assert [value for name, value in change if name == "FAILOVERD_SHARES_FROM"] == [
        "azure-eastus=7000",
        "oci-ashburn=3000",
    ]
    (given,) = heard(listener, place, GIVEN)
    assert [value for name, value in given if name == "FAILOVERD_POLICIES"] == ["shop", "api"]


def test_a_command_keeps_its_lines_and_what_a_terminal_would_obey_is_escaped(listener: Listener, place: Path) -> None:
    manual = "# for 30 minutes\nnsupdate -v <<'END'\nupdate add x 5 A 192.0.2.1\nEND"
    held = PlanHeld(
        at=AT, policy="a\x1b[2Jb", record="r", provider="p", zone="z", wanted={}, cause=Cause.TUNING, limits=(),
        rule_at="p.yaml:9", manual=manual,
    )  # fmt: skip
    (fields,) = heard(listener, place, held)
    assert dict(fields)["FAILOVERD_MANUAL"] == manual
    assert dict(fields)["FAILOVERD_POLICY"] == r"a\x1b[2Jb"
    assert "\n" not in dict(fields)["MESSAGE"]
    strange = replace(held, manual="echo '\x1b[2J'")
    ((*_, said),) = heard(listener, place, strange)
    assert said == ("FAILOVERD_MANUAL", r"eval $'echo \'\x1b[2J\''")


def test_a_message_shows_a_name_in_its_own_letters_and_a_field_what_dns_holds(listener: Listener, place: Path) -> None:
    (fields,) = heard(listener, place, PolicyRemoved(at=AT, policy="xn--bcher-kva.example"))
    assert "bücher.example (xn--bcher-kva.example)" in dict(fields)["MESSAGE"]
    assert dict(fields)["FAILOVERD_POLICY"] == "xn--bcher-kva.example"


@given(st.text(st.characters(), max_size=50))
def test_whatever_a_value_holds_the_other_fields_are_what_they_are(text: str) -> None:
    wanted = [("MESSAGE", text), ("PRIORITY", "4"), ("FAILOVERD_A", text + "\n" + text)]
    escaped = [(name, value.encode("utf-8", "backslashreplace").decode()) for name, value in wanted]
    assert fields_of(entry(wanted)) == escaped


@given(st.text(max_size=100))
def test_the_name_of_a_field_is_one_that_journald_takes(fact: str) -> None:
    assert re.fullmatch(r"FAILOVERD_[A-Z0-9_]{0,54}", field_name(fact))


def test_a_flood_fits_into_a_datagram(listener: Listener, place: Path) -> None:
    flood = tuple(f"{number}: " + "東" * 100_000 for number in range(1_000))
    (fields,) = heard(listener, place, ConfigRejected(at=AT, file="p.yaml", errors=flood))
    errors = dict(fields)["FAILOVERD_ERRORS"].splitlines()
    assert "more characters" in errors[0]
    assert re.fullmatch(r"\.\.\. \d+ more", errors[-1])


def test_ids_of_messages_stay_as_they_were_released() -> None:
    assert message_id("change.applied") == "318e066f2f90576286650a220cbbbd98"


# -- when journald does not listen -------------------------------------------------------------------------------------


def test_while_its_socket_is_gone_lines_go_to_standard_error_and_it_is_told_when_it_is_back(
    listener: Listener, place: Path
) -> None:
    stream = Stderr()
    with logs(place, stream) as opened:
        opened.render(closed(AT))
        assert listener.hears_event() == "incident.closed"
        listener.close()
        for event in incident(AT)[:2]:
            opened.render(event)
        assert [line["event"] for line in stream.has(2)] == ["policy.loaded", "endpoint.failed"]

        listener.bind()
        for number in range(2):
            opened.render(closed(AT + number))
        assert listener.hears_event() == "incident.closed"
        told = dict(listener.hears())
        assert told["MESSAGE"] == (
            "2 log lines went to standard error: journald did not take them (No such file or directory)"
        )
        assert (told["FAILOVERD_EVENT"], told["FAILOVERD_LINES"], told["PRIORITY"]) == ("log.diverted", "2", "4")
        assert listener.hears_event() == "incident.closed"
    assert len(stream.getvalue().splitlines()) == 2


def test_a_socket_that_nobody_has_open_any_more_is_one_that_is_gone(listener: Listener, place: Path) -> None:
    stream = Stderr()
    listener._socket.close()
    with logs(place, stream) as opened:
        opened.render(closed(AT))
        assert [line["event"] for line in stream.has(1)] == ["incident.closed"]


def test_a_journald_that_is_busy_is_waited_for_once_and_later_lines_go_to_standard_error_at_once(
    listener: Listener, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journald, "_PATIENCE", struct.pack("ll", 0, 10_000))
    stream = Stderr()
    count = listener.is_flooded()
    with logs(place, stream) as opened:
        for event in incident(AT):
            opened.render(event)
        assert len(stream.has(7)) == 7
        listener.is_drained(count)
        opened.render(closed(AT))
        assert [listener.hears_event() for _ in range(2)] == ["incident.closed", "log.diverted"]


def test_what_neither_journald_nor_standard_error_took_is_told_as_lost(listener: Listener, place: Path) -> None:
    class Unwritable(Stderr):
        def write(self, text: str) -> int:
            super().write(text)
            raise OSError(errno.ENOSPC, text)

    stream = Unwritable()
    listener.close()
    with logs(place, stream) as opened:
        opened.render(closed(AT))
        stream.has(1)
        listener.bind()
        opened.render(closed(AT))
        assert [listener.hears_event() for _ in range(2)] == ["incident.closed", "log.lost"]


def test_it_is_journald_that_is_told_where_standard_error_is_its_stream(
    listener: Listener, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "log").open("w") as stream:
        found = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        for form in (LogFormat.AUTO, LogFormat.JOURNAL):
            opened = configure_logs(form, Level.INFO, stream, str(place))
            opened.render(closed(AT))
            assert opened.close()
            assert listener.hears_event() == "incident.closed"
        listener.close()
        opened = configure_logs(LogFormat.AUTO, Level.INFO, stream, str(place))
        opened.render(closed(AT))
        assert opened.close()
    assert (tmp_path / "log").read_text().startswith('<6>{"at": "2026-11-05T03:12:07.345Z"')


# -- a real journald ---------------------------------------------------------------------------------------------------


def test_a_real_journald_finds_events_by_their_fields_and_hears_what_was_lost_while_it_was_gone() -> None:
    """One journald for all of it: `support.real_journald` says what happens."""
    found = told_to_journald(AT)
    (applied,) = found["by_fields"]
    assert (applied["FAILOVERD_CHANGE_ID"], applied["PRIORITY"], applied["_TRANSPORT"]) == ("chg-1", "6", "journal")
    assert applied["MESSAGE"].startswith("api.example.com A at bind-main moved from azure-eastus 70%")
    assert applied["FAILOVERD_REASONS"] == "azure-eastus is down (score 0%)\noci-ashburn gets 100%"
    warnings = [each["FAILOVERD_EVENT"] for each in found["warnings"]]
    assert warnings == ["endpoint.failed", "region.failed", "incident.opened"]
    assert [each["FAILOVERD_LINES"] for each in found["lost"]] == ["1"]
    assert "Its score is below `down_below`." in found["explained"]
    assert "rule_at: policies/inference-api.yaml:24" in found["explained"]
    assert_the_manual_is_right(found["documented"])


def assert_the_manual_is_right(documented: Mapping[str, str]) -> None:
    """Its commands, in the order of the page, found what they are said to find."""
    moved, whole, warnings, why, instances = (text.splitlines() for text in documented.values())
    assert [line.partition("]: ")[2][:38] for line in moved] == ["api.example.com A at bind-main moved fr"[:38]]
    assert len(whole) == len(incident(AT)) - 1  # all but what was loaded before
    assert len(warnings) == 3
    assert_it_says_why(why)
    assert instances == ["2026-11-05T03:10:37.345Z 4ab7b819"]
