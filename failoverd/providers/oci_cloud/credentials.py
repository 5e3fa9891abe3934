"""Who failoverd is for OCI, as the SDK wants to hear it. Nothing here puts a key or a pass phrase into a message."""

import configparser
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import oci  # type: ignore[import-untyped] # the OCI SDK ships no types

from failoverd.core.errors import Permanent, Transient
from failoverd.files import read_regular, remedy_for, require_regular
from failoverd.foreign import keep_secret
from failoverd.providers.oci_cloud.settings import Auth, OciSettings
from failoverd.settings import expand_home

_DEFAULT_FILE = Path("~/.oci/config")
_FILE_VARIABLE = "OCI_CONFIG_FILE"
_MAX_SIZE = 64 * 1024
_NAMED_FILES = ("key_file", "security_token_file")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the SDK's client is built from, and the files that it was read from.

    `signer` is None where the SDK makes one of `config`. `expiring`: a token that somebody has to renew.
    """

    config: Mapping[str, Any]
    signer: Any
    files: tuple[Path, ...]
    expiring: bool


def config_file(settings: OciSettings) -> Path:
    """The configuration file: the one that is named, ~/.oci/config, or else what OCI_CONFIG_FILE says."""
    if settings.config_file is not None:
        return settings.config_file
    usual = expand_home(_DEFAULT_FILE)
    named = os.environ.get(_FILE_VARIABLE)
    return expand_home(Path(named)) if named and not usual.is_file() else usual


def load(settings: OciSettings) -> Credentials:
    """Blocks: it reads files, or asks the instance's metadata service.

    Raises:
        Permanent: `credentials_missing` or `credentials_invalid`.
        Transient: `connect_failed` when whoever hands out tokens cannot be reached.
    """
    with _told(settings):
        if settings.auth is Auth.CONFIG:
            return _from_file(settings)
        config = {"region": settings.region} if settings.region is not None else {}
        return Credentials(config, _PRINCIPALS[settings.auth](), (), expiring=True)


def _from_file(settings: OciSettings) -> Credentials:
    path = config_file(settings)
    if path.exists():  # that there is none is said by the SDK, and in words of ours
        require_regular(path)
    config = dict(oci.config.from_file(str(path), settings.profile))
    keep_secret(config.get("pass_phrase") or "")
    if settings.region is not None:
        config["region"] = settings.region
    files = (path, *(expand_home(Path(config[name])) for name in _NAMED_FILES if config.get(name)))
    return Credentials(config, _session(config), files, expiring="security_token_file" in config)


def _session(config: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the SDK has no types
    """The signer of a session token, where the profile has one (`oci session authenticate`)."""
    if "security_token_file" not in config:
        return None
    token = read_regular(expand_home(Path(config["security_token_file"])), _MAX_SIZE).decode("ascii").strip()
    keep_secret(token)
    key = oci.signer.load_private_key_from_file(config["key_file"], config.get("pass_phrase"))
    return oci.auth.signers.SecurityTokenSigner(token, key)


def _instance() -> Any:  # noqa: ANN401
    once = oci.retry.NoneRetryStrategy()
    return oci.auth.signers.InstancePrincipalsSecurityTokenSigner(
        retry_strategy=once,
        federation_client_retry_strategy=once,
        federation_client_circuit_breaker_strategy=oci.circuit_breaker.NoCircuitBreakerStrategy(),
    )


def _workload() -> Any:  # noqa: ANN401
    once = oci.retry.NoneRetryStrategy()
    return oci.auth.signers.get_oke_workload_identity_resource_principal_signer(retry_strategy=once)


_PRINCIPALS: Mapping[Auth, Callable[[], Any]] = {
    Auth.INSTANCE_PRINCIPAL: _instance,
    Auth.RESOURCE_PRINCIPAL: oci.auth.signers.get_resource_principals_signer,
    Auth.WORKLOAD_IDENTITY: _workload,
}


@contextmanager
def _told(settings: OciSettings) -> Iterator[None]:
    """Turns what goes wrong here into provider errors."""
    try:
        yield
    except oci.exceptions.BaseRequestException as error:
        raise Transient(
            f"the service that hands out tokens for `auth: {settings.auth}` cannot be reached",
            reason="connect_failed",
            remedy="check that this host is what `auth` says, and its route to that service",
        ) from error
    except (oci.exceptions.ConfigFileNotFound, oci.exceptions.ProfileNotFound) as error:
        raise _missing(settings, f"has no profile {settings.profile}, or is not there") from error
    except oci.exceptions.InvalidKeyFilePath as error:
        raise _missing(settings, "names a key file that is not there") from error
    except OSError as error:
        raise _missing(settings, f"cannot be used: {error.strerror or type(error).__name__}") from error
    except configparser.Error as error:  # its text may quote a line, and so a secret
        raise _invalid(settings, f"cannot be parsed ({type(error).__name__})") from None
    except (oci.exceptions.ClientError, oci.exceptions.ServiceError, KeyError, ValueError) as error:
        raise _invalid(settings, f"do not make a signer ({type(error).__name__})") from None


def _where(settings: OciSettings) -> str:
    if settings.auth is not Auth.CONFIG:
        return f"what this host has for `auth: {settings.auth}`"
    return f"profile {settings.profile} of {config_file(settings)}"


def _missing(settings: OciSettings, what: str) -> Permanent:
    remedy = "create the file with its profile and key, name them with `config_file` and `profile`, or use `auth`"
    return Permanent(
        f"there are no OCI credentials: {_where(settings)} {what}",
        reason="credentials_missing",
        remedy=remedy_for(config_file(settings), remedy) if settings.auth is Auth.CONFIG else remedy,
    )


def _invalid(settings: OciSettings, what: str) -> Permanent:
    return Permanent(
        f"the OCI credentials are unusable: {_where(settings)}: they {what}",
        reason="credentials_invalid",
        remedy="correct them: tenancy, user, fingerprint, region, and a private key in PEM with its pass phrase",
    )
