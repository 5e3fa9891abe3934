"""`failoverctl check`: of paths alone, of paths beside a configuration, and of all that a configuration needs."""

import json
import os
import pwd
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.alarms import within
from support.commands import CONFIG, POLICY, REGIONS, Ended, failoverctl, written
from support.files import publish

from failoverd import providers
from failoverd.cli.checking import AnswerForm, check_everything
from failoverd.cli.options import CheckOutput
from failoverd.config import machine
from failoverd.core.overrides import Comment, Override, Scope, Verb
from failoverd.store.journal import open_journal

FINE, FAILED, USAGE = 0, 1, 2
EDGE = POLICY.replace("policy: shop", "policy: edge").replace("shop.example", "edge.example")
SIGNED = """\
version: 1
owner: tests
policies: policies
journal: journal.db
resolver: ["127.0.0.1:9"]
providers:
  local:
    kind: rfc2136
    zones: [example.test]
    server: "127.0.0.1:9"
    key: {name: failoverd, secret_file: %s}
"""


@pytest.fixture(autouse=True)
def _no_configuration_by_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FAILOVERD_CONFIG", str(tmp_path / "nowhere.yaml"))


def folder(tmp_path: Path, **policies: str) -> Path:
    """A repository of policies: an inventory and these files, and nothing of a daemon."""
    (tmp_path / "repository").mkdir()
    for name, text in {"regions": REGIONS, **policies}.items():
        (tmp_path / "repository" / f"{name}.yaml").write_text(text)
    return tmp_path / "repository"


def codes(told: Ended) -> list[tuple[str, str]]:
    found: list[dict[str, Any]] = json.loads(told.out)["diagnostics"]
    return [(Path(each["file"]).name, each["code"]) for each in found]


# -- paths -------------------------------------------------------------------------------------------------------------


def test_a_folder_of_policies_needs_neither_daemon_nor_configuration(tmp_path: Path) -> None:
    told = failoverctl("check", folder(tmp_path, shop=POLICY, edge=EDGE))
    assert (told.code, told.said) == (FINE, "fine: 2 policies: edge, shop\n")


def test_one_file_is_judged_alone(tmp_path: Path) -> None:
    here = folder(tmp_path, shop=POLICY, edge="version: 1\n")
    told = failoverctl("check", here / "shop.yaml")
    assert (told.code, told.said) == (FINE, "fine: 1 policy: shop\n")
    assert failoverctl("check", here / "edge.yaml").code == FAILED


def test_every_error_of_every_path_is_told_at_once(tmp_path: Path) -> None:
    here = folder(tmp_path, shop=POLICY.replace("west:", "wset:"), edge=EDGE.replace("timeout: 1s", "timeout: 1"))
    told = failoverctl("check", here / "shop.yaml", here / "edge.yaml", here / "nobody.yaml", "--output", "json")
    assert told.code == FAILED
    assert codes(told) == [("edge.yaml", "FD204"), ("nobody.yaml", "FD101"), ("shop.yaml", "FD301")]
    assert json.loads(told.out)["policies"] == []


def test_what_a_record_needs_of_its_region_is_seen_without_a_provider(tmp_path: Path) -> None:
    here = folder(tmp_path, shop=POLICY.replace("live: {tcp: 9", "live: {tcp: 9, every: 500ms"))
    assert codes(failoverctl("check", here, "--output", "json")) == [("shop.yaml", "FD401")]
    (here / "shop.yaml").write_text(POLICY + "limits: {min_regions: 2}\n")
    assert codes(failoverctl("check", here, "--output", "json")) == [("shop.yaml", "FD403")]


def test_a_link_out_of_the_folder_shows_no_word_of_what_it_leads_to(tmp_path: Path) -> None:
    """A branch of strangers may hold it, and whose CI runs this may read what they may not."""
    here = folder(tmp_path, shop=POLICY)
    (tmp_path / "secrets").write_text("STRIPE: CANARY-live\nversion: CANARY-value\n")
    (here / "link.yaml").symlink_to("../secrets")
    (tmp_path / "beside").symlink_to(here)
    for named in (here, here / "link.yaml", tmp_path / "beside" / "link.yaml"):
        for output in ("text", "json"):
            told = failoverctl("check", named, "--output", output)
            assert told.code == FAILED
            assert "link.yaml" in told.said
            assert "check the file in its own place" in told.said
            assert "CANARY" not in told.said
            assert "STRIPE" not in told.said
    (tmp_path / "regions.yaml").write_text(REGIONS)
    assert "STRIPE" in failoverctl("check", tmp_path / "secrets").said


