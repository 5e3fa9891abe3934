"""`failoverctl status --dns`: what the authoritative servers answer now. Imported only then."""

import asyncio
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from failoverd.api.shapes import RecordLineTold
from failoverd.assembly import authorities_of
from failoverd.core.records import Target
from failoverd.installed import read_config, steady_clock
from failoverd.operations.hearing import RecordHearing, heard
from failoverd.store.reading import HistoryReading


def ask_servers(config: Path, records: Iterable[RecordLineTold]) -> tuple[RecordHearing, ...]:
    """One for each record, in their order. What was published last stands in the journal.

    Raises:
        FailoverdError: the configuration does not say whom to ask, or the journal cannot be read.
    """
    settings = read_config(config)
    with HistoryReading(settings.journal) as reading:
        known = {_key_of(each.target): each.target for each in reading.targets()}
        targets = [known.get((each.policy, each.record, each.type, each.provider)) for each in records]
        published = [(target, reading.last_good(target)) for target in targets if target is not None]
    return asyncio.run(heard(published, authorities_of(settings, steady_clock())))


def _key_of(target: Target) -> tuple[str, str, str, str]:
    return target.policy, target.key.name, target.key.type.value, target.provider


def as_json(each: RecordHearing) -> dict[str, Any]:
    told = asdict(each)
    return {**told, "agree": each.agree, "words": each.words}
