"""The API key in its file. Nothing here ever puts it in a message."""

from pathlib import Path

from failoverd.core.errors import Permanent
from failoverd.files import read_regular, remedy_for
from failoverd.foreign import keep_secret

_MAX_SIZE = 4096


class ApiKeyFile:
    """The API key of one provider. It is small, so it is read anew for each request: a rotation needs no restart."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> str:
        """The key as the file holds it now. Raises Permanent when it holds none."""
        try:
            text = read_regular(self.path, _MAX_SIZE).decode("ascii", "replace").strip()
        except OSError as error:
            raise Permanent(
                f"the API key file {self.path} cannot be read: {error.strerror}",
                reason="secret_unreadable",
                remedy=remedy_for(self.path, "create it, or let the user that failoverd runs as read it"),
            ) from None
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise Permanent(
                f"the API key file {self.path} holds no API key",
                reason="secret_invalid",
                remedy="write the value of PowerDNS' `api-key` into it, and nothing else",
            )
        keep_secret(text)
        return text
