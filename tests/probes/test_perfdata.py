from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failoverd.probes.exec_check.perfdata import MOST_MEASURES, measures, split


@pytest.mark.parametrize(
    ("output", "words", "data"),
    [
        ("", "", []),
        ("OK - all is well", "OK - all is well", []),
        ("OK | time=12ms", "OK", ["time=12ms"]),
        ("OK | a=1\nlong text\nmore | b=2\nc=3", "OK", ["a=1", "b=2", "c=3"]),
        ("OK\nlong text", "OK", []),
        ("| a=1", "", ["a=1"]),
    ],
)
def test_an_output_is_words_and_data(output: str, words: str, data: list[str]) -> None:
    found = split(output)
    assert (found[0], found[1].split()) == (words, data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("time=12ms;100;500;0", [("time_seconds", 0.012)]),
        ("time=0.5s a=3us", [("time_seconds", 0.5), ("a_seconds", 3e-6)]),
        ("load1=0.20;5.0;10.0;0;", [("load1", 0.2)]),
        ("rta=1,5ms", [("rta_seconds", 0.0015)]),
        ("'disk used'=42%;80;90", [("disk_used_percent", 42.0)]),
        ("/=2643MB;5948;5958;0;5968", [("value_mb", 2643.0)]),
        ("'it''s'=1 size=5B in=7c", [("it_s", 1.0), ("size_bytes", 5.0), ("in_total", 7.0)]),
        ("'a=b'=-1e3", [("a_b", -1000.0)]),
        ("5min=1", [("_5min", 1.0)]),
        ("unknown=U;1;2 good=1", [("good", 1.0)]),
        ("a=1 a=2", [("a", 1.0)]),
        ("a=1garbage1 b=2", [("b", 2.0)]),
        ("'open=1 b=2", [("b", 2.0)]),
        ("a= =1 b c=3", [("c", 3.0)]),
        ("a=1e999", []),
        ("", []),
    ],
)
def test_measures_have_names_with_units(data: str, expected: list[tuple[str, float]]) -> None:
    assert dict(measures(data)) == pytest.approx(dict(expected))


def test_there_is_a_bound_to_measures() -> None:
    assert len(measures(" ".join(f"m{index}=1" for index in range(100)))) == MOST_MEASURES


@given(st.text(alphabet=st.sampled_from("'=|; .,1e-5Uab%\n\té\x00²٣")) | st.text())
def test_whatever_a_plugin_prints_is_read_without_harm(output: str) -> None:
    words, data = split(output)
    assert "\n" not in words
    for name, value in measures(data):
        assert name.isascii()
        assert name.isidentifier()
        assert len(name) <= 64
        assert abs(value) < float("inf")


@pytest.mark.parametrize("pattern", ["'", "''", "' ", "'' '", "'a=", "a", "1=", "a=1;", "a=" + "1" * 30, "'x ''"])
def test_no_output_takes_long(pattern: str) -> None:
    began = process_time()
    measures(pattern * 32_768)
    assert process_time() - began < 1.0
