import os
from dataclasses import replace
from pathlib import Path

import pytest
from support.files import CONFIG, INVENTORY, KINDS, POLICY, Folder, policy, told

from failoverd.config.diagnostics import Code
from failoverd.config.documents import Document
from failoverd.config.drafts import draft_of
from failoverd.config.loader import load_config, load_policies
from failoverd.core.events import Level
from failoverd.core.records import (
    Check,
    Endpoint,
    Limits,
    Ration,
    RecordKey,
    RecordSpec,
    RecordType,
    RegionSpec,
    Target,
)
from failoverd.probes import kinds
from failoverd.runtime.probing import Pace
from failoverd.telemetry.logs import LogFormat

BROKEN = POLICY + "helth: {}\n"

# -- the daemon's configuration ----------------------------------------------------------------------------------------


def config_with(folder: Folder, text: str) -> list[tuple[str, str]]:
    (folder.root / "failoverd.yaml").write_text(text)
    loaded = load_config(folder.root / "failoverd.yaml", KINDS)
    assert (loaded.config is None) == bool(loaded.diagnostics)
    return told(list(loaded.diagnostics))


def test_paths_are_relative_to_the_file(folder: Folder) -> None:
    config = folder.config
    assert config.policies == folder.root / "policies"
    assert config.inventory == folder.root / "policies" / "regions.yaml"
    assert config.journal == folder.root / "journal.db"


def test_an_absolute_path_stays_as_it_is(folder: Folder) -> None:
    assert config_with(folder, CONFIG.replace("journal.db", "/var/lib/journal.db")) == []
    assert folder.config.journal == Path("/var/lib/journal.db")


@pytest.mark.parametrize(
    ("allowed", "file", "sound"),
    [
        (None, "/etc/failoverd/check-files/token", True),
        (None, "/etc/failoverd/secrets/tsig.key", False),
        (None, "/etc/failoverd/check-files/../secrets/tsig.key", False),
        ("[tokens]", "{root}/tokens/one", True),
        ("[tokens]", "{root}/tokens-of-others/one", False),
        ("[/run/credentials/x/llm.key]", "/run/credentials/x/llm.key", True),
        ("[/run/credentials/x/llm.key]", "/run/credentials/x/tsig.key", False),
        ("[]", "/etc/failoverd/check-files/token", False),
    ],
)
@pytest.mark.parametrize(
    "check",
    [
        "http: /, authorization_file: {file}",
        "http: /, headers_file: {file}",
        "inference: /v1, model: m, api_key_file: {file}",
    ],
)
def test_a_policy_sends_no_file_that_the_daemons_settings_do_not_allow(
    folder: Folder, allowed: str | None, file: str, check: str, *, sound: bool
) -> None:
    said = f"{CONFIG}check_files: {allowed}\n" if allowed is not None else CONFIG
    (folder.root / "failoverd.yaml").write_text(said)
    live = check.format(file=file.format(root=folder.root))
    folder.write("api.yaml", POLICY.replace("live: {look: /health}", f"live: {{{live}}}"))
    found = load_policies(folder.config, replace(KINDS, probes=kinds()), running={})
    assert bool(found.policies) is sound, found.diagnostics
    if not sound:
        (wrong,) = (str(each) for each in found.diagnostics if each.is_error)
        assert "name its folder in check_files" in wrong


@pytest.mark.parametrize(("key", "said"), [("3:11", "policies: policies"), ("4:10", "journal: journal.db")])
@pytest.mark.parametrize("home", ["~", "~failoverd"])
def test_a_home_is_no_place_that_the_daemon_and_failoverctl_agree_on(
    folder: Folder, home: str, key: str, said: str
) -> None:
    moved = said.replace(": ", f": {home}/")
    assert config_with(folder, CONFIG.replace(said, moved)) == [(key, "FD204")]


def test_what_is_not_said_has_its_default(folder: Folder) -> None:
    config = folder.config
    assert (config.tick, config.retention, config.log.format, config.log.level) == (30.0, 7_776_000.0, "auto", "info")


def test_probing_has_its_pace_and_metrics_are_off_until_somebody_asks(folder: Folder) -> None:
    config = folder.config
    pace = Pace()
    said = (config.probing.slot, config.probing.jitter, config.probing.max_in_flight, config.probing.max_per_target)
    assert said == (pace.slot, pace.jitter, pace.max_in_flight, pace.max_per_target)
    assert config.metrics is None


