"""The rules that never bend, by number, and where the simulations hold them against what happens.

Each is broken in a copy now and then (`support.mutations`), to show that somebody notices.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Law(IntEnum):
    """A rule that never bends."""

    EMPTY = 1  # an empty answer is never published
    STALE = 2  # an older generation never overwrites a newer one
    REBUILT = 3  # reconcile rebuilds from any state
    DOUBT = 4  # when everything fails at once, the prober is doubted
    UNSEEN = 5  # nothing is written before it is known
    STATIC = 6  # dying, stopping, starting and losing things moves no traffic
    ROOM = 7  # no region gets more than it can carry while another has room
    BAD_FILE = 8  # a bad file changes nothing
    OWNED = 9  # only owned names are touched
    ALONE = 10  # one bad record, provider or policy never blocks another
    RETRIES = 11  # retries are jittered, capped and budgeted
    DRY_RUN = 12  # a dry run writes nothing
    EXPLAINED = 13  # every change explains itself
    SECRETS = 14  # secrets never appear
    DEAD = 15  # no budget keeps a dead region in the answer
    RESIDENCY = 16  # residency is never left
    SHOWN = 17  # what is shown is what would be done
    WORDS = 18  # an operator's word holds
    NEWS = 19  # news beats patience


SHOWN_BY: Final[Mapping[Law, str]] = {
    Law.EMPTY: "Cluster._audit, Members._audit, each write; Cluster.stands, each name after each stroke",
    Law.STALE: "Cluster._audit, Members._audit, each write; generations_grow, at the end; "
    "Fleet._sends: who writes leads, and nobody else; Fleet._audit: no epoch falls",
    Law.REBUILT: "Cluster.abnormal and Members.abnormal, in the calm: emptied and edited records are as files say",
    Law.DOUBT: "Cluster._audit: who was well when the prober was cut off is not taken out while it is",
    Law.UNSEEN: "Cluster._audit, each write",
    Law.STATIC: "Cluster._stood, around each death and stop",
    Law.ROOM: "tests/runtime/test_estate_simulation.py: rooms that are granted, after each stroke",
    Law.BAD_FILE: "Cluster._bad_file: the running revision and what stands in DNS are as before",
    Law.OWNED: "Cluster._audit, each write; stranger_stands, at the end",
    Law.ALONE: "Cluster.last_stroke: what fails is left at one provider while the other is away",
    Law.RETRIES: "Cluster.not_too_often, after each stroke: calls to each provider",
    Law.DRY_RUN: "tests/operations/test_planning.py; Operators._give, of words",
    Law.EXPLAINED: "Cluster.explained, at the end: the last process told each of its changes, with evidence",
    Law.SECRETS: "tests/test_foreign.py and the contract suite: the simulation has no secrets",
    Law.DEAD: "Cluster._judge, after each stroke: no silent hold; Cluster.last_stroke: nothing holds it; "
    "Cluster.come_to_rest: no limit refuses for ever; Fleet: a region that dies with whoever led is left",
    Law.RESIDENCY: "tests/runtime/test_estate_simulation.py: each write",
    Law.SHOWN: "Cluster.shown_is_done, after each stroke: operations/planning.py beside the daemon, by its journal; "
    "Cluster.defects: each decision, made again at the end",
    Law.WORDS: "Operators.against and told_wrong: each write, and each word at the end; "
    "Fleet: whoever leads, and wherever it was said",
    Law.NEWS: "Cluster.last_stroke: a provider that comes back is told of what fell meanwhile at once",
}


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that was broken, when and how."""

    law: Law
    at: float
    said: str

    def __str__(self) -> str:
        return f"rule {self.law:d} ({self.law.name.lower()}) at {self.at:.3f}: {self.said}"
