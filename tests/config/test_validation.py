"""Every error of shape, at its place, in the words of the file."""

import pytest
from support.files import POLICY, Folder, policy, told

EIGHT = """\
version: 1
policy: api
tier: prd
records:
  - {name: api.example.net, type: A, ttl: 30, providers: [clod]}
regions:
  eats: {share: 70, endpoints: [192.0.2.1]}
  west: {wieght: 30, endpoints: [198.51.100.300]}
checks:
  live: {look: /health, every: 10s, every: 20s}
health: {fall: three}
"""


def test_a_file_with_eight_different_errors_lists_all_eight_in_order(folder: Folder) -> None:
    found = folder.only(EIGHT)
    assert [(f"{each.line}:{each.column}", each.code.value, each.message, each.hint) for each in found] == [
        ("3:7", "FD205", 'tier: "prd" is not one of prod, pilot, dev', 'did you mean "prod"?'),
        (
            "5:43",
            "FD204",
            'records[0].ttl: a duration needs a unit: write it like "500ms", "30s" or "1h30m"',
            "how long resolvers may keep an answer: 1s to 1d, whole seconds",
        ),
        ("5:59", "FD302", 'provider "clod" is not in the daemon\'s configuration', 'did you mean "cloud"?'),
        ("7:3", "FD301", 'region "eats" is not in the inventory', 'did you mean "east"?'),
        ("8:10", "FD201", 'unknown key "wieght"', "known here: share, priority, endpoints, depends_on"),
        (
            "8:34",
            "FD204",
            'regions.west.endpoints[0]: "198.51.100.300" is neither an IP address nor a host name',
            "addresses or host names, with or without port, or load balancers by alias; each with its weight",
        ),
        ("10:37", "FD106", 'duplicate key "every", first written on line 10', ""),
        (
            "11:16",
            "FD203",
            "health.fall: it should be a whole number, and is text",
            "failures that make an endpoint UNHEALTHY",
        ),
    ]


@pytest.mark.parametrize("said", [r"a\nb", r"a\n", r"a\eb", r"a\u0085b", r"a\u2028b"])
def test_a_text_for_people_is_one_line(folder: Folder, said: str) -> None:
    (found,) = folder.only(policy(owner=f'"{said}"'))
    assert (found.code, found.message) == (
        "FD204",
        "owner: it is one line, without line breaks and other control characters",
    )


def test_the_excerpt_shows_the_line_with_a_caret_below_the_place(folder: Folder) -> None:
    found = folder.only(EIGHT)[4]
    assert found.render().splitlines()[1:3] == [
        "    8 |   west: {wieght: 30, endpoints: [198.51.100.300]}",
        "      |          ^",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("health: {fall: 0}", ("10:16", "FD204")),
        ("health: {fall: 101}", ("10:16", "FD204")),
        ("health: {fall: 2.5}", ("10:16", "FD203")),
        ("health: {fall: true}", ("10:16", "FD203")),
        ("health: {recheck: 1ms}", ("10:19", "FD204")),
        ("health: {down_below: 75}", ("10:22", "FD204")),
        ("health: []", ("10:9", "FD203")),
        ("health:", ("10:1", "FD203")),
        ("failback: {after: 8d}", ("10:19", "FD204")),
        ("failback: never", ("10:11", "FD204")),
        ("failback: {}", ("10:1", "FD202")),
        ("failback: {aftr: 5m}", ("10:12", "FD201")),
        ("limits: {min_regions: 0}", ("10:23", "FD204")),
        ("limits: {max_shift: 70 per 5m}", ("10:21", "FD204")),
        ("limits: {tuning: {max_shift: 70 per 5m}}", ("10:30", "FD204")),
        ("limits: {returning: {max_chnges: 5 per 1h}}", ("10:22", "FD201")),
        ("limits: {min_step: 5}", ("10:20", "FD204")),
        ("steering: wieghted", ("10:11", "FD205")),
        ("weights: 5", ("10:10", "FD205")),
        ("demand: 0", ("10:9", "FD204")),
        ("demand: .inf", ("10:9", "FD112")),
        ("runbook: see the wiki", ("10:10", "FD204")),
        (r'runbook: "https://x/\e]0;owned\a"', ("10:10", "FD204")),
        (r'runbook: "https://x/\x9b2J"', ("10:10", "FD204")),
        (r'runbook: "https://x/a\n"', ("10:10", "FD204")),
        ("on: [push]", ("10:1", "FD201")),
        ("owner: []", ("10:8", "FD203")),
    ],
)
def test_a_wrong_value_is_told_once_and_where_it_stands(folder: Folder, change: str, expected: tuple[str, str]) -> None:
    assert told(folder.only(POLICY + change + "\n")) == [expected]


