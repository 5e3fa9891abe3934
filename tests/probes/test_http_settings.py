import pytest
from pydantic import ValidationError
from support.probers import PaperLedger, counting_clock

from failoverd.core.records import Check
from failoverd.ports import ProbeContext
from failoverd.probes.http_check.http_prober import open_http, open_https
from failoverd.probes.http_check.http_settings import HttpSettings, HttpsSettings
from failoverd.probes.tls_check import TlsSettings


def test_a_policy_says_it_in_one_line() -> None:
    said = {"https": "/health", "host": "api.example.com", "status": 200, "every": "10s", "timeout": "2s"}
    settings = HttpsSettings.model_validate(said)
    assert (settings.https, settings.host, settings.status) == ("/health", "api.example.com", frozenset({200}))
    assert (settings.every, settings.timeout) == (10.0, 2.0)


@pytest.mark.parametrize(
    ("said", "meant"),
    [(204, {204}), ("200-203", {200, 201, 202, 203}), ([200, "300-301", 429], {200, 300, 301, 429}), ("204", {204})],
)
def test_statuses_are_one_a_range_or_a_list(said: object, meant: set[int]) -> None:
    assert HttpSettings.model_validate({"http": "/", "status": said}).status == meant


@pytest.mark.parametrize(
    "wrong",
    [
        {"http": "health"},
        {"http": "/a b"},
        {"http": "/a#b"},
        {"http": "/a\r\nX: y"},
        {"http": "/" + "a" * 2_000},
        {"http": "/", "status": True},
        {"http": "/", "status": []},
        {"http": "/", "status": 99},
        {"http": "/", "status": 100},
        {"http": "/", "status": "299-200"},
        {"http": "/", "status": "200-"},
        {"http": "/", "status": "2xx"},
        {"http": "/", "status": [[200]]},
        {"http": "/", "status": 200.0},
        {"http": "/", "host": "not a host"},
        {"http": "/", "host": "api.example.com:8443"},
        {"http": "/", "port": 0},
        {"http": "/", "port": "80"},
        {"http": "/", "method": "DELETE"},
        {"http": "/", "method": "get"},
        {"http": "/", "body": "x"},
        {"http": "/", "body": "x", "method": "HEAD"},
        {"http": "/", "body": "x" * 65_537, "method": "POST"},
        {"http": "/", "headers": ["Accept: text/plain"]},
        {"http": "/", "headers": {"Accept": 1}},
        {"http": "/", "headers": {"Accept\r\nX": "y"}},
        {"http": "/", "headers": {"Accept": "a\r\nX: y"}},
        {"http": "/", "headers": {"Accept": " a"}},
        {"http": "/", "headers": {"Accept": "a\0"}},
        {"http": "/", "headers": {"": "a"}},
        {"http": "/", "headers": {"X-A": "a", "x-a": "b"}},
        {"http": "/", "headers": {f"X-{number}": "a" for number in range(33)}},
        {"http": "/", "headers": {"X": "a" * 4_001}},
        {"http": "/", "json_path": {"$.a": "== " + "[" * 3_800}},
        {"http": "/", "redirects": 6},
        {"http": "/", "redirects": -1},
        {"http": "/", "redirects": "true"},
        {"http": "/", "not_contains": "x", "method": "HEAD"},
        {"http": "/", "json_path": {"$.a": 1}, "method": "HEAD"},
        {"http": "/", "matches": "x", "method": "HEAD"},
        {"http": "/", "authorization_file": "token"},
        {"http": "/", "resume": "10m"},
        {"http": "/", "contains": ""},
        {"http": "/", "contains": "x", "method": "HEAD"},
        {"http": "/", "verify": False},
        {"http": "/", "ca_file": "/etc/ca.pem"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HttpSettings.model_validate(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"verify": False},
        {"ca_file": "relative.pem"},
        {"client_certificate": {"certificate_file": "/etc/cert.pem"}},
        {"client_certificate": {"certificate_file": "/etc/cert.pem", "key_file": "key.pem"}},
        {"resume": "2d"},
        {"certificate_expires_within": 7},
    ],
)
def test_verification_has_no_switch_and_a_ca_file_is_absolute(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HttpsSettings.model_validate({"https": "/", **wrong})


def test_the_schema_explains_every_key_to_an_editor() -> None:
    for kind in (HttpSettings, HttpsSettings, TlsSettings):
        for name, shape in kind.model_json_schema()["properties"].items():
            assert shape["description"], name


def test_a_check_with_the_settings_of_another_kind_is_a_defect() -> None:
    settings = HttpSettings.model_validate({"http": "/"})
    check = Check("live", "https", 10.0, 2.0, settings)
    context = ProbeContext("inference-api", counting_clock(), PaperLedger())
    assert open_http(check, context) is not None
    with pytest.raises(TypeError, match="live carries HttpSettings, not HttpsSettings"):
        open_https(check, context)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Host", "use `host`"),
        ("content-length", "it is counted"),
        ("Connection", "about the connection"),
        ("Transfer-Encoding", "about the connection"),
        ("Upgrade", "about the connection"),
        ("Accept-Encoding", "never unpacked"),
        ("Expect", "does not wait"),
        ("Authorization", "is a secret"),
        ("Cookie", "is a secret"),
        ("X-Api-Key", "is a secret"),
        ("X-Auth-Token", "is a secret"),
    ],
)
def test_a_header_that_is_not_for_a_check_to_set_is_refused_without_its_value(name: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words) as refused:
        HttpSettings.model_validate({"http": "/", "headers": {name: "hunter2"}})
    assert "hunter2" not in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize(("said", "meant"), [(False, 0), (True, 5), (0, 0), (3, 3)])
def test_redirects_are_a_number_or_none_or_as_many_as_there_may_be(said: object, meant: int) -> None:
    assert HttpSettings.model_validate({"http": "/", "redirects": said}).redirects == meant


def test_settings_that_say_the_same_are_equal() -> None:
    said = {"http": "/", "headers": {"Accept": "a"}, "json_path": {"$.a": "< 5"}, "matches": "a+"}
    assert HttpSettings.model_validate(said) == HttpSettings.model_validate(said)
