"""Settings that checks of several kinds have: a host, a file, a file whose content is sent."""

import os.path
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from failoverd.settings import parse_address, parse_name


def parse_host(value: str) -> str:
    """A host name or an address, in canonical form."""
    try:
        return parse_address(value)
    except ValueError:
        return parse_name(value)


Host = Annotated[str, AfterValidator(parse_host)]
AbsolutePath = Annotated[str, Field(pattern="^/.")]


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file whose content is sent to an endpoint.

    Whoever writes a policy chooses both, and may be trusted with less than the daemon can read: `within` are the
    folders, or files, that the daemon's own settings allow for it. None: they say it themselves, as for a sentinel.
    """

    path: str
    within: tuple[Path, ...] | None = None

    def __str__(self) -> str:
        return self.path

    def real(self) -> Path:
        """What is to be read, links followed. Raises ValueError where that is not allowed, wherever they lead."""
        found = Path(self.path).resolve()
        self._require(found, [folder.resolve() for folder in self.within or ()])
        return found

    def require_said_so(self) -> None:
        """Raises ValueError where the path, as it is written, is not allowed."""
        self._require(Path(os.path.normpath(self.path)), self.within or ())

    def _require(self, path: Path, allowed: "list[Path] | tuple[Path, ...]") -> None:
        if self.within is not None and not any(path.is_relative_to(folder) for folder in allowed):
            places = ", ".join(map(str, self.within)) or "nothing"
            raise ValueError(
                f"{path} is outside of what checks may send ({places}): put it there, or name its folder in "
                "check_files of the daemon's configuration"
            )


def _secret_file(value: object, info: ValidationInfo) -> SecretFile:
    if not isinstance(value, str) or not value.startswith("/") or value == "/":
        raise ValueError("write the absolute path of a file")
    file = SecretFile(value, (info.context or {}).get("check_files"))
    file.require_said_so()
    return file


SecretPath = Annotated[SecretFile, BeforeValidator(_secret_file), WithJsonSchema({"type": "string", "pattern": "^/."})]
