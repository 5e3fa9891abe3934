"""`failoverctl probe` against real servers on loopback: every kind of target, what is told, and how it ends."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.benchmarks import full_disk
from support.commands import REGIONS, answered
from support.forked import forked
from support.inference_api import KEY, MODEL, Api, inference_api
from support.targets import OK, Target, answers, greets, refusing, response, serve

from failoverd.core.probe_reasons import ProbeReason
from failoverd.store.journal import open_journal

FINE, FAILED, USAGE = 0, 1, 2
PER_DAY, SPENT = 10_000, 13
"""Tokens: the default of `tokens_per_day`, and what the server says that a completion cost."""

EAST, WEST, NOBODY = "127.0.0.4", "127.0.0.2", "127.0.0.3"

CONFIG = """\
version: 1
owner: tests
policies: policies
journal: journal.db
check_files: [.]
resolver: ["127.0.0.1:9"]
providers:
  main: {kind: rfc2136, zones: [example.test], server: "127.0.0.1:9", nameservers: none, key: KEY}
"""

POLICY = """\
version: 1
policy: shop
records:
  - {name: shop.example.test, type: A, ttl: 5s, providers: [main]}
weights: membership
regions:
  west: {share: 50, endpoints: ["%(west)s"]}
  east: {share: 50, endpoints: ["%(east)s"]}
