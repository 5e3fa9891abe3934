"""Whether the parts of a policy fit each other, its providers and the inventory."""

import pytest
from support.files import KINDS, POLICY, Folder, policy, told

from failoverd.config.loader import Loaded, load_config
from failoverd.core.health.isolation import IsolationRules

CNAME = """\
version: 1
policy: www
records:
  - {name: www.example.com, type: CNAME, ttl: 30s, providers: [bind]}
steering: failover
regions:
  east: {priority: 1, endpoints: [east.cdn.example.org]}
  west: {priority: 2, endpoints: [west.cdn.example.org]}
checks:
  live: {look: /health}
"""


def regions(*lines: str) -> str:
    """`POLICY` with other regions."""
    head, _, tail = POLICY.partition("regions:\n")
    checks = tail[tail.index("checks:") :]
    return head + "regions:\n" + "".join(f"  {line}\n" for line in lines) + checks


def test_a_policy_in_which_everything_fits_has_nothing_to_say(folder: Folder) -> None:
    assert folder.only(POLICY) == []
    assert folder.only(CNAME) == []


# -- names that do not exist -------------------------------------------------------------------------------------------


def test_names_that_do_not_exist_are_told_beside_other_errors(folder: Folder) -> None:
    text = POLICY.replace("east:", "esat:").replace("[cloud]", "[cluod, cluod]") + "health: {fall: x}\n"
    assert told(folder.only(text)) == [("4:60", "FD302"), ("4:67", "FD302"), ("6:3", "FD301"), ("10:16", "FD203")]


def test_a_provider_that_is_written_twice_is_told(folder: Folder) -> None:
    assert told(folder.only(POLICY.replace("[cloud]", "[cloud, cloud]"))) == [("4:67", "FD314")]


# -- endpoints ---------------------------------------------------------------------------------------------------------


def test_an_endpoint_belongs_to_one_region(folder: Folder) -> None:
    found = folder.only(POLICY.replace("198.51.100.1", "192.0.2.1"))
    assert told(found) == [("7:33", "FD306")]
    assert found[0].message == 'endpoint "192.0.2.1" is the same answer as one in east on line 6'


def test_two_ports_of_an_address_are_one_answer_of_an_a_record(folder: Folder) -> None:
    assert told(folder.only(POLICY.replace("[192.0.2.1]", '["192.0.2.1:1", "192.0.2.1:2"]'))) == [("6:48", "FD306")]


def test_two_ports_of_a_host_are_two_answers_of_an_srv_record(folder: Folder) -> None:
    text = policy(record="_x._tcp.example.com").replace("type: A", "type: SRV").replace("[cloud]", "[bind]")
    text = text.replace("[192.0.2.1]", '["a.example.org:1", "a.example.org:2"]').replace(
        "198.51.100.1", '"b.example.org:1"'
    )
    assert folder.only(text) == []


def test_the_same_address_in_other_words_is_the_same(folder: Folder) -> None:
    text = POLICY.replace("type: A", "type: AAAA").replace("[cloud]", "[bind]") + "weights: membership\n"
    text = text.replace("api.example.net", "api.example.com")
    text = text.replace("192.0.2.1", '"2001:db8::1"').replace("198.51.100.1", '"2001:DB8:0::1"')
    assert told(folder.only(text)) == [("7:33", "FD306")]


def test_a_region_must_have_an_answer_for_some_record(folder: Folder) -> None:
    found = folder.only(POLICY.replace("198.51.100.1", '"2001:db8::1"'))
    assert told(found) == [("7:21", "FD307")]
    assert found[0].hint == "A needs IPv4 addresses"


def test_a_record_must_have_an_answer_in_some_region(folder: Folder) -> None:
    more = "type: A, ttl: 30s, providers: [bind]}\n  - {name: api.example.com, type: AAAA, ttl: 30s, providers: [bind]}"
    text = policy(record="api.example.com", weights="membership").replace(
        "type: A, ttl: 30s, providers: [cloud]}", more
    )
    assert told(folder.only(text)) == [("5:35", "FD308")]


