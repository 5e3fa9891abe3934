"""What a configuration file says about the key that a dynamic DNS server knows us by."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from failoverd.settings import DnsName, FilePath, Needed, Settings

_WEAK = frozenset({"hmac-md5", "hmac-md5.sig-alg.reg.int", "hmac-sha1", "hmac-sha224"})


def _strong(value: object) -> object:
    if isinstance(value, str) and value.lower().rstrip(".") in _WEAK:
        raise ValueError(f"{value} is too weak to sign changes of DNS: make a key of hmac-sha256 or longer")
    return value


class TsigSettings(Settings):
    """The key that requests are signed with (TSIG, RFC 8945). The secret itself stands in a file of its own."""

    model_config = ConfigDict(hide_input_in_errors=True)

    name: DnsName = Field(description="name of the key, as the server knows it")
    algorithm: Annotated[Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"], BeforeValidator(_strong)] = "hmac-sha256"
    secret_file: FilePath = Field(
        description='file with the secret: base64, or a `key "name" { ... };` clause of BIND; read anew when it changes'
    )

    @model_validator(mode="before")
    @classmethod
    def _no_inline_secret(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the file said
        if isinstance(data, dict) and "secret" in data:
            raise ValueError(
                "a secret does not belong in this file, which is read, reviewed and committed: put it in a file of its "
                "own that only the service can read, name that file with `secret_file`, and make a new key, for this "
                "one may have been seen"
            )
        return data


NEEDS_KEY: Final = (
    Needed("key.name", "the name of the key that updates are signed with, as the server knows it", "failoverd"),
    Needed(
        "key.secret_file",
        "the file with that key (TSIG)",
        "tsig.key",
        make="(umask 077; /usr/sbin/tsig-keygen -a hmac-sha256 {name} > {file})",
    ),
)
"""The command makes a new key; the same file, included by BIND, tells it to the server."""
