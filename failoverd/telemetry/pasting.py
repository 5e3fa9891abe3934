"""Facts that a person pastes into a shell. Half a command does who knows what: so one is whole, or not there."""

from typing import Final

COMMANDS: Final = frozenset({"undo", "manual"})
"""Their names in events, and wherever these are told."""


def whole(command: object, most: int) -> str:
    """A command, or, as a comment of the shell, that it has more than `most` characters and where it is to be had."""
    text = str(command)
    if len(text) <= most:
        return text
    return f"# too long to be shown here: failoverctl why and status -v print all {len(text)} characters"
