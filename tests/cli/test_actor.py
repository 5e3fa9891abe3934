"""Who did it is what the system says, and not what somebody wrote into the environment."""

import os
import pwd
import socket

import pytest

from failoverd.operations.session import actor

HOST = socket.gethostname()
NOBODY = pwd.getpwnam("nobody")
UNLISTED = 2_000_000_001


def running_as(uid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: uid)


@pytest.mark.parametrize("name", ["SUDO_USER", "LOGNAME", "USER", "LNAME", "USERNAME"])
def test_nobody_signs_with_another_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    running_as(NOBODY.pw_uid, monkeypatch)
    monkeypatch.setenv(name, "somebody-else")
    assert actor() == f"nobody@{HOST}"


def test_a_user_that_passwd_does_not_list_signs_with_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    running_as(UNLISTED, monkeypatch)
    assert actor() == f"uid:{UNLISTED}@{HOST}"


def test_behind_sudo_it_is_the_person_who_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    running_as(0, monkeypatch)
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert actor() == f"root@{HOST}"
    monkeypatch.setenv("SUDO_USER", "alice")
    assert actor() == f"alice@{HOST}"
