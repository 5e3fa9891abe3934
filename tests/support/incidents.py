"""Incidents for tests of who opens some."""

from failoverd.ports import Clock, Emit
from failoverd.runtime.incidents import Incidents
from failoverd.runtime.journal_writer import JournalWriter
from failoverd.runtime.override_book import Overrides
from failoverd.runtime.states import States
from failoverd.simulation.paper_journal import PaperJournal


def paper_incidents(emit: Emit, clock: Clock) -> Incidents:
    """Incidents with nothing behind them, for who only opens some."""
    writer = JournalWriter(PaperJournal(), emit, clock)
    return Incidents(States(writer, emit, Overrides(writer, emit, clock)), clock)
