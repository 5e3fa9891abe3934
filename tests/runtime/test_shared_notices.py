"""What people were told of, as one value that any coordinator takes."""

from support.notices import notice

from failoverd import codec
from failoverd.core.events import Level
from failoverd.core.status import Notice
from failoverd.runtime.members.shared_notices import MOST_BYTES, fitting


def test_what_fits_is_kept_whole() -> None:
    some = (notice("azure", facts={"why": "it is down"}), notice("oci"))
    assert codec.load(tuple[Notice, ...], fitting(some)) == some


def test_of_too_much_the_errors_are_kept_first_and_the_sentence_of_each() -> None:
    facts = {"why": "x" * 4_000}
    errors = [notice(f"error-{number}", severity=Level.ERROR.value, facts=facts) for number in range(300)]
    warnings = [notice(f"warning-{number}", facts=facts) for number in range(2_000)]
    body = fitting([*warnings, *errors])
    kept = codec.load(tuple[Notice, ...], body)
    assert len(body) <= MOST_BYTES + 2
    assert {each.subject for each in errors} <= {each.subject for each in kept}
    assert not any(each.facts for each in kept)