def test_regions_of_one_family_are_fine_in_a_policy_of_two(folder: Folder) -> None:
    more = "type: A, ttl: 30s, providers: [bind]}\n  - {name: api.example.com, type: AAAA, ttl: 30s, providers: [bind]}"
    text = policy(record="api.example.com", weights="membership").replace(
        "type: A, ttl: 30s, providers: [cloud]}", more
    )
    assert folder.only(text.replace("198.51.100.1", '198.51.100.1, "2001:db8::1"')) == []


# -- records -----------------------------------------------------------------------------------------------------------


def test_no_zone_of_the_provider_holds_the_name(folder: Folder) -> None:
    found = folder.only(policy(record="api.badexample.net"))
    assert told(found) == [("4:63", "FD303")]
    assert found[0].hint == "its zones: example.net"


def test_a_record_that_is_written_twice_is_told(folder: Folder) -> None:
    line = "  - {name: api.example.net, type: A, ttl: 30s, providers: [cloud]}\n"
    assert told(folder.only(POLICY.replace(line, line + line))) == [("5:12", "FD314")]


@pytest.mark.parametrize(("ttl", "expected"), [("60s", [("6:46", "FD314")]), ("30s", [])])
def test_types_that_have_one_ttl_at_a_provider_are_given_the_same(
    folder: Folder, ttl: str, expected: list[tuple[str, str]]
) -> None:
    line = "  - {name: api.example.com, type: A, ttl: 30s, providers: [bind]}\n"
    both = line + line.replace("type: A", "type: AAAA").replace("30s", ttl)
    text = POLICY.replace("  - {name: api.example.net, type: A, ttl: 30s, providers: [cloud]}\n", both)
    text = (
        text.replace("[192.0.2.1]", '[192.0.2.1, "2001:db8::1"]').replace("share: 70, ", "").replace("share: 30, ", "")
    )
    assert told(folder.only("weights: membership\n" + text)) == expected


def test_a_cname_stands_alone_not_at_the_top_of_its_zone_and_not_for_itself(folder: Folder) -> None:
    beside = CNAME.replace("[bind]}\n", "[bind]}\n  - {name: www.example.com, type: A, ttl: 30s, providers: [bind]}\n")
    assert ("5:35", "FD314") in told(folder.only(beside))
    assert told(folder.only(CNAME.replace("www.example.com", "example.com"))) == [("4:31", "FD315")]
    assert told(folder.only(CNAME.replace("west.cdn.example.org", "www.example.com"))) == [("8:35", "FD315")]


# -- what providers can say --------------------------------------------------------------------------------------------


def test_a_type_that_the_provider_cannot_manage(folder: Folder) -> None:
    found = folder.only(CNAME.replace("www.example.com", "www.example.net").replace("[bind]", "[cloud]"))
    assert told(found) == [("4:35", "FD309")]
    assert found[0].hint == "it can: A"


def test_weights_that_the_provider_does_not_have_name_the_alternative(folder: Folder) -> None:
    text = policy(record="api.example.com").replace("[cloud]", "[bind]")
    (found,) = folder.only(text)
    assert (found.code.value, found.line, found.column) == ("FD310", 4, 60)
    assert found.hint.startswith("write weights: membership")
    assert told(folder.only(text + "weights: native\n")) == [("10:10", "FD310")]
    assert folder.only(text + "weights: membership\n") == []


def test_one_region_needs_no_weights(folder: Folder) -> None:
    text = regions("east: {share: 100, endpoints: [192.0.2.1, 192.0.2.2]}").replace("[cloud]", "[bind]")
    assert folder.only(text.replace("example.net", "example.com")) == []


