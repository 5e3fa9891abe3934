"""Secrets that somebody wrote into a file: refused with the place, and not shown."""

import pytest
from support.files import CONFIG, INVENTORY, KINDS, POLICY, Folder, told

from failoverd.config.diagnostics import Diagnostic
from failoverd.config.loader import load_config

VALUE = "hunter2hunter2"
KEY = "-----BEGIN RSA PRIVATE KEY----- abc"


def about_config(folder: Folder, line: str) -> list[Diagnostic]:
    """What is said of a daemon's configuration with one more line in its first provider."""
    path = folder.root / "failoverd.yaml"
    block = "  bind:\n    kind: plain\n    zones: [example.com]\n    server: 192.0.2.53\n"
    path.write_text(CONFIG[: CONFIG.index("  bind:")] + block + f"    {line}\n")
    loaded = load_config(path, KINDS)
    assert loaded.config is None
    return list(loaded.diagnostics)


@pytest.mark.parametrize(
    "line",
    [
        f"secret: {VALUE}",
        f"client_secret: {VALUE}",
        f'"Secret-Access-Key": {VALUE}',
        f"password: {VALUE}",
        f"api_key: {VALUE}",
        f"key_content: {KEY}",
        f"passphrase: {VALUE}",
        f"access_key: {VALUE}",
        f"X-Api-Key: {VALUE}",
        f"private-key: {VALUE}",
        f"endpoint: redis://:{VALUE}@localhost/",
        f"security_token: {VALUE}",
        "access_key_id: AKIAIOSFODNN7EXAMPLE",
        f"endpoint: https://admin:{VALUE}@localhost/",
        f"anything: {KEY}",
    ],
)
def test_a_secret_in_the_configuration_is_refused_once_with_its_place_and_not_shown(folder: Folder, line: str) -> None:
    (found,) = about_config(folder, line)
    assert told([found]) == [("10:5", "FD209")]
    assert "file of its own" in found.hint
    for shown in (found.render(), str(found.plain())):
        assert not any(secret in shown for secret in (VALUE, "AKIAIOSFODNN7EXAMPLE", "RSA PRIVATE"))


@pytest.mark.parametrize("line", ["secret_file: /run/credentials/x", "token_path: /run/t", "credential_name: main"])
def test_the_name_of_a_file_is_no_secret(folder: Folder, line: str) -> None:
    assert [code for _, code in told(about_config(folder, line))] == ["FD201"]


def test_a_list_of_secrets_is_not_shown(folder: Folder) -> None:
    found = about_config(folder, f"passwords: [{VALUE}]")
    assert {code for _, code in told(found)} == {"FD201", "FD209"}
    assert not any(VALUE in each.render() for each in found)


def test_the_name_of_a_zone_is_no_secret(folder: Folder) -> None:
    found = about_config(folder, "ids: {secret.example.com: Z1, tokens.example.org: Z2}")
    assert [code for _, code in told(found)] == ["FD201"]


def test_a_secret_in_a_policy_or_an_inventory_rejects_that_file(folder: Folder) -> None:
    assert told(folder.only(POLICY + f"api_token: {VALUE}\n")) == [("10:1", "FD209")]
    folder.write("policy.yaml", POLICY)
    folder.write("regions.yaml", INVENTORY + f"  south: {{cloud: aws, secret: {VALUE}}}\n")
    assert told(list(folder.load().diagnostics))[0] == ("6:23", "FD209")


def test_a_secret_in_a_list_is_found_as_well(folder: Folder) -> None:
    assert told(folder.only(POLICY + f"keys: [{KEY}]\n"))[-1] == ("10:8", "FD209")


@pytest.mark.parametrize("name", ["Authorization", "proxy-authorization", "Cookie", "X-Api-Key", "X-Auth-Token"])
def test_a_secret_header_of_a_check_is_refused_with_its_place_and_not_shown(folder: Folder, name: str) -> None:
    found = folder.only(POLICY + f"unknown:\n  headers:\n    Accept: text/plain\n    {name}: Bearer {VALUE}\n")
    assert ("13:5", "FD209") in told(found)
    assert not any(VALUE in each.render() for each in found)
