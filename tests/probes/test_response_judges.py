"""What an answer means to a check."""

import pytest

from failoverd.core.probe_reasons import ProbeReason
from failoverd.probes.findings import Finding
from failoverd.probes.http1.status_rules import StatusRules
from failoverd.probes.http_check.response_judges import Collector, StatusJudge, TextJudge

PASSING = frozenset({200, 204})


def test_a_good_status_is_one_finding_for_all_probes() -> None:
    statuses = StatusRules(PASSING)
    first = StatusJudge(statuses).head(200, "OK", {})
    assert StatusJudge(statuses).head(200, "OK", {}) is first
    assert first == Finding(ProbeReason.OK, "200 OK")


def test_a_server_with_new_words_each_time_fills_no_memory() -> None:
    statuses = StatusRules(PASSING)
    for number in range(1_000):
        assert statuses.fine(200, f"OK {number}").detail == f"200 OK {number}"
    assert len(statuses._fine) == 32


@pytest.mark.parametrize(
    ("status", "secret", "reason"),
    [
        (429, False, ProbeReason.OVERLOADED),
        (429, True, ProbeReason.OVERLOADED),
        (401, False, ProbeReason.STATUS_UNEXPECTED),
        (401, True, ProbeReason.CREDENTIAL_REFUSED),
        (403, True, ProbeReason.CREDENTIAL_REFUSED),
        (404, True, ProbeReason.STATUS_UNEXPECTED),
        (500, False, ProbeReason.STATUS_UNEXPECTED),
    ],
)
def test_a_status_that_does_not_pass_means_what_it_says(status: int, secret: bool, reason: ProbeReason) -> None:
    statuses = StatusRules(PASSING, secret=secret)
    for judge in (StatusJudge(statuses), TextJudge(statuses, b"x"), Collector(statuses, whole=True, follow=True)):
        found = judge.head(status, "Words", {})
        assert found is not None
        assert found.reason is reason


def test_a_redirect_is_noted_only_by_who_follows_it() -> None:
    follows = Collector(StatusRules(PASSING), whole=False, follow=True)
    stays = Collector(StatusRules(PASSING), whole=False, follow=False)
    headers = {"location": "/end"}
    assert follows.head(302, "Found", headers) == Finding(ProbeReason.OK, "302 Found")
    assert (follows.location, follows.status, follows.is_complete) == ("/end", 302, False)
    found = stays.head(302, "Found", headers)
    assert found == Finding(ProbeReason.STATUS_UNEXPECTED, "302 Found to '/end', where it is not followed")
    assert stays.location is None


def test_a_body_is_collected_only_when_it_is_wanted() -> None:
    whole = Collector(StatusRules(PASSING), whole=True, follow=False)
    assert whole.head(200, "OK", {}) is None
    whole.body(b"a")
    whole.body(b"b")
    whole.cut()
    assert whole.end() == Finding(ProbeReason.OK, "200 OK")
    assert (whole.content, whole.is_cut, whole.is_complete) == (b"ab", True, True)
    assert Collector(StatusRules(PASSING), whole=False, follow=False).head(204, "", {}) == Finding(
        ProbeReason.OK, "204"
    )
