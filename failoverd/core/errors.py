"""What can go wrong, said so that the person who is paged can act on it.

Each error names what happened (`detail`), a stable reason code for logs, metrics and tests (`reason`), and what to do
(`remedy`). A provider maps every failure of its API to exactly one of the four `ProviderError` kinds.
"""

from typing import Final


class FailoverdError(Exception):
    """Base of every error that failoverd raises on purpose.

    Args:
        detail: what happened and where, in one sentence, free of secrets.
        reason: a stable code such as `connect_refused`; callers compare it, people search for it.
        remedy: what to do about it, in one sentence; empty when there is nothing to do but wait.
    """

    def __init__(self, detail: str, *, reason: str, remedy: str = "") -> None:
        super().__init__(f"{detail} ({reason})" + (f". {remedy}" if remedy else ""))
        self.detail = detail
        self.reason = reason
        self.remedy = remedy


NO_EFFECT: Final = "no_effect"
"""Of a write that the provider took, and that does not stand there as it was written when it is read back at once."""


class ProviderError(FailoverdError):
    """A provider could not read or write. Traffic stays where it is; only this zone waits."""


class Transient(ProviderError):  # noqa: N818 - the word of the field; the base class says Error
    """May succeed if tried again later: a time-out, a refused connection, a server error."""


class RateLimited(ProviderError):  # noqa: N818
    """The provider asked for fewer requests.

    `retry_after` is what it asked for, in seconds, or None when it did not say.
    """

    def __init__(self, detail: str, *, reason: str, remedy: str = "", retry_after: float | None = None) -> None:
        super().__init__(detail, reason=reason, remedy=remedy)
        self.retry_after = retry_after


class Permanent(ProviderError):  # noqa: N818
    """Trying again will not help until a person changes something: credentials, permissions, a missing zone."""


class Fenced(ProviderError):  # noqa: N818
    """The provider refused the write because the record or its marker is no longer what the plan was made from.

    Nothing was changed; or, when the reason is `overtaken`, it was, and another writer has replaced it already. Read
    again and decide again.
    """


class JournalError(FailoverdError):
    """The journal could not be read or written. History may be lost; traffic is not affected."""


class CoordinationError(FailoverdError):
    """The members' common memory could not be read or written. Who leads may not write until it can be."""

    @classmethod
    def of(cls, error: FailoverdError) -> "CoordinationError":
        """What went wrong on the way there, as what it comes to."""
        return CoordinationError(error.detail, reason=error.reason, remedy=error.remedy)


class Compacted(CoordinationError):  # noqa: N818 - the word of the field
    """What happened since then is not known any more, or was undone by a backup: read everything again."""


class ConfigError(FailoverdError):
    """The configuration cannot be used at all, so there is nothing to run.

    `place` is the file that it is about, or a line of it, which its sentence begins with; `wrong` is all but that.
    """

    def __init__(self, detail: str, *, reason: str, remedy: str = "", place: str = "") -> None:
        super().__init__(f"{place}: {detail}" if place else detail, reason=reason, remedy=remedy)
        self.place = place
        self.wrong = str(FailoverdError(detail, reason=reason, remedy=remedy))


def describe(error: BaseException) -> str:
    """The type, the message and the innermost place of an error; of a group, its first member.

    What comes from a library is told without its message, which may repeat what a server said, or a secret.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    place, of_library, trace = "", False, error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        of_library |= "-packages/" in file  # site-packages, or what Debian calls dist-packages
        place, trace = f" at {file.rpartition('/')[2]}:{trace.tb_lineno}", trace.tb_next
    return f"{type(error).__name__}{'' if of_library else f': {error}'}{place}"[:500]


def classified(error: Exception) -> FailoverdError:
    """What failoverd did not foresee, said like everything else: what happened, where, and what to do."""
    if isinstance(error, FailoverdError):
        return error
    if isinstance(error, OSError) and error.filename is not None:
        words = f"{error.filename}: {error.strerror}"
        return FailoverdError(words, reason="system_error", remedy="look at that file, and at who may read or write it")
    return FailoverdError(describe(error), reason="internal_error", remedy="please report it with this line")