def test_a_folder_that_is_a_link_to_somewhere_else_shows_no_word_either(tmp_path: Path) -> None:
    here = folder(tmp_path)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "hosts.yml").write_text("CANARY: 1\n")
    (here / "policies").symlink_to("../home")
    assert "CANARY" not in failoverctl("check", here / "policies").said


def test_links_that_stay_in_the_folder_are_told_of_as_files_are(tmp_path: Path) -> None:
    here = tmp_path / "mounted"
    here.mkdir()
    publish(here, "1", {"regions.yaml": REGIONS, "shop.yaml": POLICY})
    assert failoverctl("check", here).said == "fine: 1 policy: shop\n"
    publish(here, "2", {"shop.yaml": POLICY.replace("policy: shop", "polcy: shop"), "regions.yaml": REGIONS})
    assert 'did you mean "policy"?' in failoverctl("check", here).said


def test_two_files_that_want_one_name_are_told_wherever_they_are(tmp_path: Path) -> None:
    here = folder(tmp_path, shop=POLICY)
    other = tmp_path / "other"
    other.mkdir()
    (other / "regions.yaml").write_text(REGIONS)
    (other / "edge.yaml").write_text(EDGE.replace("edge.example", "shop.example"))
    told = failoverctl("check", here, other, "--output", "json")
    assert (told.code, [code for _, code in codes(told)]) == (FAILED, ["FD304"])


def test_an_inventory_and_a_configuration_are_known_for_what_they_are(tmp_path: Path) -> None:
    here = written(tmp_path)
    inventory = here.parent / "policies" / "regions.yaml"
    assert failoverctl("check", inventory, here).said == "fine: 0 policies: none\n"
    inventory.write_text(REGIONS.replace("cloud: oci", "cluod: oci"))
    here.write_text(CONFIG.replace("owner: tests\n", ""))
    told = failoverctl("check", inventory, here, "--output", "json")
    assert (told.code, sorted(codes(told))) == (
        FAILED,
        [("failoverd.yaml", "FD202")] + [("regions.yaml", each) for each in ("FD201",)],
    )


def test_a_folder_without_an_inventory_says_so(tmp_path: Path) -> None:
    here = folder(tmp_path, shop=POLICY)
    (here / "regions.yaml").unlink()
    assert codes(failoverctl("check", here, "--output", "json")) == [("regions.yaml", "FD101")]


# -- paths beside a configuration --------------------------------------------------------------------------------------


def test_a_configuration_is_heeded_beside_paths_when_it_is_written_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = folder(tmp_path, shop=POLICY.replace("[local]", "[lcoal]"))
    config = written(tmp_path / "etc")
    monkeypatch.setenv("FAILOVERD_CONFIG", str(config))
    assert failoverctl("check", here).code == FINE
    told = failoverctl("check", here, "--config", config)
    assert (told.code, 'did you mean "local"?' in told.said) == (FAILED, True)


def test_paths_are_nobodys_machine(tmp_path: Path) -> None:
    config = written(tmp_path, config=SIGNED % "/nonexistent/tsig.key")
    policy = POLICY + "weights: membership\n"
    (tmp_path / "policies" / "shop.yaml").write_text(policy)
    assert failoverctl("check", tmp_path / "policies", "--config", config).code == FINE
    assert failoverctl("check", "--config", config).code == FAILED


# -- all that a configuration needs ------------------------------------------------------------------------------------


def everything(tmp_path: Path, secret: str, *, config: str = SIGNED) -> Ended:
    path = written(tmp_path, {"shop.yaml": POLICY + "weights: membership\n"}, config % secret)
    return failoverctl("check", "--config", path, "--output", "json")


def severities(told: Ended) -> list[tuple[str, str]]:
    return [(each["code"], each["severity"]) for each in json.loads(told.out)["diagnostics"]]


def test_a_key_file_that_is_not_there_is_an_error_at_its_place(tmp_path: Path) -> None:
    told = everything(tmp_path, "/nonexistent/tsig.key")
    (found,) = json.loads(told.out)["diagnostics"]
    assert (told.code, found["code"], found["line"]) == (FAILED, "FD501", 11)
    assert found["message"] == "/nonexistent/tsig.key cannot be read: No such file or directory"


