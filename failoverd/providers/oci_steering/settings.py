"""What a configuration file says about zones whose names OCI steers."""

from typing import Final

from pydantic import Field

from failoverd.providers.oci_cloud.settings import NEEDS as OCI_NEEDS
from failoverd.providers.oci_cloud.settings import Ocid, OciSettings
from failoverd.settings import Needed


class OciSteeringSettings(OciSettings):
    """Steering policies of Oracle Cloud: weighted answers, attached to the names of a zone."""

    compartment: Ocid | None = Field(
        default=None, description="OCID of the compartment for new policies; otherwise that of their zone"
    )


NEEDS: Final = (
    *OCI_NEEDS,
    Needed("compartment", "the OCID of the compartment for new policies; nothing: that of their zone", optional=True),
)