def test_a_cname_cannot_be_split_by_weight(folder: Folder) -> None:
    weighted = CNAME.replace("steering: failover", "steering: weighted")
    (found,) = folder.only(weighted)
    assert (found.code.value, found.line) == ("FD311", 5)
    assert "steering: failover" in found.hint


def test_a_cname_needs_distinct_priorities_and_one_endpoint_in_each_region(folder: Folder) -> None:
    assert told(folder.only(CNAME.replace("priority: 2", "priority: 1"))) == [("8:10", "FD311")]
    two = CNAME.replace("[east.cdn.example.org]", "[east.cdn.example.org, e2.cdn.example.org]")
    assert told(folder.only(two)) == [("7:34", "FD311")]


def test_a_ttl_lower_than_the_provider_takes(folder: Folder) -> None:
    found = folder.only(POLICY.replace("ttl: 30s", "ttl: 19s"))
    assert told(found) == [("4:43", "FD312")]
    assert found[0].hint == "write ttl: 20s"


# -- shares ------------------------------------------------------------------------------------------------------------


def test_shares_that_are_all_zero_would_send_traffic_nowhere(folder: Folder) -> None:
    assert told(folder.only(POLICY.replace("70", "0").replace("share: 30", "share: 0"))) == [("5:1", "FD313")]


def test_either_every_region_has_a_share_or_none(folder: Folder) -> None:
    assert told(folder.only(POLICY.replace("share: 30, ", ""))) == [("7:3", "FD313")]
    assert folder.only(POLICY.replace("share: 30, ", "").replace("share: 70, ", "")) == []


def test_shares_that_do_not_add_up_are_a_warning_with_what_they_mean(folder: Folder) -> None:
    (found,) = folder.only(POLICY.replace("share: 30", "share: 70"))
    assert (str(found.severity), found.code.value) == ("warning", "FD402")
    assert found.message == "the shares add up to 140, not 100; as proportions they mean east 50.0%, west 50.0%"
    assert folder.running["api"].regions[0].share == 7000


def test_thirds_may_be_rounded(folder: Folder) -> None:
    lines = [
        f"{name}: {{share: 33.3, endpoints: [192.0.2.{index}]}}" for index, name in enumerate(("east", "west", "north"))
    ]
    assert folder.only(regions(*lines)) == []


def test_a_first_tier_without_a_share_is_told_with_who_gets_all_instead(folder: Folder) -> None:
    lines = (
        "east: {share: 0, endpoints: [192.0.2.1]}",
        "west: {share: 0, endpoints: [192.0.2.2]}",
        "north: {share: 100, priority: 2, endpoints: [192.0.2.3]}",
    )
    (found,) = folder.only(regions(*lines))
    assert (str(found.severity), found.code.value, found.line) == ("warning", "FD415", 6)
    assert found.message == "east, west of priority 1 have no share: north gets all"
    assert found.hint == "give a region of priority 1 a share, or the standbys a priority behind 2"
    assert folder.only(regions(*lines).replace("share: 100", "share: 0").replace("share: 0", "share: 50", 1))[1:] == []


def test_under_failover_the_priority_says_who_comes_first_and_no_share(folder: Folder) -> None:
    lines = (
        "east: {share: 0, endpoints: [192.0.2.1]}",
        "north: {share: 100, priority: 2, endpoints: [192.0.2.3]}",
    )
    assert folder.only(regions(*lines) + "steering: failover\n") == []


@pytest.mark.parametrize(
    ("priorities", "message", "hint"),
    [
        ((2, 2), "no region has priority 1, and east, west have 2", "write priority: 1"),
        ((1, 5), "no region has priority 2 to 4, and west has 5", "write priority: 2"),
        ((1, 3), "no region has priority 2, and west has 3", "write priority: 2"),
    ],
)
def test_a_priority_that_no_region_has_is_told(
    folder: Folder, priorities: tuple[int, int], message: str, hint: str
) -> None:
    one, other = priorities
    lines = (
        f"east: {{share: 70, priority: {one}, endpoints: [192.0.2.1]}}",
        f"west: {{share: 30, priority: {other}, endpoints: [192.0.2.2]}}",
    )
    (found,) = folder.only(regions(*lines))
    assert (str(found.severity), found.code.value, found.message) == ("warning", "FD416", message)
    assert found.hint.startswith(hint)


