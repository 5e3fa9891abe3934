"""From a record that exists to a policy that leaves it exactly as it is, on a real BIND."""

import json
from pathlib import Path

import pytest
from support.accepting import accepting, hang_up
from support.daemons import EAST, NAME, WEST, Site, provider_block, site
from support.servers import ZONE, DnsServer

from failoverd.cli.verbs import _write_new
from failoverd.core.errors import FailoverdError

FINE, FAILED, USAGE = 0, 1, 2


async def importing(here: Site, *words: str) -> tuple[int, str]:
    return await here.control("import", "main", ZONE, *words)


async def first_plan(here: Site, policy: str, name: str) -> str:
    """Adopt, and what the first plan then says."""
    code, printed = await here.control("check")
    assert code == FINE, printed
    code, printed = await here.control("adopt", policy, name)
    assert code == FINE, printed
    code, printed = await here.control("plan", policy, "--output", "json")
    assert code == FINE, printed
    (found,) = json.loads(printed)
    return str(found["result"])


async def test_what_was_imported_and_adopted_has_nothing_pending(bind_server: DnsServer, tmp_path: Path) -> None:
    bind_server.edit(f"add {NAME}. 45 A {WEST}", f"add {NAME}. 45 A {EAST}")
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.policy.unlink()
        code, printed = await importing(
            here,
            NAME,
            *("--region", f"{WEST}=west", "--region", f"{EAST}=east"),
            *("--port", str(here.port), "--out", str(here.policy)),
        )
        assert code == FINE, printed
        assert f"failoverctl adopt api-example-test {NAME}" in printed
        assert "ttl: 45s" in here.policy.read_text()
        assert await first_plan(here, "api-example-test", NAME) == "in_sync"
        assert bind_server.dig(NAME, "A") == [WEST, EAST]


