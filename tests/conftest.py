"""What holds for every test: it runs the programs of the system, and asks nobody outside of this machine.

A test that starts a server (a DNS server, or the daemon) as a process has the marker `server`, by what it uses: a
fixture that starts one, or a function that does and that its module imports. Anybody else who starts one fails. In the
same way, those that take long without a server have the marker `slow`.
"""

import gc
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import dns.resolver
import pytest
from hypothesis import HealthCheck, settings
from support.fuzzing import SOAK
from support.servers import PLACES

os.environ["PATH"] = PLACES  # what may stand before them, a version manager's wrapper say, is not tested

# How hard Hypothesis looks: a little in every run, and for longer where FAILOVERD_SOAK says by which factor. Slowness
# says nothing on a machine that is busy with other tests. A plain run looks at the same examples for the same code, so
# that it says something of a change; a soak looks at others each time, and is where what is rare is found.
settings.register_profile(
    "failoverd",
    deadline=None,
    max_examples=50 * SOAK,
    derandomize=SOAK == 1,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("failoverd")

_FIXTURES = {"bind_server", "knot_server", "powerdns_server"}
_USES = {
    "server": {"support.servers", *(f"support.servers.{each}" for each in ("bind", "knot", "powerdns"))}
    | {
        "support.alertmanager.alertmanager",
        "support.prometheus.prometheus",
        "support.daemons.site",
        "support.pods.Pod",
    },
    "slow": {"support.races.races", "support.races.races_at_once", "support.benchmarks.compared"},
}
"""By marker: names of modules and of functions that bring it to whoever imports them."""

_SERVERS = {"named", "knotd", "pdns_server", "prometheus-alertmanager", "prometheus"}
_unmarked: list[str] = []
"""The test that runs now, unless it has the marker."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """All that is collected stays: no search for garbage looks through it, neither now nor while the tests run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First of all, so that `-m` finds the markers."""
    for item in items:
        if isinstance(item, pytest.Function):
            for marker, uses in _USES.items():
                if not uses.isdisjoint(_imported(item.module)):
                    item.add_marker(marker)
            if _is_given_a_server(item):
                item.add_marker("server")


@cache
def _imported(module: ModuleType) -> set[str]:
    return set(map(_full_name, vars(module).values()))


def _full_name(value: object) -> str:
    if isinstance(value, ModuleType):
        return value.__name__
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"


def _is_given_a_server(item: pytest.Function) -> bool:
    parameters = list(item.callspec.params.values()) if hasattr(item, "callspec") else []
    fixtures = {*item.fixturenames, *(each for each in parameters if isinstance(each, str))}
    return not _FIXTURES.isdisjoint(fixtures) or any(getattr(each, "server", False) is True for each in parameters)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _unmarked[:] = [] if item.get_closest_marker("server") else [item.nodeid]
    return (yield)


def _refuse_servers_of_others(event: str, arguments: tuple[object, ...]) -> None:
    if event != "subprocess.Popen" or not _unmarked or not isinstance(arguments[1], list):
        return
    program, *words = map(os.fsdecode, arguments[1])
    if Path(program).name in _SERVERS or words[:2] == ["-m", "failoverd"]:
        raise AssertionError(f"{_unmarked[0]} starts a server: mark it with pytest.mark.server")


sys.addaudithook(_refuse_servers_of_others)


@pytest.fixture(autouse=True)
def _no_resolver_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may ask the system's resolver. Daemons that tests start are kept from it by `resolver` in their files."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a test asks the resolver of this system: give the provider `nameservers`")

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", refuse)