# -- limits ------------------------------------------------------------------------------------------------------------


def test_more_regions_demanded_than_the_normal_answer_has(folder: Folder) -> None:
    found = folder.only(POLICY + "limits: {min_regions: 3}\n")
    assert told(found) == [("10:23", "FD316")]
    assert found[0].hint == "write min_regions: 2"


def test_a_standby_does_not_count_for_the_normal_answer(folder: Folder) -> None:
    text = POLICY.replace("share: 70", "share: 100").replace("share: 30", "share: 0")
    assert told(folder.only(text + "limits: {min_regions: 2}\n")) == [("10:23", "FD316")]


def test_as_many_regions_demanded_as_there_are_would_keep_every_dead_one(folder: Folder) -> None:
    (found,) = folder.only(POLICY + "limits: {min_regions: 2}\n")
    assert (str(found.severity), found.code.value) == ("error", "FD403")
    assert found.message.startswith(
        "losing east leaves 1 of the regions of api.example.net A, fewer than the 2 of min_regions: what is down"
    )
    assert found.hint == "write min_regions: 1"
    assert folder.only(POLICY + "limits: {min_regions: 1}\n") == []


def test_a_whole_cloud_is_lost_in_play_as_well(folder: Folder) -> None:
    inventory = "version: 1\nregions:\n  a1: {cloud: azure}\n  a2: {cloud: azure}\n  o1: {cloud: oci}\n"
    folder.write("regions.yaml", inventory)
    three = regions("a1: {endpoints: [192.0.2.1]}", "a2: {endpoints: [192.0.2.2]}", "o1: {endpoints: [198.51.100.1]}")
    (found,) = folder.only(three + "limits: {min_regions: 2}\n")
    assert (str(found.severity), found.code.value) == ("error", "FD403")
    assert found.message.startswith("losing a1 and a2 leaves 1 of the regions of api.example.net A")
    assert folder.only(three + "limits: {min_regions: 1}\n") == []


def test_the_hint_lets_every_loss_pass(folder: Folder) -> None:
    inventory = "version: 1\nregions:\n  a1: {cloud: azure}\n  a2: {cloud: azure}\n  o1: {cloud: oci}\n"
    folder.write("regions.yaml", inventory)
    three = regions("a1: {endpoints: [192.0.2.1]}", "a2: {endpoints: [192.0.2.2]}", "o1: {endpoints: [198.51.100.1]}")
    (found,) = folder.only(three + "limits: {min_regions: 3}\n")
    assert found.hint == "write min_regions: 1"


def test_more_answers_than_the_provider_holds(folder: Folder) -> None:
    many = ", ".join(f"192.0.2.{number}" for number in range(1, 101))
    text = policy(record="api.example.com").replace("[192.0.2.1]", f"[{many}]").replace("[cloud]", "[bind]")
    text += "weights: membership\n"
    found = folder.only(text)
    assert [each.code for each in found] == ["FD319"]
    assert "could have 101 answers" in found[0].message


@pytest.mark.parametrize(
    "limits",
    [
        "{max_shift: 60% per 5m}",
        "{max_shift: 1% per 1d, max_changes: 1 per 1d}",
        "{tuning: {max_shift: 1% per 1d}, returning: {max_changes: 1 per 1d}}",
    ],
)
def test_no_rate_holds_a_failover_so_there_is_nothing_to_say_about_one(folder: Folder, limits: str) -> None:
    assert folder.only(POLICY + f"limits: {limits}\n") == []


