"""The command with which a person does the same without failoverd."""

from typing import Final

from failoverd.core.control.by_hand import word_id
from failoverd.core.control.plan import Plan
from failoverd.core.errors import ProviderError
from failoverd.core.overrides import BY_HAND
from failoverd.ports import Provider

_NOTE: Final = """\
# failoverd keeps what this writes for {minutes:.0f} minutes, as an order of yours. What is down leaves all the same.
# For longer, once failoverctl status shows it: failoverctl extend {word} --for 2h
"""
"""Comments of bash. No letter of them means anything to a shell that takes them for a command all the same."""

_SAID: Final = " by=hand"


def manual_command(provider: Provider, plan: Plan) -> str:
    """The command that carries a plan out, or "" where the provider has none. The marker says that a person did it.

    Telling must not fail: what undoes a change, or what stood there once, may be something that a person made and the
    provider's own terms cannot say.
    """
    try:
        command = provider.manual(plan.by_person)
    except ProviderError:
        return ""
    if _SAID not in command:
        return command  # it leaves no marker: a name is given up, or the command only shows what is wanted
    word = word_id(plan.target, plan.generation, plan.shares_after)
    return _NOTE.format(minutes=BY_HAND / 60, word=word) + command