def test_metrics_are_for_this_host_until_another_address_is_written(folder: Folder) -> None:
    for text, listen in (
        ("metrics: {}", "127.0.0.1:9464"),
        ('metrics: {listen: "127.0.0.1:9999"}', "127.0.0.1:9999"),
        ('metrics: {listen: "[::1]:9464"}', "[::1]:9464"),
        ('metrics: {listen: "0.0.0.0:80"}', "0.0.0.0:80"),
    ):
        assert config_with(folder, f"{CONFIG}{text}\n") == []
        assert folder.config.metrics is not None
        assert str(folder.config.metrics.listen) == listen


@pytest.mark.parametrize(
    "listen", ["127.0.0.1", ":9464", "9464", "localhost:9464", "::1:9464", "[::1]", "127.0.0.1:0", "127.0.0.1:70000"]
)
def test_metrics_need_an_address_and_a_port(folder: Folder, listen: str) -> None:
    assert config_with(folder, f'{CONFIG}metrics: {{listen: "{listen}"}}\n') == [("8:19", "FD204")]


def test_operators_are_heard_beside_the_journal_until_another_place_is_written(folder: Folder) -> None:
    config = folder.config
    assert (config.socket, config.api.tcp) == (config.journal.with_name("api.sock"), None)
    assert config_with(folder, f"{CONFIG}api: {{socket: run/here.sock, group: sre, others: none}}\n") == []
    assert folder.config.socket == folder.config.file.parent / "run" / "here.sock"


@pytest.mark.parametrize(
    ("tcp", "where"),
    [
        ('listen: "192.0.2.1:8443", tokens_file: t', "8:12"),
        ('listen: "127.0.0.1:8443"', "8:12"),
        ('listen: "127.0.0.1:8443", tokens_file: t, key_file: k', "8:12"),
        ('listen: "localhost:8443", tokens_file: t', "8:21"),
    ],
)
def test_who_asks_from_elsewhere_shows_something_and_nobody_on_the_way_sees_it(
    folder: Folder, tcp: str, where: str
) -> None:
    assert config_with(folder, f"{CONFIG}api: {{tcp: {{{tcp}}}}}\n") == [(where, "FD204")]


@pytest.mark.parametrize(
    "wrong", ["slot: 1ms", "slot: 1s", "jitter: 1s", "max_in_flight: 0", "max_per_target: 0", "max_in_flight: 1000000"]
)
def test_probing_is_kept_within_bounds(folder: Folder, wrong: str) -> None:
    ((_, code),) = config_with(folder, f"{CONFIG}probing: {{{wrong}}}\n")
    assert code in {"FD204", "FD205"}


def test_every_error_of_the_configuration_is_told(folder: Folder) -> None:
    text = CONFIG.replace("owner: tests", "owner: The Tests").replace("kind: weighted", "kind: wieghted")
    text = text.replace("server: 192.0.2.53", "sevrer: 192.0.2.53") + "tick: 30\nlog: {level: loud}\n"
    assert config_with(folder, text) == [
        ("2:8", "FD204"),
        ("6:61", "FD201"),
        ("7:17", "FD208"),
        ("8:7", "FD204"),
        ("9:14", "FD205"),
    ]


@pytest.mark.parametrize("level", [level.value for level in Level])
def test_the_levels_of_the_log_are_those_of_events(folder: Folder, level: str) -> None:
    assert config_with(folder, CONFIG + f"log: {{level: {level}}}\n") == []
    assert folder.config.log.level is Level(level)


@pytest.mark.parametrize("form", [form.value for form in LogFormat])
def test_the_formats_of_the_log_are_those_that_it_can_be_written_in(folder: Folder, form: str) -> None:
    assert config_with(folder, CONFIG + f"log: {{format: {form}}}\n") == []


def test_a_level_that_no_event_has_is_told(folder: Folder) -> None:
    assert config_with(folder, CONFIG + "log: {level: debug}\n") == [("8:14", "FD205")]


def test_a_provider_without_a_kind_is_told(folder: Folder) -> None:
    assert config_with(folder, CONFIG.replace("kind: weighted, ", "")) == [("7:3", "FD202")]


def test_the_inventory_stands_among_the_policies(folder: Folder) -> None:
    assert config_with(folder, CONFIG + "inventory: ../regions.yaml\n") == [("8:12", "FD204")]


