"""Policies with a key changed: the same text otherwise, read by the same loader."""

from pathlib import Path

import pytest
from support.manual import REAL_KINDS
from support.playing import POLICY
from support.simulated import scenario

from failoverd.config.diagnostics import Diagnostic
from failoverd.config.loader import load_paths
from failoverd.config.variants import KeyEdit, edited
from failoverd.core.errors import ConfigError
from failoverd.core.records import Policy

COMMENTED = POLICY.replace("failback: {after: 5m}", "failback: {after: 5m}   # or manual")


def changed(path: Path, *edits: str, policy: str = COMMENTED) -> tuple[Policy | None, tuple[Diagnostic, ...], str]:
    home = scenario(path, "for: 1h", policy=policy).parent
    before = load_paths([home], REAL_KINDS).policies
    texts = edited([KeyEdit.of(each) for each in edits], before, "shop")
    found = load_paths([home], REAL_KINDS, None, texts)
    assert load_paths([home], REAL_KINDS).policies["shop"].source == before["shop"].source, "no file was written"
    return found.policies.get("shop"), found.diagnostics, texts[home / "shop.yaml"].decode()


def test_one_key_is_changed_and_the_rest_stays_where_it_was(tmp_path: Path) -> None:
    policy, _, text = changed(tmp_path, "failback.after=10m")
    assert policy is not None
    assert policy.failback_after == 600
    (old,), (new,) = (
        [line for line in one.splitlines() if line not in other.splitlines()]
        for one, other in ((COMMENTED, text), (text, COMMENTED))
    )
    assert old.startswith("failback: {after: 5m}")
    assert new.startswith("failback: {after: 10m}")


BLOCK = COMMENTED.replace("failback: {after: 5m}", "failback:\n  after: 5m")


@pytest.mark.parametrize(
    ("policy", "edit", "old", "new"),
    [
        (BLOCK, "failback.after=10m", "  after: 5m   # or manual", "  after: 10m   # or manual"),
        (BLOCK, "failback.ramp=[10%, 100%]", "", '  ramp: ["10%", "100%"]'),
        (BLOCK, "failback=manual", "  after: 5m   # or manual", "  manual   # or manual"),
        (COMMENTED, "failback=manual", "failback: {after: 5m}   # or manual", "failback: manual   # or manual"),
        (COMMENTED, "failback.step=2m", "failback: {after: 5m}   # ", "failback: {after: 5m, step: 2m}   # "),
        (COMMENTED, "regions.oci-fra.share=20", "  oci-fra: {share: 30,", "  oci-fra: {share: 20,"),
        (COMMENTED, "records.0.providers.0=other", "providers: [dns]", "providers: [other]"),
        (COMMENTED, "limits.tuning.max_shift=20% per 5m", "", 'limits: {tuning: {max_shift: "20% per 5m"}}'),
        (COMMENTED.rstrip("\n"), "on_drift=report", "", "on_drift: report"),
    ],
)
def test_the_rest_of_a_file_stays_as_it_is(tmp_path: Path, policy: str, edit: str, old: str, new: str) -> None:
    _, _, text = changed(tmp_path, edit, policy=policy)
    if old:
        assert text == policy.replace(old, new)
    else:
        assert new in text.splitlines()
        assert text.replace(f"\n{new}", "", 1) == policy


def test_several_keys_are_changed_and_absent_ones_are_written(tmp_path: Path) -> None:
    policy, _, _ = changed(tmp_path, "records.0.ttl=60s", "limits.max_shift=20% per 5m", "shop:demand=400")
    assert policy is not None
    assert (policy.records[0].ttl, policy.demand) == (60, 400)
    assert policy.limits.tuning.max_shift == 2_000


def test_what_is_no_mapping_yet_becomes_one(tmp_path: Path) -> None:
    manual = POLICY.replace("failback: {after: 5m}", "failback: manual")
    policy, _, _ = changed(tmp_path, "failback.after=7m", policy=manual)
    assert policy is not None
    assert policy.failback_after == 420
    policy, _, _ = changed(tmp_path, "failback=manual")
    assert policy is not None
    assert policy.failback_after is None


def test_a_value_that_cannot_be_used_is_told_as_of_a_file(tmp_path: Path) -> None:
    policy, (found,), text = changed(tmp_path, "failback.after=10")
    assert policy is None
    assert (found.code.value, found.file) == ("FD204", str(tmp_path / "shop.yaml"))
    assert text.splitlines()[found.line - 1].startswith("failback: {after: 10}")
    policy, (found,), _ = changed(tmp_path, "failback.aftr=10m")
    assert (policy, found.code.value) == (None, "FD201")
    assert found.hint == 'did you mean "after"?'


@pytest.mark.parametrize(
    ("text", "reason", "remedy"),
    [
        ("failback.after", "edit_unreadable", "KEY=VALUE"),
        ("=10m", "edit_unreadable", "KEY=VALUE"),
        ("failback..after=10m", "edit_unreadable", "KEY=VALUE"),
        ("failback.after=", "edit_unreadable", "no value|without a value"),
        ("failback={", "edit_unreadable", "KEY=VALUE"),
        ("failback={after: }", "edit_unreadable", "KEY=VALUE"),
        ("shpo:failback.after=10m", "policy_unknown", "shop"),
        ("records.7.ttl=60s", "edit_unreadable", "the first is 0"),
        ("records.².ttl=60s", "edit_unreadable", "the first is 0"),
        ("failback.after=10m\nowner: x", "edit_unreadable", "KEY=VALUE"),
        ("failback.after=10m\n---", "edit_unreadable", "KEY=VALUE"),
        (f"{'a.' * 400}b=1", "edit_unreadable", "KEY=VALUE"),
    ],
)
def test_an_edit_that_cannot_be_made_says_why(tmp_path: Path, text: str, reason: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as told:
        changed(tmp_path, text)
    assert told.value.reason == reason
    assert any(each in told.value.remedy for each in remedy.split("|"))


def test_an_edit_of_nobody_says_how_to_say_whose_it_is(tmp_path: Path) -> None:
    found = load_paths([scenario(tmp_path, "for: 1h").parent], REAL_KINDS).policies
    with pytest.raises(ConfigError) as told:
        edited([KeyEdit.of("demand=3")], found, "")
    assert told.value.remedy == "say whose: POLICY:demand=3"
