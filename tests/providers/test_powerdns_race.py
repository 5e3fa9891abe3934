"""Two writers of one weighted record on a real PowerDNS: the server refuses whoever comes second."""

from support.powerdns import by_both, dns_update, open_powerdns
from support.races import ROUNDS, races, races_at_once
from support.servers import PowerDns


async def test_in_many_races_one_writer_wins_and_no_older_generation_ever_does(
    powerdns_server: PowerDns, name: str
) -> None:
    settings = by_both(powerdns_server)
    await races_at_once(lambda: open_powerdns(settings), name)


async def test_the_same_when_the_zone_is_read_by_transfer(powerdns_server: PowerDns, name: str) -> None:
    """Fewer rounds: the fence is the same, and each look transfers the zone."""
    settings = dns_update(powerdns_server)
    await races(lambda: open_powerdns(settings), name, rounds=ROUNDS // 2)