def test_a_configuration_that_is_not_there_is_told(tmp_path: Path) -> None:
    loaded = load_config(tmp_path / "none.yaml", KINDS)
    assert loaded.config is None
    assert [found.code.value for found in loaded.diagnostics] == ["FD101"]


# -- a policy ----------------------------------------------------------------------------------------------------------


def test_a_policy_becomes_what_the_core_works_with(folder: Folder) -> None:
    folder.write("api.yaml", POLICY + "failback: manual\nlimits: {max_shift: 70% per 10m, max_changes: 2 per 1h}\n")
    api = folder.load().policies["api"]
    key = RecordKey("api.example.net", RecordType.A)
    assert api.records == (RecordSpec(key, 30, (Target("api", key, "cloud", "example.net"),)),)
    assert api.regions == (
        RegionSpec("east", 7000, (Endpoint("east", "192.0.2.1"),), 1, 100.0, "azure"),
        RegionSpec("west", 3000, (Endpoint("west", "198.51.100.1"),), 1, 100.0, "aws"),
    )
    (check,) = api.checks
    assert (check.name, check.kind, check.every, check.timeout) == ("live", "look", 10.0, 2.0)
    assert isinstance(check, Check)
    assert api.failback_after is None
    assert (api.limits.tuning.max_shift, api.limits.tuning.shift_window, api.limits.tuning.max_changes) == (
        7000,
        600.0,
        2,
    )


def limits_of(folder: Folder, text: str) -> Limits:
    folder.write("api.yaml", POLICY + f"limits: {text}\n")
    return folder.load().policies["api"].limits


def test_limits_are_said_for_each_cause_or_for_both(folder: Folder) -> None:
    assert limits_of(folder, "{}") == Limits()
    both = limits_of(folder, "{max_shift: 30% per 10m, max_changes: 2 per 1h}")
    assert both.tuning == both.returning == Ration(3_000, 600.0, 2, 3_600.0)
    each = limits_of(
        folder,
        "{min_regions: 1, max_shift: 40% per 5m, tuning: {max_shift: 20% per 5m, max_changes: 3 per 1h},"
        " returning: {max_changes: 4 per 1h}, min_step: 10%}",
    )
    assert each == Limits(
        1,
        Ration(2_000, 300.0, 3, 3_600.0),
        Ration(4_000, 300.0, 4, 3_600.0),
        1_000,
    )


def test_a_check_knows_whether_its_kind_uses_the_network(folder: Folder) -> None:
    kinds = replace(KINDS, probes={**KINDS.probes, "knock": replace(KINDS.probes["knock"], uses_network=False)})
    needs = "checks: {live: {look: /}, local: {knock: 7}}\ndependencies: {db: {address: 192.0.2.9, knock: 5432}}\n"
    folder.write("api.yaml", POLICY.partition("checks:")[0] + needs)
    api = load_policies(folder.config, kinds, running={}).policies["api"]
    assert [check.uses_network for check in api.checks] == [True, False]
    assert [each.check.uses_network for each in api.dependencies] == [False]


def test_the_most_specific_zone_is_written_to(folder: Folder) -> None:
    folder.write("api.yaml", policy(record="api.eu.example.com", weights="membership").replace("[cloud]", "[bind]"))
    (record,) = folder.load().policies["api"].records
    assert [target.zone for target in record.targets] == ["eu.example.com"]


def test_regions_without_shares_share_evenly(folder: Folder) -> None:
    folder.write("api.yaml", POLICY.replace("share: 70, ", "").replace("share: 30, ", ""))
    assert [region.share for region in folder.load().policies["api"].regions] == [5000, 5000]


def test_every_rule_can_be_found_in_its_file(folder: Folder) -> None:
    path = folder.write("api.yaml", POLICY + "failback:\n  after: 5m\n")
    source = folder.load().policies["api"].source
    assert source.at("regions.west") == f"{path}:7"
    assert source.at("failback.after") == f"{path}:11"
    assert source.at("limits.tuning.max_shift") == f"{path}, default of limits.tuning.max_shift"