def test_nor_does_one_where_demand_is_stated(folder: Folder) -> None:
    folder.write(
        "regions.yaml",
        "version: 1\nregions:\n  east: {cloud: azure, capacity: 900}\n  west: {cloud: aws, capacity: 900}\n",
    )
    assert folder.only(POLICY + "demand: 800\nlimits: {max_shift: 20% per 5s}\n") == []


# -- health and times --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("health", "place"),
    [
        ("{down_below: 0%}", "10:22"),
        ("{down_below: 80%}", "10:9"),
        ("{degraded_below: 40%}", "10:26"),
        ("{degraded: {enter: 20%, leave: 20%}}", "10:40"),
        ("{flap: {reuse: 5000}}", "10:24"),
        ("{flap: {suppress: 500}}", "10:16"),
    ],
)
def test_thresholds_that_contradict_each_other(folder: Folder, health: str, place: str) -> None:
    assert told(folder.only(f"{POLICY}health: {health}\n")) == [(place, "FD317")]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ("every: 50ms, timeout: 20ms", ("9:32", "FD318")),
        ("every: 2d", ("9:32", "FD318")),
        ("timeout: 1ms", ("9:34", "FD318")),
        ("every: 2m, timeout: 90s", ("9:45", "FD318")),
        ("slow: 2s", ("9:31", "FD318")),
        ("slow: 0s", ("9:31", "FD318")),
        ("every: 1s", ("9:9", "FD401")),
    ],
)
def test_times_of_a_check(folder: Folder, times: str, expected: tuple[str, str]) -> None:
    assert told(folder.only(POLICY.replace("/health}", f"/health, {times}}}"))) == [expected]


# -- capacity ----------------------------------------------------------------------------------------------------------


def test_a_demand_needs_the_capacity_of_every_region(folder: Folder) -> None:
    text = regions("east: {share: 50, endpoints: [192.0.2.1]}", "north: {share: 50, endpoints: [192.0.2.2]}")
    (found,) = folder.only(text + "demand: 50\n")
    assert (str(found.severity), found.code.value, found.line) == ("warning", "FD404", 7)


def test_regions_that_together_cannot_carry_the_demand_are_a_warning(folder: Folder) -> None:
    (found,) = folder.only(POLICY + "demand: 201\n")
    assert (str(found.severity), found.code.value) == ("warning", "FD405")
    assert folder.only(POLICY + "demand: 200\n") == []


# -- aliases -----------------------------------------------------------------------------------------------------------

ALIAS = "{alias: lb-1.elb.example.org, hosted_zone: Z32O12XQLNTSW2}"


def test_an_alias_needs_a_provider_that_can_answer_with_it(folder: Folder) -> None:
    found = folder.only(POLICY.replace("[192.0.2.1]", f"[{ALIAS}]"))
    assert told(found) == [("6:33", "FD320")]
    assert "cannot answer A with an alias" in found[0].message


def test_for_a_cname_an_alias_is_just_its_name(folder: Folder) -> None:
    assert folder.only(CNAME.replace("east.cdn.example.org", ALIAS)) == []


# -- dependencies and sentinels ----------------------------------------------------------------------------------------

NEEDING = POLICY.replace("endpoints: [192.0.2.1]", "endpoints: [192.0.2.1], depends_on: [database]")
DATABASE = "dependencies:\n  database: {knock: 5432, address: 192.0.2.50, every: 5s}\n"


def test_a_region_may_depend_on_a_dependency(folder: Folder) -> None:
    assert folder.only(NEEDING + DATABASE) == []
    (policy,) = folder.running.values()
    assert policy.regions[0].depends_on == ("database",)
    (dependency,) = policy.dependencies
    assert (dependency.endpoint.address, dependency.check.kind, dependency.check.every) == ("192.0.2.50", "knock", 5.0)
    assert len(policy.probes()) == 3
    assert policy.probes()[-1] == (dependency.endpoint, dependency.check)


