"""What stands at a name, by questions to the server that takes the updates.

A question tells what is answered, which is not always what stands: for a name that does not exist the server answers
with a wildcard above it (`*.example.com`, RFC 4592), and the prerequisites of an update (RFC 2136, 2.4) see nothing
there. Such an answer is no record of the name, and no marker. Told apart it is in this order, the cheapest first:

1. A marker of the policy with the record that it owns stands: nobody gives that text to a wildcard. This is every round
   of a name that is owned, and costs nothing.
2. What is answered otherwise for `*` beside the name stands: every name that does not exist has the same answer there.
3. Where both are answered alike the server is asked, by an update that has one prerequisite and changes nothing.

Something else than a TXT at the marker's name, and a DNAME above it, have to be seen as well: an update there is
ignored in silence (RFC 2136, 3.4.2.2), or stands where nobody is answered it (RFC 6672, 2.4). The answers would be
published and their marker never be seen, so nothing could ever take a dead one back.
"""

from collections.abc import Awaitable, Callable, Sequence

import dns.name
from dns.rdatatype import RdataType
from dns.rrset import RRset

from failoverd.core.records import Marker, Observed, Target, standing_at
from failoverd.providers.dnsupdate import rdata
from failoverd.providers.dnsupdate.client import Conversation, hides

_DNSSEC = frozenset({RdataType.RRSIG, RdataType.NSEC, RdataType.NSEC3})
"""What a signed zone adds by itself beside any record, a CNAME included (RFC 4035, 2.5)."""

_Ask = Callable[[dns.name.Name], Awaitable[list[RRset]]]


async def snapshot(talk: Conversation, target: Target, known: Observed | None) -> Observed:
    """The records and the marker that were written together.

    They are two questions, and a write may come between them. Every write changes the marker, so if it reads the same
    before and after the records, they belong to it; otherwise they are asked for again, until the deadline. `known` is
    what once stood together: where it is found again nothing else need be asked, for no marker is written twice.
    Without it, the name is looked at for the first time, or the server finds something else there than it answers.
    """
    marker = rdata.absolute(target.key.marker_name)
    texts = await _texts(talk, marker)
    while True:
        answers = await _answers(talk, target, rdata.absolute(target.key.name))
        observed = _observed(target, answers, texts)
        doubtful = bool(answers or texts) and not _is_owned(observed)
        if observed == known and not doubtful:
            return observed
        if texts and known is None:  # without one, the answer has told which zone it is from
            await talk.ask(marker, RdataType.SOA)
        if doubtful:
            observed = await _without_wildcards(talk, target, answers, texts)
        again = await _texts(talk, marker)
        if again == texts:
            return observed
        texts = again


async def _texts(talk: Conversation, name: dns.name.Name) -> list[RRset]:
    """What is answered for the marker, and what keeps one from standing or from being answered there."""
    return [rrset for rrset in await talk.ask(name, RdataType.TXT) if rrset.rdtype not in _DNSSEC]


async def _answers(talk: Conversation, target: Target, name: dns.name.Name) -> list[RRset]:
    """What is answered for the target's type, and what excludes it.

    A CNAME answers every question at its name, so that one is seen by asking for anything; what a CNAME would be put
    beside has to be asked for. Some servers then name one type of several, which is enough to refuse.
    """
    wanted = RdataType[target.key.type]
    found = await talk.ask(name, wanted)
    if wanted is RdataType.CNAME and not found:
        found = await talk.ask(name, RdataType.ANY, whole=True)
    return [rrset for rrset in found if rrset.rdtype not in _DNSSEC]


def _observed(target: Target, answers: Sequence[RRset], texts: Sequence[RRset]) -> Observed:
    wanted = RdataType[target.key.type]
    text, plain = rdata.marker_text([record for rrset in texts for record in rrset])
    marker = Marker.parse(text) if text is not None and plain else None
    beside = {_placed(target, rrset) for rrset in answers if rrset.rdtype is not wanted}
    foreign = tuple(sorted(beside | {_placed(target, rrset) for rrset in texts if rrset.rdtype is not RdataType.TXT}))
    ours = [rdata.decode(target.key, rrset.ttl, rrset) for rrset in answers if rrset.rdtype is wanted]
    return Observed(target, ours[0] if ours else None, marker, text, foreign)


def _placed(target: Target, rrset: RRset) -> str:
    """A type that excludes ours, as `Observed.foreign` has it."""
    if rrset.name == rdata.absolute(target.key.name) and rrset.rdtype is not RdataType.DNAME:
        return rrset.rdtype.name
    return standing_at(rrset.rdtype.name, rrset.name.to_text(omit_final_dot=True).lower())


def _is_owned(observed: Observed) -> bool:
    target, marker = observed.target, observed.marker
    ours = marker is not None and marker.policy == target.policy and target.key.type in marker.types
    return ours and observed.records is not None


async def _without_wildcards(
    talk: Conversation, target: Target, answers: Sequence[RRset], texts: Sequence[RRset]
) -> Observed:
    """The same, less what only a wildcard answers. Where a marker stands its name exists, too (RFC 4592, 2.2.2)."""
    name, marker = rdata.absolute(target.key.name), rdata.absolute(target.key.marker_name)
    if await _stands(talk, marker, texts, lambda other: _texts(talk, other)):
        return _observed(target, answers, texts)
    if name != rdata.absolute(target.zone) and not await _stands(
        talk, name, answers, lambda other: _answers(talk, target, other)
    ):
        return _observed(target, (), ())
    return _observed(target, answers, ())


async def _stands(talk: Conversation, name: dns.name.Name, found: Sequence[RRset], ask: _Ask) -> bool:
    """Whether what was answered for a name is its own. `ask` asks the same for another name."""
    if not found:
        return False
    if any(rrset.rdtype is RdataType.DNAME and hides(rrset.name, name) for rrset in found):
        return True  # no wildcard is asked where a DNAME answers, and no prerequisite sees that
    beside = await ask(dns.name.Name(("*",)).concatenate(name.parent()))
    return _content(beside) != _content(found) or not await talk.is_unused(name)


def _content(found: Sequence[RRset]) -> set[tuple[RdataType, int, frozenset[object]]]:
    return {(rrset.rdtype, rrset.ttl, frozenset(rrset)) for rrset in found}