def test_the_revision_changes_with_the_text_and_with_the_regions_that_are_used(folder: Folder) -> None:
    def revision() -> str:
        return folder.load().policies["api"].source.revision

    folder.write("api.yaml", POLICY)
    first = revision()
    assert revision() == first
    folder.write("regions.yaml", INVENTORY.replace("north: {cloud: oci}", "north: {cloud: other}"))
    assert revision() == first
    folder.write("regions.yaml", INVENTORY.replace("capacity: 100", "capacity: 90"))
    second = revision()
    folder.write("api.yaml", POLICY + "# a comment\n")
    assert len({first, second, revision()}) == 3


# -- bad files ---------------------------------------------------------------------------------------------------------


def test_a_file_that_does_not_load_is_rejected_alone(folder: Folder) -> None:
    folder.write("a.yaml", policy("a", "a.example.net"))
    bad = folder.write("b.yaml", policy("b", "b.example.net") + "helth: {}\n")
    folder.write("c.yaml", policy("c", "c.example.net"))
    found = folder.load()
    assert list(found.policies) == ["a", "c"]
    assert list(found.rejected) == [str(bad)]
    assert found.rejected[str(bad)].policies == ()
    assert told(list(found.diagnostics)) == [("10:1", "FD201")]


def test_of_what_is_wrong_the_cause_is_told_before_what_follows_from_it(folder: Folder) -> None:
    """One sentence is all that a status has room for."""
    bad = folder.write("api.yaml", POLICY.replace("share: 70", "shaer: 70"))
    first, *_, last = map(str, folder.load().rejected[str(bad)].errors)
    assert 'FD201: unknown key "shaer"' in first
    assert "FD313" in last


def test_a_bad_edit_keeps_the_version_that_runs(folder: Folder) -> None:
    path = folder.write("api.yaml", POLICY)
    folder.load()
    running = folder.running["api"]
    folder.write("api.yaml", BROKEN)
    found = folder.load()
    assert found.rejected[str(path)].policies == ("api",)
    assert found.kept == {"api"}
    assert folder.running["api"] is running


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"a: [", b"policy: api\n", b"version: 1\npolicy: other\n"])
def test_what_a_file_held_is_known_by_the_file_whatever_it_says_now(folder: Folder, text: bytes) -> None:
    folder.write("api.yaml", POLICY)
    folder.load()
    folder.write("api.yaml", text)
    assert folder.load().kept == {"api"}


def test_a_file_that_is_renamed_and_broken_at_once_keeps_its_policy(folder: Folder) -> None:
    old = folder.write("old.yaml", POLICY)
    folder.load()
    old.unlink()
    folder.write("new.yaml", BROKEN)
    assert folder.load().kept == {"api"}


def test_a_broken_copy_of_a_policy_keeps_nothing(folder: Folder) -> None:
    folder.write("api.yaml", POLICY)
    folder.load()
    folder.write("copy.yaml", BROKEN)
    found = folder.load()
    assert list(found.policies) == ["api"]
    assert found.kept == frozenset()


def test_a_file_that_is_removed_is_no_longer_a_policy(folder: Folder) -> None:
    folder.write("a.yaml", policy("a", "a.example.net"))
    path = folder.write("b.yaml", policy("b", "b.example.net"))
    folder.load()
    path.unlink()
    found = folder.load()
    assert (list(found.policies), found.rejected, found.kept) == (["a"], {}, frozenset())


def test_an_unreadable_entry_is_a_rejected_file(folder: Folder) -> None:
    folder.write("a.yaml", policy("a", "a.example.net"))
    (folder.root / "policies" / "gone.yaml").symlink_to("nowhere")
    (folder.root / "policies" / "dir.yaml").mkdir()
    found = folder.load()
    assert list(found.policies) == ["a"]
    assert [Path(file).name for file in found.rejected] == ["dir.yaml", "gone.yaml"]


def test_a_huge_file_is_refused_and_the_others_load(folder: Folder) -> None:
    folder.write("a.yaml", policy("a", "a.example.net"))
    os.truncate(folder.write("huge.yaml", ""), 50_000_000)
    found = folder.load()
    assert list(found.policies) == ["a"]
    assert [each.code.value for each in found.diagnostics] == ["FD102"]


# -- the inventory and the directory -----------------------------------------------------------------------------------


