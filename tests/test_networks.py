"""The networks that tests of partitions make: what is cut does not arrive, and nothing of them is left."""

import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
from support.networks import Host, Network, network, unmakeable

AZURE, OCI = "198.18.1.1", "198.18.2.1"
PORT = 9_000


@pytest.fixture(scope="module")
def there() -> Iterator[Network]:
    if reason := unmakeable():
        pytest.skip(reason)
    with network({"azure": [AZURE], "oci": [OCI]}) as made:
        yield made


def arrived(there: Network, sender: Host, receiver: Host, sent: int = 1) -> int:
    """How many of so many packets arrive, by what is heard before one that is sent when all is well again."""
    with closing(sender.opened(socket.SOCK_DGRAM)) as sends, closing(receiver.opened(socket.SOCK_DGRAM)) as hears:
        hears.bind((receiver.addresses[0], PORT))
        hears.settimeout(5)
        for _ in range(sent):
            sends.sendto(b"then", hears.getsockname())
        there.heal()
        sends.sendto(b"now", hears.getsockname())
        heard = 0
        while hears.recv(16) != b"now":
            heard += 1
        return heard


def test_what_is_cut_passes_in_neither_direction_until_it_is_healed(there: Network) -> None:
    azure, oci = there["azure"], there["oci"]
    for sender, receiver in ((azure, oci), (oci, azure)):
        assert arrived(there, sender, receiver) == 1
        there.cut(azure, [oci])
        assert arrived(there, sender, receiver) == 0


def test_a_cut_may_be_of_one_direction(there: Network) -> None:
    there.cut_one_way(there["azure"], OCI)
    assert arrived(there, there["oci"], there["azure"]) == 1
    there.cut_one_way(there["azure"], OCI)
    assert arrived(there, there["azure"], there["oci"]) == 0


def test_of_the_packets_a_share_is_lost(there: Network) -> None:
    heard = 0
    for _ in range(10):
        there.lose(AZURE, OCI, 30)
        heard += arrived(there, there["azure"], there["oci"], sent=100)
    assert 600 < heard < 800


def test_nobody_outside_is_reached(there: Network) -> None:
    with pytest.raises(OSError, match="unreachable"):
        there["azure"].connect(("192.0.2.1", 80), 5)


def test_a_program_there_ends_with_the_test_that_started_it() -> None:
    if reason := unmakeable():
        pytest.skip(reason)
    script = """
import subprocess, time
from support.networks import network
with network({"azure": ["198.18.1.1"]}) as there:
    command = there["azure"].command("sh", "-c", "echo; exec sleep 60")
    program = subprocess.Popen(command, stdout=subprocess.PIPE)
    program.stdout.readline()  # it has begun: who is killed before that does not take it along
    print(there["azure"].pid, program.pid, flush=True)
    time.sleep(60)
"""
    test = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert test.stdout is not None
    with test:
        pids = [int(word) for word in test.stdout.readline().split()]
        ends = [os.pidfd_open(pid) for pid in pids]
        test.kill()
    for each in ends:
        ready, _, _ = select.select([each], [], [], 20)  # who has ended can be read
        assert ready
        os.close(each)
