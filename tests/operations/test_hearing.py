"""What the authoritative servers answer now, held against what was published last."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from support.journals import AFTER, TARGET
from support.virtual import virtually

from failoverd.core.control.plan import LastGood
from failoverd.core.control.propagation import Hearing, Nameserver, Nameservers, Question, Statement
from failoverd.core.errors import Transient
from failoverd.core.records import Target
from failoverd.operations.hearing import ABREAST, WHOLE_PATIENCE, RecordHearing, heard
from failoverd.simulation.virtual_time import now

GOOD = LastGood(AFTER, 8, {"oci-ashburn": 10_000}, 100.0)
NEW, OLD = frozenset({"198.51.100.10"}), frozenset({"192.0.2.10", "198.51.100.10"})
ONE, TWO, THREE = (Nameserver(f"192.0.2.{number}", 53, f"ns{number}") for number in (1, 2, 3))


@dataclass
class Zone:
    """Servers that answer so: with values; or not at all (None); or a statement of their own."""

    says: Mapping[Nameserver, frozenset[str] | Statement | None]
    whole: bool = True
    unknown: bool = False
    asked: list[Question] = field(default_factory=list)
    abreast: int = 0
    most: int = 0

    async def of(self, target: Target) -> Nameservers:  # noqa: ARG002 - all of it is one zone
        if self.unknown:
            raise Transient("no resolver answers", reason="delegation_unknown")
        return Nameservers(tuple(self.says), whole=self.whole)

    async def ask(self, server: Nameserver, question: Question) -> Statement:
        self.asked.append(question)
        self.abreast += 1
        self.most = max(self.most, self.abreast)
        try:
            await asyncio.sleep(0.1)
            said = self.says[server]
            if said is None:
                await asyncio.Event().wait()
        finally:
            self.abreast -= 1
        if isinstance(said, Statement):
            return said
        return Statement(server, Hearing.ANSWERED, (said or frozenset(),) * question.times)


async def one(zone: Zone, good: LastGood | None = GOOD) -> RecordHearing:
    (found,) = await heard([(TARGET, good)], zone)
    return found


@virtually
async def test_all_servers_that_answer_with_it_are_counted() -> None:
    found = await one(Zone({ONE: NEW, TWO: NEW, THREE: NEW}))
    assert (found.agree, found.words) == (True, "all 3 servers answer with it")
    assert (await one(Zone({ONE: NEW}))).words == "the only server answers with it"


@virtually
async def test_who_answers_otherwise_is_named_with_what_it_says() -> None:
    found = await one(Zone({ONE: NEW, TWO: OLD, THREE: None}))
    assert not found.agree
    assert found.words == (
        "1 of 3 servers answer with it; ns2 (192.0.2.2:53) says 192.0.2.10, 198.51.100.10; "
        "no answer from ns3 (192.0.2.3:53)"
    )


@virtually
async def test_trouble_is_no_agreement_and_who_cannot_be_reached_from_here_says_nothing_about_it() -> None:
    lame = Statement(ONE, Hearing.ANSWERED, trouble="REFUSED")
    far = Statement(TWO, Hearing.UNREACHABLE, trouble="Network is unreachable")
    found = await one(Zone({ONE: lame, TWO: far, THREE: NEW}))
    assert (found.differing, found.unasked) == (("ns1 (192.0.2.1:53) says REFUSED",), ("ns2 (192.0.2.2:53)",))
    found = await one(Zone({TWO: far, THREE: NEW}))
    assert found.agree
    assert found.words == "the only server answers with it; cannot be reached from here: ns2 (192.0.2.2:53)"
    found = await one(Zone({TWO: far}))
    assert (found.agree, found.words) == (False, "cannot be reached from here: ns2 (192.0.2.2:53)")


@virtually
async def test_a_server_that_draws_by_weight_is_asked_several_times() -> None:
    zone = Zone({ONE: NEW}, whole=False)
    assert (await one(zone)).agree
    assert zone.asked[0].times > 1
    assert not (await one(Zone({ONE: OLD}, whole=False))).agree


@virtually
async def test_what_nobody_can_ask_about_says_why() -> None:
    assert (await one(Zone({}, unknown=True))).words == "not asked: no resolver answers"
    assert (await one(Zone({}))).words == "not asked: its provider is configured to have nobody asked"
    unknown = await one(Zone({ONE: NEW}), None)
    assert unknown.words == "not asked: the journal does not know what was published there last"


@virtually
async def test_it_ends_however_many_servers_are_silent() -> None:
    began = now()
    zone = Zone({Nameserver("192.0.2.9", port): None for port in range(1, 1_001)})
    many: Sequence[RecordHearing] = await heard([(TARGET, GOOD)], zone)
    assert len(many[0].silent) == 1_000
    assert now() - began <= WHOLE_PATIENCE + 1.0
    assert zone.most <= ABREAST