@pytest.mark.parametrize("place", ["tsig.key", "../tsig.key"])
def test_a_file_is_looked_for_from_the_file_that_names_it_wherever_somebody_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """So does the daemon read what `check` has seen, whose working directory is another."""
    policy, api = (
        {"shop.yaml": POLICY + "weights: membership\n"},
        "api: {tcp: {listen: '127.0.0.1:1', tokens_file: %s}}\n",
    )
    receiver = "notify: {desk: {webhook: 'http://127.0.0.1:1', token_file: %s}}\n"
    config = written(tmp_path / "etc", policy, (SIGNED + api + receiver).replace("%s", place))
    monkeypatch.chdir(tmp_path)
    for path in (config, Path("etc/failoverd.yaml")):
        found = json.loads(failoverctl("check", "--config", path, "--output", "json").out)["diagnostics"]
        assert [(each["code"], each["message"].split()[0]) for each in found] == [
            ("FD501", str(path.parent / place))
        ] * 3
    (config.parent / place).write_text("c2VjcmV0\n")
    for path in (config, Path("etc/failoverd.yaml")):
        assert "FD501" not in failoverctl("check", "--config", path).said


def test_a_key_file_that_is_none_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with within(10.0):
        told = everything(tmp_path / "etc", str(tmp_path / "fifo"))
    (found,) = json.loads(told.out)["diagnostics"]
    assert (told.code, found["code"]) == (FAILED, "FD501")
    assert found["message"].endswith("fifo cannot be read: it is not a regular file")


def test_a_key_file_at_the_home_of_a_user_without_one_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    told = everything(tmp_path, "~/tsig.key")
    assert (told.code, severities(told)) == (FAILED, [("FD501", "error")])


def test_what_the_service_manager_puts_there_is_worth_a_look_until_the_service_runs(tmp_path: Path) -> None:
    told = everything(tmp_path, "/run/credentials/nobody.service/tsig.key")
    assert (told.code, severities(told)) == (FINE, [("FD501", "warning")])
    assert check_everything(tmp_path / "failoverd.yaml", AnswerForm(CheckOutput.JSON), on_site=True) == FAILED


def test_a_journal_without_a_folder_is_worth_a_look(tmp_path: Path) -> None:
    key = tmp_path / "tsig.key"
    key.write_text("c2VjcmV0\n")
    told = everything(tmp_path / "a", str(key), config=SIGNED.replace("journal.db", "nowhere/journal.db"))
    assert (told.code, severities(told)) == (FINE, [("FD503", "warning")])
    told = everything(tmp_path / "b", str(key), config=SIGNED.replace("journal.db", "failoverd.yaml/journal.db"))
    assert (told.code, severities(told)) == (FAILED, [("FD503", "error")])


def test_a_pipe_in_the_place_of_the_journal_is_an_error_before_the_daemon_meets_it(tmp_path: Path) -> None:
    key = tmp_path / "tsig.key"
    key.write_text("c2VjcmV0\n")
    os.mkfifo(tmp_path / "fifo")
    told = everything(tmp_path / "site", str(key), config=SIGNED.replace("journal.db", str(tmp_path / "fifo")))
    assert (told.code, severities(told)) == (FAILED, [("FD503", "error")])


def test_an_sdk_that_is_not_installed_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_installed", lambda module: module != "botocore")
    path = written(tmp_path, config=CONFIG.replace("embedded", "route53").replace(', listen: "127.0.0.1:9"', ""))
    told = failoverctl("check", "--config", path)
    assert (told.code, "provider local (route53) needs botocore, which is not installed" in told.said) == (FAILED, True)
    assert (
        "pip install 'failoverd[aws]' (Debian: apt install failoverd-aws; container image: built with EXTRAS=aws)"
        in (told.said)
    )


@pytest.mark.parametrize(
    "kind", [kind for kind in providers.kinds().values() if kind.extra], ids=lambda kind: kind.name
)
def test_each_kind_names_an_sdk_that_its_extra_brings(kind: Any) -> None:  # noqa: ANN401 - of any settings
    source = "\n".join(path.read_text() for path in Path(str(providers.__path__[0])).rglob("*.py"))
    for module in kind.sdk:
        assert machine._installed(module)
        assert re.search(rf"^ *(from|import) {re.escape(module)}\b", source, re.MULTILINE), module
    assert not machine._installed("nobody.knows.this")