checks:
%(checks)s
"""
CHECKS = "  live: {http: /health, timeout: 1s}\n  port: {tcp: 80, timeout: 1s}"


@dataclass
class Told:
    code: int
    out: str
    notes: str

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    def places(self) -> set[tuple[str, str]]:
        return {(each["region"], each["check"]) for each in self.json["probes"]}


@dataclass
class Site:
    """Two regions that answer, and the files that name them."""

    folder: Path
    west: Target
    east: Target

    @property
    def config(self) -> Path:
        return self.folder / "failoverd.yaml"

    def write_policy(self, checks: str = CHECKS, **places: str) -> None:
        where = {"west": _text(self.west), "east": _text(self.east)} | places
        (self.folder / "policies" / "shop.yaml").write_text(POLICY % {**where, "checks": checks})

    async def probe(self, *words: str) -> Told:
        return await probe(*words, "--config", str(self.config))


def _text(target: Target) -> str:
    return f"{target.host}:{target.port}"


async def probe(*words: str) -> Told:
    done = await answered("probe", *words, columns=120)
    assert "Traceback" not in done.err
    return Told(done.code, done.out.decode(), done.err)


async def probe_into(stdout: int, *words: str) -> Told:
    """In a process of its own, whose standard output goes there."""
    process = await forked(
        *("failoverd.cli.operator", "probe", *words),
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "120", "LC_ALL": "C.UTF-8"},
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        _, notes = await process.communicate()
    assert process.returncode is not None
    assert b"Traceback" not in notes, notes.decode()
    return Told(process.returncode, "", notes.decode())


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    (tmp_path / "policies").mkdir()
    key = tmp_path / "tsig.key"
    key.write_text('key "k" { algorithm hmac-sha256; secret "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"; };\n')
    block = f"{{name: k, algorithm: hmac-sha256, secret_file: {key}}}"
    (tmp_path / "failoverd.yaml").write_text(CONFIG.replace("KEY", block))
    (tmp_path / "policies" / "regions.yaml").write_text(REGIONS)
    async with AsyncExitStack() as stack:
        west = await stack.enter_async_context(serve(answers(OK), WEST))
        east = await stack.enter_async_context(serve(answers(OK), EAST))
        here = Site(tmp_path, west, east)
        here.write_policy()
        yield here


# -- what a target may be ----------------------------------------------------------------------------------------------


async def test_a_policy_is_everything_that_it_probes(site: Site) -> None:
    told = await site.probe("shop", "--output", "json")
    assert (told.code, told.json["ok"]) == (FINE, True), told
    assert told.places() == {(region, check) for region in ("west", "east") for check in ("live", "port")}
    assert len(site.west.requests) == len(site.east.requests) == 1


async def test_a_region_is_all_of_its_endpoints(site: Site) -> None:
    told = await site.probe("west", "--output", "json")
    assert told.places() == {("west", "live"), ("west", "port")}
    assert site.east.connections == 0


@pytest.mark.parametrize("form", ["{host}", "{host}:{port}", "east/{host}:{port}"])
async def test_an_endpoint_is_named_by_its_address(site: Site, form: str) -> None:
    told = await site.probe(form.format(host=EAST, port=site.east.port), "--check", "live", "--output", "json")
    assert (told.code, told.places()) == (FINE, {("east", "live")}), told


async def test_a_dependency_is_probed_as_a_region_is(site: Site) -> None:
    with (site.folder / "policies" / "shop.yaml").open("a") as file:
        file.write(f"dependencies:\n  database: {{tcp: 5432, address: '{_text(site.east)}'}}\n")
    told = await site.probe("database", "--output", "json")
    assert (told.code, told.places()) == (FINE, {("database", "database")}), told


async def test_a_web_page_needs_no_policy(tmp_path: Path) -> None:
    async with serve(answers(OK)) as target:
        url = f"http://{_text(target)}/health?deep=1"
        told = await probe(url, "--output", "json", "--config", str(tmp_path / "nosuch.yaml"))
        assert target.requests[0].startswith("GET /health?deep=1 HTTP/1.1")
    (shown,) = told.json["probes"]
    assert (told.code, shown["outcome"], shown["kind"]) == (FINE, "pass", "http")


async def test_a_port_that_talks_needs_no_policy() -> None:
    async with serve(greets(b"SSH-2.0\r\n")) as target:
        told = await probe(f"tcp://{_text(target)}", "--output", "json")
    assert (told.code, told.json["probes"][0]["reason"]) == (FINE, "ok")


@pytest.mark.parametrize(
    ("form", "kind", "reasons"),
    [
        ("https://{place}/", "https", {"connect_refused"}),
        ("tls://{place}", "tls", {"connect_refused"}),
        ("grpc://{place}/shop.Basket", "grpc", {"connect_refused"}),
        ("dns://{place}/www.example.test", "dns", {"connect_refused"}),
        ("icmp://127.0.0.1", "icmp", {"ok", "not_permitted"}),  # whether ping sockets are allowed is the host's to say
    ],
)
async def test_each_scheme_is_a_kind_of_check(form: str, kind: str, reasons: set[str]) -> None:
    with refusing() as nobody:
        told = await probe(form.format(place=_text(nobody)), "--output", "json")
    (shown,) = told.json["probes"]
    assert (shown["kind"], shown["reason"] in reasons) == (kind, True), shown
    assert told.code == (FINE if shown["reason"] == "ok" else FAILED)


# -- what is told ------------------------------------------------------------------------------------------------------


async def test_people_see_each_phase_and_what_a_failure_means(site: Site) -> None:
    with refusing(NOBODY) as nobody:
        site.write_policy("  live: {http: /health, timeout: 1s}", west=_text(nobody))
        told = await site.probe("shop")
    assert told.code == FAILED
    west, _, east = told.out.partition("shop  east/")
    assert west.startswith(f"shop  west/{_text(nobody)}  live (http)\n  FAIL  connect_refused: Connection refused\n")
    assert ProbeReason.CONNECT_REFUSED.meaning in west
    assert "PASS  ok: 200 OK" in east
    drawn = [line.split()[0] for line in east.splitlines() if "█" in line]
    assert drawn == ["connect", "first", "total"]
    assert told.out.splitlines()[-1] == "2 probes: 1 pass, 1 fail"


async def test_programs_get_one_object_with_the_same_keys_always(site: Site) -> None:
    with refusing(NOBODY) as nobody:
        site.write_policy("  live: {http: /health, timeout: 1s}", west=_text(nobody))
        told = await site.probe("shop", "--output", "json")
    assert told.code == FAILED
    west, east = told.json["probes"]
    assert {**told.json, "probes": []} == {
        "target": "shop",
        "ok": False,
        "outcomes": {"pass": 1, "degraded": 0, "fail": 1, "blind": 0},
        "probes": [],
    }
    keys = "round policy region endpoint check kind at outcome reason detail meaning timings measures"
    assert west.keys() == east.keys() == set(keys.split())
    assert (west["outcome"], west["reason"], east["outcome"]) == ("fail", "connect_refused", "pass")
    assert west["timings"].keys() == {"total", "resolve", "connect", "tls", "first_byte"}
    assert west["timings"]["first_byte"] is None
    assert 0 < east["timings"]["connect"] <= east["timings"]["total"]


async def test_degraded_is_well_enough() -> None:
    async with serve(answers(response("429 Too Many Requests"))) as busy:
        told = await probe(f"http://{_text(busy)}/")
    assert (told.code, "DEGRADED  overloaded" in told.out) == (FINE, True), told


async def test_blind_is_said_to_be_about_this_machine(site: Site) -> None:
    site.write_policy("  plugin: {exec: [/nonexistent/check_shop]}")
    told = await site.probe("west")
    assert (told.code, "BLIND  plugin_unusable" in told.out) == (FAILED, True), told
    assert ProbeReason.PLUGIN_UNUSABLE.meaning in told.out
    assert "BLIND says nothing about the endpoint: the daemon would not move traffic for it." in told.out


async def test_rounds_follow_each_other(site: Site) -> None:
    words = ("west", "--check", "live", "--count", "3", "--every", "100ms")
    told = await site.probe(*words, "--output", "json")
    assert [each["round"] for each in told.json["probes"]] == [1, 2, 3]
    first, _, last = (shown["at"] for shown in told.json["probes"])
    assert first < last
    assert len(site.west.requests) == 3
    told = await site.probe(*words)
    assert [line for line in told.out.splitlines() if "round" in line] == [f"round {each} of 3" for each in (1, 2, 3)]


async def test_what_a_server_says_steers_no_terminal() -> None:
    async with serve(answers(b"HTTP/1.1 500 \x1b[31mred\r\nContent-Length: 0\r\n\r\n")) as hostile:
        told = await probe(f"http://{_text(hostile)}/")
    assert (told.code, "\x1b" in told.out) == (FAILED, False)


# -- what goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("",), "TARGET is empty: name a policy, a region or an endpoint, or write a URL such as https://host/path"),
        ((" ",), "TARGET is empty"),
        (("\x1b[2J",), "there is no policy, region or endpoint '\\x1b[2J'"),
        (("nothing.like.it",), "known here: shop, west, "),
        (("nothing.like.it",), "what no policy names is a URL, such as https://nothing.like.it"),
        (("http://",), "'http://' has no host: write http://host/path"),
        (("tcp://:80",), "'tcp://:80' has no host: write tcp://host:port"),
        (("://127.0.0.1",), "'://127.0.0.1' does not say how to probe: write https://host/path"),
        (("http://127.0.0.1:x/",), "is not a URL: Port could not be"),
        (("shp",), 'did you mean "shop"?'),
        (("wst",), 'did you mean "west"?'),
        (("127.0.0.22",), 'did you mean "127.0.0.2"?'),
        (("shop", "--policy", "shopp"), 'did you mean "shop"?'),
        (("shop", "--check", "life"), 'did you mean "live"?'),
        (("shop", "--every", "soon"), "is not a duration"),
        (("htp://127.0.0.1/",), 'did you mean "http"?'),
        (("tcp://127.0.0.1",), "write tcp://host:port"),
        (("icmp://127.0.0.1:80",), "icmp has no ports"),
        (("grpc://127.0.0.1:80/x?y=1",), "write grpc://host:port/service"),
        (("dns://127.0.0.1/",), "write dns://server/name"),
        (("http://127.0.0.1/", "--check", "live"), "without any policy"),
    ],
)
async def test_what_cannot_be_understood_is_usage(site: Site, words: tuple[str, ...], hint: str) -> None:
    told = await site.probe(*words)
    assert (told.code, told.out) == (USAGE, ""), told
    assert hint in " ".join(told.notes.split())
    assert site.west.connections == site.east.connections == 0


async def test_a_policy_that_does_not_load_is_pointed_out(site: Site) -> None:
    site.write_policy("  live: {htpp: /health}")
    told = await site.probe("shop")
    assert (told.code, "failoverctl check says why" in " ".join(told.notes.split())) == (USAGE, True), told


async def test_a_configuration_that_is_not_there_is_named(site: Site) -> None:
    site.config.unlink()
    told = await site.probe("shop")
    assert (told.code, str(site.config) in told.notes, "(config_invalid)" in told.notes) == (FAILED, True, True), told


async def test_without_a_configuration_a_url_is_the_way(site: Site) -> None:
    site.config.unlink()
    told = await site.probe("www.example.test")
    assert (told.code, "a URL such as https://host/path needs no configuration" in told.notes) == (FAILED, True), told


async def test_an_empty_target_is_usage_without_a_configuration_as_well(site: Site) -> None:
    site.config.unlink()
    told = await site.probe("")
    assert (told.code, "TARGET is empty" in told.notes) == (USAGE, True), told


@pytest.mark.parametrize("output", ["text", "json"])
async def test_a_full_disk_under_standard_output_is_named(site: Site, output: str) -> None:
    with full_disk() as full:
        told = await probe_into(full, "shop", "--output", output, "--config", str(site.config))
    assert told.code == FAILED
    assert "standard output (/dev/full) cannot be written: No space left on device (output_unwritable)" in told.notes
    assert "internal_error" not in told.notes
    assert "Exception ignored" not in told.notes


async def test_a_reader_that_has_gone_is_no_failure_to_tell_of(site: Site) -> None:
    """As in `failoverctl probe shop | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        told = await probe_into(writer, "shop", "--config", str(site.config))
    finally:
        os.close(writer)
    assert (told.code, told.notes) == (FINE, "")


async def test_a_check_that_cannot_be_set_up_says_so_and_what_to_do(site: Site) -> None:
    site.write_policy("  live: {https: /health, ca_file: /nonexistent/ca.pem}")
    told = await site.probe("shop")
    assert (told.code, "/nonexistent/ca.pem" in told.notes, "remedy: " in told.notes) == (FAILED, True, True), told


# -- secrets and money -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["https://me:hunter2@127.0.0.1/", "https://me:hun/ter2@127.0.0.1/"])
async def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    told = await probe(url)
    assert told.code == USAGE
    assert "ter2" not in told.out + told.notes


async def test_a_token_in_a_query_is_not_repeated() -> None:
    told = await probe("https://127.0.0.1:99999/?token=hunter2")
    assert told.code == USAGE
    assert "hunter2" not in told.out + told.notes


@pytest.fixture
async def model(site: Site) -> AsyncIterator[Api]:
    async with inference_api() as api:
        key = site.folder / "api.key"
        key.write_text(KEY)
        check = f"  llm: {{inference: /v1, model: {MODEL}, completion_every: 1m, api_key_file: {key}}}"
        site.write_policy(check, west=api.endpoint.text)
        yield api


async def test_no_token_is_spent_unasked_and_no_key_is_shown(site: Site, model: Api) -> None:
    told = await site.probe("west", "--output", "json")
    (shown,) = told.json["probes"]
    assert (told.code, shown["outcome"], shown["measures"]["completion_left_out"]) == (FINE, "pass", 1.0), told
    assert "add --spend to ask" in told.notes
    assert shown["detail"].endswith("; no completion: probe and benchmark spend no tokens without --spend")
    assert not (site.folder / "journal.db").exists()
    assert not any("completions" in path for path in model.asked)
    assert KEY not in told.out + told.notes


async def test_what_may_be_spent_is_said_before_it_is(site: Site, model: Api) -> None:
    told = await site.probe("west", "--spend", "--output", "json")
    assert (told.code, told.json["probes"][0]["measures"]["completion_left_out"]) == (FINE, 0.0), told
    assert "at most 133 tokens" in told.notes
    assert sum("completions" in path for path in model.asked) == 1
    assert KEY not in told.out + told.notes


async def test_tokens_come_out_of_the_allowance_that_the_daemon_has(site: Site, model: Api) -> None:
    key, today = str(site.folder / "api.key"), time.strftime("%Y-%m-%d", time.gmtime())
    async with open_journal(site.folder / "journal.db") as daemons:
        told = await site.probe("west", "--spend", "--output", "json")
        assert told.json["probes"][0]["measures"]["completion_left_out"] == 0.0
        assert "out of the allowance that the daemon spends from" in told.notes
        assert not await daemons.reserve(key, today, PER_DAY - SPENT + 1, PER_DAY)
        assert await daemons.reserve(key, today, PER_DAY - SPENT, PER_DAY)
        told = await site.probe("west", "--spend", "--output", "json")
    (shown,) = told.json["probes"]
    assert (shown["outcome"], shown["measures"]["completion_left_out"]) == ("pass", 1.0)
    assert shown["detail"].endswith("; no completion: no tokens are left to spend today")
    assert sum("completions" in path for path in model.asked) == 1


async def test_without_the_daemons_journal_nothing_is_spent_and_nothing_is_asked(site: Site, model: Api) -> None:
    (site.folder / "journal.db").mkdir()
    told = await site.probe("west", "--spend")
    assert (told.code, told.out, model.asked) == (FAILED, "", []), told
    assert f"{site.folder / 'journal.db'}: it is not a regular file" in told.notes
    assert "(journal_not_a_file)\nremedy: " in told.notes
    assert "leave --spend out" in told.notes
