from support.azure_site import LocalAzure
from support.races import races

from failoverd.providers.azure_dns import KIND


async def test_of_two_rivals_one_wins_each_of_many_rounds(azure: LocalAzure, name: str) -> None:
    await races(lambda: azure.open(KIND), name)
