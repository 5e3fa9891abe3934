"""What a server said against what a plan wrote."""

from dataclasses import replace

import pytest
from support.scenes import PAIR, plan_between, records

from failoverd.core.control.plan import Plan
from failoverd.core.control.propagation import (
    MARKED_DRAWS,
    UNMARKED_DRAWS,
    Agreement,
    Hearing,
    Nameserver,
    Nameservers,
    Propagation,
    Statement,
    judge,
    question,
)
from failoverd.core.records import Marker

HERE = Nameserver("127.0.0.1", 5300, "ns1.example.com")
DRAWN = Nameservers((HERE,))
WHOLE = Nameservers((HERE,), whole=True)
TAGGED = Nameservers((HERE,), marked=False)

BOTH: Plan = replace(
    plan_between(PAIR, {"oci": 100}, {"azure": 70, "oci": 30}), after=records({"192.0.2.1": 70, "192.0.2.2": 30})
)
OURS = BOTH.marker
OLDER, NEWER = (replace(OURS, generation=OURS.generation + step) for step in (-1, 1))
OUTRANKING = replace(OURS, epoch=OURS.epoch + 1)


def said(*answers: str, marker: Marker | None = OURS, trouble: str = "") -> Statement:
    """Each text is one answer: values separated by blanks."""
    return Statement(HERE, Hearing.ANSWERED, tuple(frozenset(text.split()) for text in answers), marker, trouble)


@pytest.mark.parametrize(
    ("who", "statement", "agreement"),
    [
        pytest.param(DRAWN, said("192.0.2.1", "192.0.2.2"), Agreement.AGREES, id="draws of the new answer"),
        pytest.param(DRAWN, said("192.0.2.1", "192.0.2.1"), Agreement.AGREES, id="not every value was drawn"),
        pytest.param(DRAWN, said("192.0.2.1", "192.0.2.9"), Agreement.DISAGREES, id="an old value was drawn"),
        pytest.param(DRAWN, said("192.0.2.1", ""), Agreement.DISAGREES, id="once, nothing was answered"),
        pytest.param(DRAWN, said("192.0.2.1", marker=OLDER), Agreement.DISAGREES, id="the old marker"),
        pytest.param(DRAWN, said("192.0.2.1", marker=None), Agreement.DISAGREES, id="no marker"),
        pytest.param(DRAWN, said("192.0.2.1", marker=NEWER), Agreement.AGREES, id="a newer marker, our answers"),
        pytest.param(DRAWN, said("192.0.2.9", marker=NEWER), Agreement.OVERTAKEN, id="a newer marker, other answers"),
        pytest.param(DRAWN, said("192.0.2.9", marker=OUTRANKING), Agreement.OVERTAKEN, id="a newer leader's marker"),
        pytest.param(
            DRAWN,
            said("192.0.2.1", marker=replace(OURS, owner="rival")),
            Agreement.DISAGREES,
            id="the same generation of somebody else",
        ),
        pytest.param(WHOLE, said("192.0.2.1 192.0.2.2"), Agreement.AGREES, id="the whole record"),
        pytest.param(WHOLE, said("192.0.2.1"), Agreement.DISAGREES, id="a part of the record"),
        pytest.param(WHOLE, said("192.0.2.1 192.0.2.2 192.0.2.9"), Agreement.DISAGREES, id="one value too many"),
        pytest.param(TAGGED, said("192.0.2.1", marker=None), Agreement.AGREES, id="the marker is no DNS record"),
        pytest.param(TAGGED, said("192.0.2.9", marker=None), Agreement.DISAGREES, id="the same, an old value"),
        pytest.param(DRAWN, said(trouble="REFUSED", marker=None), Agreement.DISAGREES, id="it refuses"),
        pytest.param(DRAWN, Statement(HERE, Hearing.SILENT), Agreement.SILENT, id="it is silent"),
        pytest.param(DRAWN, Statement(HERE, Hearing.UNREACHABLE), Agreement.UNASKED, id="there is no way to it"),
    ],
)
def test_a_server_agrees_or_not(who: Nameservers, statement: Statement, agreement: Agreement) -> None:
    assert judge(statement, BOTH, who) is agreement


def test_a_name_that_is_given_back_has_no_marker_any_more() -> None:
    plan = replace(BOTH, marker=replace(OURS, types=()))
    assert judge(said("192.0.2.1", marker=None), plan, DRAWN) is Agreement.AGREES
    assert judge(said("192.0.2.1", marker=OLDER), plan, DRAWN) is Agreement.DISAGREES


def test_an_alias_may_answer_with_any_address_of_its_load_balancer() -> None:
    plan = replace(BOTH, after=records({"Z35SXDOTRQ7X7K/lb-1.us-east-1.elb.amazonaws.com": 1}))
    assert judge(said("192.0.2.77 192.0.2.78"), plan, DRAWN) is Agreement.AGREES
    assert judge(said(""), plan, DRAWN) is Agreement.DISAGREES
    assert judge(said("192.0.2.77", marker=OLDER), plan, DRAWN) is Agreement.DISAGREES


def test_a_value_of_weight_zero_is_not_an_answer() -> None:
    plan = replace(BOTH, after=records({"192.0.2.1": 1, "192.0.2.2": 0}))
    assert judge(said("192.0.2.1"), plan, WHOLE) is Agreement.AGREES
    assert judge(said("192.0.2.2"), plan, DRAWN) is Agreement.DISAGREES


@pytest.mark.parametrize(("who", "times"), [(DRAWN, MARKED_DRAWS), (TAGGED, UNMARKED_DRAWS), (WHOLE, 1)])
def test_a_server_that_draws_is_asked_several_times(who: Nameservers, times: int) -> None:
    asked = question(BOTH, who)
    assert (asked.key, asked.times, asked.marked) == (BOTH.target.key, times, who.marked)


def test_what_a_server_says_is_told_in_words() -> None:
    assert str(said("192.0.2.2", "192.0.2.1")) == f"192.0.2.1, 192.0.2.2, generation {OURS.generation}"
    assert str(said("", marker=None)) == "no answer"
    assert str(said(trouble="REFUSED")) == "REFUSED"
    many = " ".join(f"192.0.2.{number}" for number in range(10, 22))
    assert str(said(many, marker=None)).endswith(", 192.0.2.17 and 4 more")


def test_nothing_is_proved_by_nobody() -> None:
    assert not Propagation().proved
    unasked = Propagation().after([(Statement(HERE, Hearing.UNREACHABLE), Agreement.UNASKED)])
    assert not unasked.proved
    assert unasked.unasked == (HERE,)
    agreed = unasked.after([(said("192.0.2.1"), Agreement.AGREES)])
    assert agreed.proved