@pytest.mark.parametrize("key", ["version", "policy", "records", "regions", "checks"])
def test_a_required_key_that_is_missing_is_named(folder: Folder, key: str) -> None:
    lines = POLICY.splitlines(keepends=True)
    start = next(index for index, line in enumerate(lines) if line.startswith(f"{key}:"))
    end = next((index for index in range(start + 1, len(lines)) if not lines[index].startswith(" ")), len(lines))
    (found,) = folder.only("".join(lines[:start] + lines[end:]))
    assert (found.code.value, found.message) == ("FD202", f'the file lacks "{key}"')


def test_a_misspelt_required_key_is_one_error(folder: Folder) -> None:
    (found,) = folder.only(POLICY.replace("policy:", "polcy:"))
    assert (found.message, found.hint) == ('unknown key "polcy"', 'did you mean "policy"?')


def test_another_version_of_the_format_is_refused(folder: Folder) -> None:
    assert told(folder.only(POLICY.replace("version: 1", "version: 2"))) == [("1:10", "FD205")]


def test_a_mistake_in_every_record_does_not_also_say_that_there_is_none(folder: Folder) -> None:
    assert told(folder.only(POLICY.replace("type: A", "type: TXT"))) == [("4:35", "FD205")]


def test_a_list_without_items_says_how_many_it_needs(folder: Folder) -> None:
    (found,) = folder.only(POLICY.replace("[192.0.2.1]", "[]"))
    assert found.message == "regions.east.endpoints: it needs at least 1, and has 0"


def test_a_mapping_with_too_many_entries_says_how_many_it_has(folder: Folder) -> None:
    many = "".join(f"  d{number}: {{tcp: 9, address: 192.0.2.1}}\n" for number in range(40))
    found = folder.only(POLICY + f"dependencies:\n{many}")
    assert "dependencies: it needs at most 32, and has 40" in {each.message for each in found}


def test_a_name_that_is_no_name_is_told_at_the_key(folder: Folder) -> None:
    found = folder.only(policy().replace("live:", "Live Check:"))
    assert told(found) == [("9:3", "FD204")]
    assert "lower-case letters" in found[0].message


def test_names_of_markers_cannot_be_records(folder: Folder) -> None:
    assert told(folder.only(policy(record="_failoverd.api.example.net"))) == [("4:12", "FD204")]
    assert told(folder.only(policy(record=f"{'a.' * 118}example.net"))) == [("4:12", "FD204")]


# -- checks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "code", "hint"),
    [
        ("{loook: /}", "FD206", 'did you mean "look" instead of "loook"?'),
        ("{every: 5s}", "FD206", "give it one of: knock, look"),
        ("{look: /, knock: 5}", "FD207", "make it two checks"),
        ("{look: /, hots: x}", "FD201", 'did you mean "host"?'),
        ("{knock: 70000}", "FD204", "port to knock on"),
        ("{look: 5}", "FD203", "path to look at"),
        ("{look: /, every: 5}", "FD204", "time between probes of one endpoint"),
        ("[look]", "FD203", "how to probe an endpoint; the worst of several counts"),
    ],
)
def test_a_check_is_held_against_its_own_kind(folder: Folder, check: str, code: str, hint: str) -> None:
    (found,) = folder.only(POLICY.replace("{look: /health}", check))
    assert (found.code.value, found.hint, found.line) == (code, hint, 9)


def test_two_bad_checks_are_both_told(folder: Folder) -> None:
    found = folder.only(POLICY.replace("{look: /health}", "{loook: /}") + "  more: {look: 5}\n")
    assert told(found) == [("9:3", "FD206"), ("10:16", "FD203")]
