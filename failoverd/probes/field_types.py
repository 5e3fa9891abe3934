"""Settings that checks of several kinds have: a host, a file."""

from typing import Annotated

from pydantic import AfterValidator, Field

from failoverd.settings import parse_address, parse_name


def parse_host(value: str) -> str:
    """A host name or an address, in canonical form."""
    try:
        return parse_address(value)
    except ValueError:
        return parse_name(value)


Host = Annotated[str, AfterValidator(parse_host)]
AbsolutePath = Annotated[str, Field(pattern="^/.")]