def test_an_unknown_dependency_is_told_with_what_was_probably_meant(folder: Folder) -> None:
    (wrong, idle) = folder.only(NEEDING.replace("[database]", "[databas]") + DATABASE)
    assert (wrong.code, wrong.hint) == ("FD321", 'did you mean "database"?')
    assert idle.code == "FD406"
    (undeclared,) = folder.only(NEEDING)
    assert undeclared.code == "FD321"


@pytest.mark.parametrize("name", ["live", "west"])
def test_a_dependency_has_a_name_of_its_own(folder: Folder, name: str) -> None:
    found = folder.only((NEEDING + DATABASE).replace("database", name))
    assert "FD322" in {wrong.code for wrong in found}


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("{knock: 5432}", "FD202"),
        ("{address: 192.0.2.50}", "FD206"),
        ("{knock: 5432, look: /, address: 192.0.2.50}", "FD207"),
        ("{knock: 5432, address: https://db/}", "FD204"),
        ("{knock: 5432, address: 192.0.2.50, every: 1ms}", "FD318"),
        ("{knock: 5432, address: 192.0.2.50, evry: 1s}", "FD201"),
    ],
)
def test_a_dependency_is_an_address_and_one_check(folder: Folder, entry: str, code: str) -> None:
    found = folder.only(f"{NEEDING}dependencies:\n  database: {entry}\n")
    assert code in {wrong.code for wrong in found}


def test_a_suppression_that_is_too_short_to_ever_begin(folder: Folder) -> None:
    (wrong,) = folder.only(f"{POLICY}health: {{flap: {{max_suppress: 10m}}}}\n")
    assert wrong.code == "FD317"
    assert "nothing would ever be suppressed" in wrong.message


def test_a_warm_up_of_more_than_a_day_is_no_warm_up(folder: Folder) -> None:
    assert [wrong.code for wrong in folder.only(f"{POLICY}health: {{warm_up: 2d}}\n")] == ["FD204"]


# -- shares that a provider cannot say ---------------------------------------------------------------------------------


def test_a_share_that_weights_cannot_say_to_within_a_tenth_is_told_with_the_smallest_that_they_can(
    folder: Folder,
) -> None:
    found = folder.only(POLICY.replace("share: 70", "share: 0.1").replace("share: 30", "share: 99.9"))
    assert [(each.code, each.is_error) for each in found] == [("FD409", False)]
    assert told(found) == [("6:10", "FD409")]
    assert found[0].message == (
        "east is to get 0.10% of api.example.net A and would get 0.39%: "
        "the weights of provider cloud (weighted) are whole numbers up to 255"
    )
    assert found[0].hint == "write a share of 0.4 or more, or 0 for a standby; or choose another provider"
    assert folder.only(POLICY.replace("share: 70", "share: 0.4").replace("share: 30", "share: 99.6")) == []


@pytest.mark.parametrize(
    "lines",
    [
        ("east: {share: 1, endpoints: [192.0.2.1]}", "west: {share: 99, endpoints: [198.51.100.1]}"),
        ("east: {share: 0.5, endpoints: [192.0.2.1]}", "west: {share: 99.5, endpoints: [198.51.100.1, 198.51.100.2]}"),
        ("east: {share: 0, endpoints: [192.0.2.1]}", "west: {share: 100, endpoints: [198.51.100.1]}"),
        ("east: {endpoints: [192.0.2.1]}", "west: {endpoints: [198.51.100.1]}", "north: {endpoints: [203.0.113.1]}"),
    ],
)
def test_shares_that_weights_say_well_are_nothing_to_tell(folder: Folder, lines: tuple[str, ...]) -> None:
    assert folder.only(regions(*lines)) == []


