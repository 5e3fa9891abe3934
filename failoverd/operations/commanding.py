"""What operators tell a daemon at work: give a word, extend it, agree to it, take it back.

Each is judged first, by what it would do: every policy that it concerns is evaluated with it and without it. One that
would empty an answer, break a rule, or stand against another word is refused, with what stands against it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from failoverd.core.control.outcome import OutcomeKind
from failoverd.core.overrides import Override, Scope, Verb
from failoverd.core.records import Target


@dataclass(frozen=True, slots=True)
class Ask:
    """What an operator asks for. What the fields mean is said by `Override`; `seconds` is how long it is to hold.

    `key` is chosen by who asks, and names this one request: asked again with it, it is answered as it was.
    """

    verb: Verb
    scope: Scope
    reason: str
    seconds: float
    shares: Mapping[str, int] = field(default_factory=dict)
    part: int = 0
    over: float = 0.0
    now: bool = False
    digest: str = ""
    name: str = ""
    breaks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """What a word does at one record: shares in basis points by region, before and after, and what is in its way.

    `ttl` in seconds is how long resolvers may keep the old answer. `error` is why nobody can say.
    """

    target: Target
    kind: OutcomeKind | None
    before: Mapping[str, int]
    after: Mapping[str, int]
    ttl: int = 0
    reasons: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """A word that was accepted, or would be (`dry_run`), and what it does. `kept`: the journal has it."""

    word: Override
    effects: tuple[Effect, ...]
    kept: bool = True
    dry_run: bool = False
    notes: tuple[str, ...] = ()


__all__ = ["Ask", "Callable", "Effect", "Given", "Iterable"]
