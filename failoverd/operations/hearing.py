"""What the authoritative servers answer now, held against what failoverd published last."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from failoverd.core.control.plan import LastGood
from failoverd.core.control.propagation import (
    UNMARKED_DRAWS,
    Hearing,
    Nameserver,
    Nameservers,
    Question,
    Statement,
    answers,
)
from failoverd.core.errors import classified
from failoverd.core.records import Target, few
from failoverd.ports import Authorities
from failoverd.telemetry import phrases

ABREAST: Final = 64
"""Servers that are being asked at the same time."""

PATIENCE: Final = 8.0
"""Seconds that one server has for all its answers about a record."""

WHOLE_PATIENCE: Final = 30.0
"""Seconds that all of it may take: what was not heard by then is silent."""

_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class RecordHearing:
    """What the servers of one record said: which answer with it, which with something else and what, who says nothing.

    `unasked` cannot be reached from this host. `error` tells why nobody was asked.
    """

    record: str
    agreeing: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    error: str = ""

    @property
    def agree(self) -> bool:
        """Whether all that could be asked answer with it, and one at least."""
        return bool(self.agreeing) and not (self.differing or self.silent)

    @property
    def words(self) -> str:
        if self.error:
            return f"not asked: {self.error}"
        many = len(self.agreeing)
        every = "the only server answers" if many == 1 else f"all {many} servers answer"
        of = many + len(self.differing) + len(self.silent)
        said = [
            f"{every} with it"
            if self.agree
            else f"{many} of {phrases.counted(of, 'server')} answer with it"
            if of
            else "",
            *self.differing,
            f"no answer from {few(self.silent, _NAMED)}" if self.silent else "",
            f"cannot be reached from here: {few(self.unasked, _NAMED)}" if self.unasked else "",
        ]
        return "; ".join(filter(None, said))


async def heard(
    published: Iterable[tuple[Target, LastGood | None]], authorities: Authorities
) -> tuple[RecordHearing, ...]:
    """One for each record, in their order; all servers of all of them are asked side by side, for a bounded time."""
    gate = asyncio.Semaphore(ABREAST)
    loop = asyncio.get_running_loop()
    until = loop.time() + WHOLE_PATIENCE
    asked = [_of_record(target, good, authorities, gate, until) for target, good in published]
    return tuple(await asyncio.gather(*asked))


async def _of_record(
    target: Target, good: LastGood | None, authorities: Authorities, gate: asyncio.Semaphore, until: float
) -> RecordHearing:
    if good is None:
        return RecordHearing(str(target), error="the journal does not know what was published there last")
    try:
        async with asyncio.timeout_at(until):
            who = await authorities.of(target)
    except TimeoutError:
        return RecordHearing(str(target), error="who serves the zone was not found out in time")
    except Exception as error:  # noqa: BLE001 - classified, and told of this record alone
        return RecordHearing(str(target), error=classified(error).detail)
    if not who.servers:
        return RecordHearing(str(target), error="its provider is configured to have nobody asked")
    question = Question(target.key, marked=False, times=1 if who.whole else UNMARKED_DRAWS)
    said = await asyncio.gather(*(_ask(each, question, authorities, gate, until) for each in who.servers))
    return _judged(target, good, who, said)


async def _ask(
    server: Nameserver, question: Question, authorities: Authorities, gate: asyncio.Semaphore, until: float
) -> Statement:
    try:
        async with asyncio.timeout_at(until), gate, asyncio.timeout(PATIENCE):
            return await authorities.ask(server, question)
    except TimeoutError:
        return Statement(server, Hearing.SILENT, trouble="it does not answer in time")


def _judged(target: Target, good: LastGood, who: Nameservers, said: Iterable[Statement]) -> RecordHearing:
    agreeing, differing, silent, unasked = list[str](), list[str](), list[str](), list[str]()
    for each in said:
        match each.hearing:
            case Hearing.SILENT:
                silent.append(str(each.server))
            case Hearing.UNREACHABLE:
                unasked.append(str(each.server))
            case Hearing.ANSWERED if not each.trouble and answers(each, good.records, who):
                agreeing.append(str(each.server))
            case Hearing.ANSWERED:
                differing.append(f"{each.server} says {each}")
    return RecordHearing(str(target), tuple(agreeing), tuple(differing), tuple(silent), tuple(unasked))