def test_a_check_whose_file_is_not_there_is_an_error_in_json_as_well(tmp_path: Path) -> None:
    policy = POLICY.replace("live: {tcp: 9", "live: {https: /, ca_file: /nonexistent/ca.pem")
    told = failoverctl("check", "--config", written(tmp_path, {"shop.yaml": policy}), "--output", "json")
    assert (told.code, severities(told)) == (FAILED, [("FD504", "error")])
    assert json.loads(told.out)["policies"] == []


def test_what_the_api_could_not_use_and_a_certificate_that_nobody_would_take_are_told(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("api.pem", "api.key", "tokens")}
    said = f"certificate_file: {files['api.pem']}, key_file: {files['api.key']}, tokens_file: {files['tokens']}"
    config = written(tmp_path / "etc", config=f"{CONFIG}api: {{tcp: {{listen: '192.0.2.1:8443', {said}}}}}\n")

    def sign(days: int, tokens: str = "") -> Ended:
        made = trustme.CA().issue_cert("here.example", not_after=datetime.now(UTC) + timedelta(days=days, hours=1))
        files["api.pem"].write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))
        made.private_key_pem.write_to_path(files["api.key"])
        files["tokens"].write_text(tokens)
        return failoverctl("check", "-c", config, "--output", "json")

    assert severities(sign(90)) == []
    assert severities(sign(3)) == [("FD505", "warning")]
    assert severities(sign(-3)) == [("FD505", "error")]
    assert severities(sign(90, "new read abc 2027-06-30\n")) == [("FD505", "error")]
    files["api.key"].write_text("garbage")
    assert severities(failoverctl("check", "-c", config, "--output", "json"))[0] == ("FD505", "error")


# -- words of others ---------------------------------------------------------------------------------------------------


EVIL = r'"\e[2J\e]0;owned\a\x9b1m\u202e"'

EVIL_POLICIES = {
    "a name": f"version: 1\npolicy: {EVIL}\n",
    "a key": f"version: 1\n{EVIL}: 1\n",
    "a region": f"version: 1\npolicy: api\nregions: {{{EVIL}: {{share: 1}}}}\n",
    "a check": f"version: 1\npolicy: api\nchecks: {{live: {{http: {EVIL}, pattern: {EVIL}}}}}\n",
    "a record": f"version: 1\npolicy: api\nrecords: [{{name: {EVIL}, type: {EVIL}, ttl: {EVIL}}}]\n",
    "no YAML": 'version: 1\n"\x1b[2J": {{\n',
}


@pytest.mark.parametrize("output", CheckOutput)
@pytest.mark.parametrize("text", EVIL_POLICIES.values(), ids=EVIL_POLICIES)
def test_what_a_file_holds_is_shown_and_not_obeyed(tmp_path: Path, text: str, output: CheckOutput) -> None:
    config = written(tmp_path / "etc", {"a\x1b[2J.yaml": text})
    ended = failoverctl("check", "--config", config, "--output", output)
    assert ended.code == FAILED
    assert "FD" in ended.said
    assert ended.said.replace("\n", "").isprintable(), ended.said


# -- what operators said -----------------------------------------------------------------------------------------------


async def test_an_override_of_a_region_that_was_renamed_since_is_told_and_of_one_that_is_there_is_not(
    tmp_path: Path,
) -> None:
    config = written(tmp_path)
    now = time.time()
    async with open_journal(tmp_path / "journal.db") as journal:
        for number, region in enumerate(("mars", "west")):
            scope = Scope(regions=(region,))
            said = (Comment(now, "alice@host", "rack maintenance"),)
            await journal.say(Override(f"drain-0000000{number}", Verb.DRAIN, scope, "alice@host", now, now + 600, said))
    told = failoverctl("check", "-c", config)
    assert told.code == FINE
    assert "FD413" in told.said
    assert "drain-00000000 of region mars (rack maintenance) concerns nothing" in " ".join(told.said.split())
    assert "failoverctl release drain-00000000" in " ".join(told.said.split())
    assert "drain-00000001" not in told.said
