"""The OCI CLI, told to be whom failoverd is: for the commands that a person can paste."""

from collections.abc import Mapping

from failoverd.providers.oci_cloud.settings import Auth, OciSettings

_AUTH: Mapping[Auth, str] = {
    Auth.INSTANCE_PRINCIPAL: "instance_principal",
    Auth.RESOURCE_PRINCIPAL: "resource_principal",
    Auth.WORKLOAD_IDENTITY: "oke_workload_identity",
}
"""Values of the CLI's `--auth`."""


def oci(settings: OciSettings) -> list[str]:
    """`oci` with its global options. It names files and a profile, and no secret."""
    options: dict[str, object] = {"--region": settings.region, "--endpoint": settings.endpoint}
    options["--cert-bundle"] = settings.ca_file
    if settings.auth is Auth.CONFIG:
        options["--config-file"] = settings.config_file
        options["--profile"] = settings.profile if settings.profile != "DEFAULT" else None
    else:
        options["--auth"] = _AUTH[settings.auth]
    return ["oci", *(word for name, value in options.items() if value is not None for word in (name, str(value)))]
