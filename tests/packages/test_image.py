"""The container image: what its recipe says, for building it takes minutes; `make image` builds it, and tries it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = re.sub(r"\\\n\s*", "", (ROOT / "Containerfile").read_text())
LINES = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
FINAL = LINES[[number for number, line in enumerate(LINES) if line.startswith("FROM")][-1] :]


def final(instruction: str) -> str:
    """What the image that is kept says once."""
    (line,) = (line for line in FINAL if line.startswith(f"{instruction} "))
    return line.removeprefix(f"{instruction} ")


def test_it_runs_as_a_number_that_is_not_root_and_as_any_other() -> None:
    user, group = final("USER").split(":")
    assert (user.isdigit(), int(user) > 0, group) == (True, True, "0")
    assert f"chown {user}:0 /var/lib/failoverd" in TEXT
    assert "chmod 0770 /var/lib/failoverd" in TEXT


def test_it_runs_the_daemon_and_stops_by_the_signal_that_moves_no_traffic() -> None:
    assert final("ENTRYPOINT") == '["/usr/bin/failoverd"]'
    assert final("CMD") == '["run", "--config", "/etc/failoverd/failoverd.yaml"]'
    assert final("STOPSIGNAL") == "SIGTERM"


def test_nothing_that_is_taken_away_is_in_a_layer_below() -> None:
    assert FINAL[0] == "FROM scratch"
    assert final("COPY") == "--from=installed / /"
    assert not [line for line in FINAL if line.startswith(("RUN", "ADD"))]


def test_nothing_is_fetched_by_its_recipe_but_debian_packages() -> None:
    assert not re.search(r"curl|wget|pip |https?://", "\n".join(LINES))


def test_it_says_what_it_is() -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', final("LABEL")))
    assert set(labels) == {"title", "description", "licenses", "version"}
    assert labels["licenses"] == "Apache-2.0"


def test_moved_traffic_is_no_reason_to_kill_it() -> None:
    assert "case $? in 0|3|4)" in final("HEALTHCHECK")