async def test_a_wildcard_in_other_letters_is_imported_and_adopted_as_people_write_it(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    held = f"*.xn--bcher-kva.{ZONE}"
    bind_server.edit(f"add {held}. 45 A {WEST}")
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        here.policy.unlink()
        named = ("--region", f"{WEST}=west", "--port", str(here.port), "--policy", "shop", "--out", str(here.policy))
        code, printed = await importing(here, f"*.Bücher.{ZONE}", *named)
        assert code == FINE, printed
        assert f'failoverctl adopt shop "{held}"' in printed
        assert f'name: "{held}"' in here.policy.read_text()
        assert await first_plan(here, "shop", f"*.bücher.{ZONE}") == "in_sync"
        assert bind_server.dig(f"any.xn--bcher-kva.{ZONE}", "A") == [WEST]
        assert bind_server.dig(f"_failoverd._wildcard.xn--bcher-kva.{ZONE}", "TXT") != []
        _, printed = await here.control("plan", "shop")
        assert f"*.bücher.{ZONE} ({held}) A at main" in printed


@pytest.mark.parametrize("weights", [(3, 1), (255, 109), (1, 1), (60_000, 3)])
async def test_weights_stay_as_a_person_wrote_them(
    bind_server: DnsServer, tmp_path: Path, weights: tuple[int, int]
) -> None:
    name = f"_api-{weights[0]}._tcp.{ZONE}"
    async with (
        accepting(hang_up, "localhost") as first,
        accepting(hang_up, "localhost") as second,
        site(tmp_path, {"main": provider_block("main", bind_server)}) as here,
    ):
        here.policy.unlink()
        regions = ["--region", f"localhost:{first}=west", "--region", f"localhost:{second}=east"]
        for weight, port in zip(weights, (first, second), strict=True):
            bind_server.edit(f"add {name}. 30 SRV 0 {weight} {port} localhost.")
        before = sorted(bind_server.dig(name, "SRV"))
        code, printed = await importing(here, name, "--policy", "srv", *regions, "--out", str(here.policy))
        assert code == FINE, printed
        assert await first_plan(here, "srv", name) == "in_sync"
        assert sorted(bind_server.dig(name, "SRV")) == before


async def test_without_names_each_answer_is_a_region_that_the_inventory_still_needs(
    bind_server: DnsServer, tmp_path: Path
) -> None:
    bind_server.edit(f"add {NAME}. 30 A {WEST}", f"add {NAME}. 30 A {EAST}")
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        code, printed = await importing(here, NAME, "--output", "json")
        assert code == FINE
        told = json.loads(printed)
        assert told["unlisted"] == ["region-1", "region-2"]
        assert f"region-1: {{endpoints: [{WEST}]}}" in told["text"]
        code, printed = await importing(here, NAME)
        assert (code, "region-2: {cloud: ...}" in printed) == (FINE, True)


async def test_a_cname_becomes_a_failover_policy(bind_server: DnsServer, tmp_path: Path) -> None:
    bind_server.edit(f"add www.{ZONE}. 60 CNAME east.example.net.")
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        code, printed = await importing(here, f"WWW.{ZONE}.", "--output", "json")
        assert code == FINE, printed
        text = json.loads(printed)["text"]
        assert "steering: failover" in text
        assert "region-1: {priority: 1, endpoints: [east.example.net]}" in text


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("import", "nobody", ZONE, NAME), "provider_unknown"),
        (("import", "main", "example.net", NAME), "zone_unknown"),
        (("import", "main", ZONE, "api.example.net"), "zone_unknown"),
        (("import", "main", ZONE, f"nothing.{ZONE}"), "record_unknown"),
        (("import", "main", ZONE, f"text.{ZONE}"), "record_unknown"),
        (("import", "main", ZONE, f"new.star.{ZONE}"), "record_unknown"),
        (("import", "main", ZONE, f"both.{ZONE}"), "type_open"),
        (("import", "main", ZONE, f"odd.{ZONE}"), "unsayable"),
        (("import", "main", ZONE, f"long.{ZONE}"), "unsayable"),
        (("import", "main", ZONE, f"uneven.{ZONE}", "--region", "a.example.net:1=w", "--region", "b.example.net:1=w"),
         "region_uneven"),
        (("import", "main", ZONE, f"both.{ZONE}", "--type", "A", "--region", "127.9.9.9=west"), "answer_unknown"),
        (("import", "main", ZONE, "bad..example.test"), "name_invalid"),
    ],
)  # fmt: skip
async def test_what_cannot_be_imported_says_why(
    bind_server: DnsServer, tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    bind_server.edit(f"add text.{ZONE}. 30 TXT hello", f"add both.{ZONE}. 30 A {WEST}", f"add both.{ZONE}. 30 AAAA ::1")
    bind_server.edit(f"add odd.{ZONE}. 30 SRV 10 1 443 a.example.net.", f"add long.{ZONE}. 604800 A {WEST}")
    bind_server.edit(f"add *.star.{ZONE}. 30 A {WEST}")
    bind_server.edit(
        f"add uneven.{ZONE}. 30 SRV 0 1 1 a.example.net.", f"add uneven.{ZONE}. 30 SRV 0 2 1 b.example.net."
    )
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        code, printed = await here.control(*words)
        assert (code, f"({reason})" in printed) == (FAILED, True), printed


async def test_an_existing_file_is_not_overwritten(bind_server: DnsServer, tmp_path: Path) -> None:
    bind_server.edit(f"add {NAME}. 30 A {WEST}")
    async with site(tmp_path, {"main": provider_block("main", bind_server)}) as here:
        before = here.policy.read_text()
        code, printed = await importing(here, NAME, "--out", str(here.policy))
        assert (code, "policy_unwritable" in printed) == (FAILED, True), printed
        assert here.policy.read_text() == before
        code, printed = await importing(here, NAME, "--region", "nonsense")
        assert code == USAGE


def test_a_file_that_says_the_same_already_is_what_was_wanted(tmp_path: Path) -> None:
    out = tmp_path / "api.yaml"
    _write_new(out, "policy: api\n")
    _write_new(out, "policy: api\n")
    for other in ("policy: web\n", "policy\n"):
        with pytest.raises(FailoverdError, match="policy_unwritable"):
            _write_new(out, other)
    assert out.read_text() == "policy: api\n"
