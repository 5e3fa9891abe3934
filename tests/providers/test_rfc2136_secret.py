"""The TSIG secret in its file: its forms, its rotation, its mistakes, and that none of them shows it."""

import os
import traceback
from base64 import b64decode
from pathlib import Path

import pytest

from failoverd.core.errors import Permanent
from failoverd.providers.dnsupdate.secret import KeyFile
from failoverd.providers.dnsupdate.settings import TsigSettings

SECRET = "rWn4mOYGvwyVgR0J9//gQ1FQ5g0mXKf4r2ZsmGZqRZc="  # noqa: S105 - made up; base64 may look like a comment
OTHER = "bm90IHRoZSBzZWNyZXQgdGhhdCB5b3UgYXJlIGFmdGVyISE="


def key_file(path: Path, *, algorithm: str = "hmac-sha256") -> KeyFile:
    said = {"name": "failoverd.example.com", "algorithm": algorithm, "secret_file": str(path)}
    return KeyFile(TsigSettings.model_validate(said))


def clause(secret: str = SECRET, name: str = "failoverd.example.com", algorithm: str = "hmac-sha256") -> str:
    return f'key "{name}" {{\n\talgorithm {algorithm};\n\tsecret "{secret}";\n}};\n'


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"{SECRET}\n",
        f"  {SECRET[:20]}\n  {SECRET[20:]}\n",
        clause(),
        clause(name="FAILOVERD.example.com.", algorithm="HMAC-SHA256"),
        f"key failoverd.example.com {{ secret {SECRET}; algorithm hmac-sha256; }};",
        f'key "failoverd.example.com" {{ secret "{SECRET}"; }};',
        f'// made by tsig-keygen\n# key "commented.out" {{ }};\n/* key "x" {{\n}}; */\n{clause()}',
    ],
)
def test_a_secret_is_read_from_base64_or_from_a_clause_of_bind(tmp_path: Path, text: str) -> None:
    path = tmp_path / "secret"
    path.write_text(text)
    key = key_file(path).load()
    assert key.secret == b64decode(SECRET)
    assert key.name.to_text() == "failoverd.example.com."
    assert key.algorithm.to_text() == "hmac-sha256."


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        (f"failoverd:{SECRET}", "not base64"),
        (SECRET[:-2], "not base64"),
        ("\xff\xfe", "not base64"),
        (clause("not base64!"), "not base64"),
        (
            clause(name="another.example.com"),
            "the key another.example.com, but the configuration says failoverd.",
        ),
        (clause() + clause(OTHER, name="another.example.com"), "several keys"),
        (clause(algorithm="hmac-md5"), "says algorithm hmac-md5, but the configuration says hmac-sha256"),
        ('key "failoverd.example.com" { algorithm hmac-sha256; };', "has no secret"),
    ],
)
def test_a_file_without_a_usable_secret_says_what_is_wrong_and_never_the_secret(
    tmp_path: Path, text: str, what: str
) -> None:
    path = tmp_path / "secret"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(Permanent) as caught:
        key_file(path).load()
    assert caught.value.reason == "secret_invalid"
    assert what in caught.value.detail
    assert str(path) in caught.value.detail
    told = "".join(traceback.format_exception(caught.value)) + caught.value.remedy
    assert SECRET[:10] not in told


@pytest.mark.parametrize("place", ["missing", "directory", "file/below"])
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, place: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(Permanent) as caught:
        key_file(tmp_path / place).load()
    assert caught.value.reason == "secret_unreadable"
    assert str(tmp_path / place) in caught.value.detail
    assert not key_file(tmp_path / place).is_bind_clause()


def test_an_unchanged_file_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    file = key_file(path)
    assert file.load() is file.load()


def test_a_rewritten_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    file = key_file(path)
    assert file.load().secret == b64decode(SECRET)
    path.write_text(OTHER)
    os.utime(path, ns=(1, 1))
    assert file.load().secret == b64decode(OTHER)


def test_a_swapped_symlink_as_kubernetes_does_it_is_read_again(tmp_path: Path) -> None:
    for version, secret in (("v1", SECRET), ("v2", OTHER)):
        (tmp_path / version).mkdir()
        (tmp_path / version / "secret").write_text(secret)
        os.utime(tmp_path / version / "secret", ns=(1, 1))
    data, path = tmp_path / "..data", tmp_path / "secret"
    data.symlink_to("v1")
    path.symlink_to("..data/secret")
    file = key_file(path)
    assert file.load().secret == b64decode(SECRET)
    (tmp_path / "..tmp").symlink_to("v2")
    (tmp_path / "..tmp").replace(data)
    assert file.load().secret == b64decode(OTHER)


def test_after_a_broken_rotation_the_file_is_read_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    file = key_file(path)
    file.load()
    path.write_text("")
    for _ in range(2):
        with pytest.raises(Permanent):
            file.load()
    path.write_text(OTHER)
    assert file.load().secret == b64decode(OTHER)


def test_only_a_clause_is_handed_to_nsupdate_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    assert not key_file(path).is_bind_clause()
    path.write_text(clause())
    assert key_file(path).is_bind_clause()