def test_a_share_that_is_too_small_to_be_split_among_its_endpoints_is_told(folder: Folder) -> None:
    several = ", ".join(f"192.0.2.{number}" for number in range(1, 7))
    found = folder.only(
        regions(f"east: {{share: 0.04, endpoints: [{several}]}}", "west: {share: 99.96, endpoints: [198.51.100.1]}")
    )
    assert told(found) == [("6:10", "FD409")]
    assert " of east is to get 0.01% of api.example.net A and would get " in found[0].message


def test_a_provider_without_weights_and_a_policy_that_asks_for_none_have_no_share_to_miss(folder: Folder) -> None:
    small = POLICY.replace("share: 70", "share: 0.1").replace("share: 30", "share: 99.9")
    assert folder.only(f"{small}weights: membership\n") == []


# -- names -------------------------------------------------------------------------------------------------------------


def test_a_record_may_be_a_wildcard_and_its_name_in_any_letters(folder: Folder) -> None:
    text = CNAME.replace("www.example.com", '"*.Bücher.example.com"').replace("east.cdn.example.org", "öst.example.org")
    assert folder.only(text) == []
    (policy,) = folder.running.values()
    assert policy.records[0].key.name == "*.xn--bcher-kva.example.com"
    assert policy.records[0].targets[0].zone == "example.com"
    assert policy.regions[0].endpoints[0].address == "xn--st-eka.example.org"


def test_a_zone_may_be_written_in_any_letters(folder: Folder) -> None:
    path = folder.root / "failoverd.yaml"
    path.write_text(path.read_text().replace("eu.example.com", "bücher.example"))
    assert folder.only(CNAME.replace("www.example.com", "www.bücher.example")) == []
    (policy,) = folder.running.values()
    assert policy.records[0].targets[0].zone == "xn--bcher-kva.example"


def test_what_is_wrong_with_a_name_is_told_in_its_own_letters_too(folder: Folder) -> None:
    (wrong,) = folder.only(CNAME.replace("www.example.com", "bücher.example.net"))
    assert wrong.code == "FD303"
    assert "FD303: bücher.example.net (xn--bcher-kva.example.net) is in no zone of provider bind" in wrong.render()


def test_a_provider_without_wildcards_is_told_with_what_to_do(folder: Folder) -> None:
    (wrong,) = folder.only(policy(record='"*.example.net"'))
    assert (wrong.code, wrong.is_error, wrong.line) == ("FD323", True, 4)
    assert wrong.message == "provider cloud (weighted) cannot manage *.example.net: it takes no wildcards"
    assert wrong.hint == "write the names out, or choose another provider for the record"


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ('"a.*.example.com"', "FD204", "an asterisk is the whole first label"),
        ("_wildcard.example.com", "FD204", "the marker of a wildcard stands below _wildcard"),
        ("*.example.com", "FD108", 'put quotes around the name of a wildcard: "*.example.com"'),
    ],
)
def test_a_name_that_is_no_wildcard_or_not_written_as_one_says_how(
    folder: Folder, name: str, code: str, words: str
) -> None:
    (found,) = (wrong for wrong in folder.only(CNAME.replace("www.example.com", name)) if wrong.code == code)
    assert words in found.render()


def test_an_endpoint_is_no_wildcard(folder: Folder) -> None:
    assert told(folder.only(CNAME.replace("east.cdn.example.org", '"*.example.org"'))) == [("7:35", "FD204")]


def sentinels(folder: Folder, text: str) -> Loaded:
    path = folder.root / "failoverd.yaml"
    path.write_text(path.read_text() + text)
    return load_config(path, KINDS)