@pytest.mark.parametrize("inventory", ["", "version: 1\n", INVENTORY.replace("cloud: oci", "clod: oci")])
def test_a_bad_inventory_keeps_every_policy_and_is_told_once(folder: Folder, inventory: str) -> None:
    folder.write("a.yaml", policy("a", "a.example.net"))
    folder.write("b.yaml", policy("b", "b.example.net"))
    folder.load()
    folder.write("regions.yaml", inventory)
    found = folder.load()
    assert found.policies == {}
    assert found.kept == {"a", "b"}
    assert len(found.diagnostics) <= 2
    assert {Path(each.file).name for each in found.diagnostics} == {"regions.yaml"}
    assert all(rejected.diagnostics == found.diagnostics for rejected in found.rejected.values())


def test_a_missing_inventory_keeps_every_policy(folder: Folder) -> None:
    folder.write("a.yaml", policy("a", "a.example.net"))
    folder.load()
    (folder.root / "policies" / "regions.yaml").unlink()
    found = folder.load()
    assert found.kept == {"a"}
    assert [each.code.value for each in found.diagnostics] == ["FD101"]


def test_errors_in_policies_are_told_beside_those_of_the_inventory(folder: Folder) -> None:
    folder.write("regions.yaml", INVENTORY + "more: 1\n")
    folder.write("api.yaml", BROKEN)
    assert [Path(each.file).name for each in folder.load().diagnostics] == ["api.yaml", "regions.yaml"]


def test_no_region_may_have_the_name_of_unknown_answers(folder: Folder) -> None:
    folder.write("regions.yaml", INVENTORY.replace("north:", "elsewhere:"))
    folder.write("api.yaml", POLICY)
    assert told(list(folder.load().diagnostics)) == [("5:3", "FD204")]


def test_a_directory_that_is_gone_or_empty_keeps_every_policy(folder: Folder) -> None:
    path = folder.write("a.yaml", policy("a", "a.example.net"))
    folder.load()
    path.unlink()
    found = folder.load()
    assert found.kept == {"a"}
    assert [each.code.value for each in found.diagnostics] == ["FD114"]
    (folder.root / "policies").rename(folder.root / "away")
    found = folder.load()
    assert found.kept == {"a"}
    assert [each.code.value for each in found.diagnostics] == ["FD101"]


def test_a_directory_that_is_gone_or_empty_is_rejected_once_under_its_own_name(folder: Folder) -> None:
    directory = str(folder.root / "policies")
    assert {file: each.policies for file, each in folder.load().rejected.items()} == {directory: ()}
    paths = [folder.write(f"{name}.yaml", policy(name, f"{name}.example.net")) for name in "ab"]
    folder.load()
    for path in paths:
        path.unlink()
    found = folder.load()
    assert {file: each.policies for file, each in found.rejected.items()} == {directory: ("a", "b")}
    assert found.rejected[directory].diagnostics == found.diagnostics


def test_other_files_in_the_directory_are_passed_over(folder: Folder) -> None:
    folder.write("a.yml", policy("a", "a.example.net"))
    for name in (".hidden.yaml", "notes.txt", "a.yaml.bak", "policy.schema.json", ".a.yaml.swp"):
        folder.write(name, "[")
    assert folder.load().diagnostics == ()


def test_loading_twice_gives_the_same_in_the_same_order(folder: Folder) -> None:
    for name in ("c", "a", "b"):
        folder.write(f"{name}.yaml", policy(name, f"{name}.example.net", health="{flal: 1, fall: 0}"))
    folder.write("z.yaml", policy("z", "z.example.net"))
    first, second = folder.load(), folder.load()
    assert first == second
    assert first.diagnostics == tuple(sorted(first.diagnostics, key=lambda found: found.order))
    assert [Path(file).name for file in first.rejected] == ["a.yaml", "b.yaml", "c.yaml"]


def test_a_file_that_shows_a_defect_of_ours_is_rejected_alone(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write("a.yaml", policy("a", "a.example.net"))
    folder.write("b.yaml", policy("b", "b.example.net"))
    folder.load()

    def stumbling(document: Document, *more: object) -> object:
        if document.file.endswith("b.yaml"):
            raise OverflowError("sk-not-to-be-shown")
        return draft_of(document, *more)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr("failoverd.config.loader.draft_of", stumbling)
    found = folder.load()
    assert list(found.policies) == ["a"]
    (rejected,) = found.rejected.values()
    (told,) = rejected.diagnostics
    assert told.code is Code.DEFECT
    assert "OverflowError" in told.message
    assert "sk-not" not in told.render()