def test_a_daemon_has_sentinels(folder: Folder) -> None:
    found = sentinels(
        folder, "sentinels:\n  dns: {knock: 53, address: 192.0.2.99}\nisolation: {sentinels: 34%, doubt: 30s}\n"
    )
    assert found.config is not None
    assert [(each.name, each.endpoint.address) for each in found.config.sentinels] == [("dns", "192.0.2.99")]
    assert found.config.isolation == IsolationRules(3_400, 10.0, 30.0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("sentinels:\n  dns: {address: 192.0.2.99}\n", "FD206"),
        ("sentinels:\n  dns: {knock: 53}\n", "FD202"),
        ("sentinels:\n  dns: {knock: 53, address: 192.0.2.99, timeout: 1ms}\n", "FD318"),
        ("isolation: {sentinels: 0%}\n", "FD204"),
    ],
)
def test_a_sentinel_that_cannot_be_looked_at_is_refused(folder: Folder, text: str, code: str) -> None:
    found = sentinels(folder, text)
    assert found.config is None
    assert [wrong.code for wrong in found.diagnostics] == [code]


def test_a_sentinel_that_is_an_endpoint_is_a_warning(folder: Folder) -> None:
    assert sentinels(folder, "sentinels:\n  dns: {knock: 53, address: 192.0.2.1}\n").config is not None
    (wrong,) = folder.only(POLICY)
    assert (wrong.code, wrong.is_error) == ("FD407", False)


# -- what is asked for and cannot be ----------------------------------------------------------------------------------


SLOW = "{look: /health, slow: 1s}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (policy(record="api.example.com", weights="membership").replace("[cloud]", "[bind]"), [("9:25", "FD408")]),
        (CNAME, [("10:25", "FD408")]),
        (POLICY, []),
    ],
    ids=["membership", "one answer at a time", "weights"],
)
def test_a_slow_region_that_would_keep_its_traffic_is_worth_a_look(
    folder: Folder, text: str, expected: list[tuple[str, str]]
) -> None:
    assert told(folder.only(text)) == []
    found = folder.only(text.replace("{look: /health}", SLOW))
    assert told(found) == expected
    assert not any(each.is_error for each in found)


def test_the_remedy_for_a_slow_region_is_to_leave_or_to_have_weights(folder: Folder) -> None:
    text = policy(record="api.example.com", weights="membership", health="{degraded_below: 90%}")
    (found,) = folder.only(text.replace("[cloud]", "[bind]"))
    assert found.message == (
        "health.degraded_below takes no traffic away: api.example.com A says who is in the answer, and not how much, "
        "so east keeps its own while DEGRADED"
    )
    assert found.hint.startswith("write degraded: out")


def test_a_slow_region_that_another_helps_out_is_heeded_under_membership(folder: Folder) -> None:
    """Under failover the next region joins the answer, for the first one cannot carry all of it any more."""
    text = policy(record="api.example.com", weights="membership", steering="failover").replace("[cloud]", "[bind]")
    text = text.replace("share: 70", "priority: 1").replace("share: 30", "priority: 2")
    assert told(folder.only(text.replace("{look: /health}", SLOW))) == []


MEMBERS = policy(record="api.example.com", weights="membership").replace("[cloud]", "[bind]")


def test_a_degraded_region_that_leaves_while_the_others_have_room_is_nothing_to_say(folder: Folder) -> None:
    for text in (MEMBERS, CNAME):
        (found,) = folder.only(text.replace("{look: /health}", SLOW))
        assert found.hint.startswith("write degraded: out, and it leaves the answer while the others have room; or ")
        assert told(folder.only(text.replace("{look: /health}", SLOW) + "degraded: out\n")) == []


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("demand: 150\n", "the others have too little room"),
        ("limits: {min_regions: 2}\n", "limits.min_regions asks for as many regions as there are"),
    ],
)
def test_what_speaks_against_its_leaving_is_said(folder: Folder, more: str, why: str) -> None:
    found = [each for each in folder.only(f"{MEMBERS}degraded: out\n{more}") if each.code == "FD408"]
    assert [each.is_error for each in found] == [False]
    assert found[0].message == (
        "degraded takes no traffic away: api.example.com A says who is in the answer, and not how much, so east keeps "
        f"its own while DEGRADED, for {why}"
    )
    assert found[0].hint.startswith("what is to move traffic has to fail the check")
