"""Members on paper: azure-1 leads, oci-1 follows, aws-1 watches, and all is well until a test says otherwise."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from failoverd.core.members import MemberRole
from failoverd.core.status import MembersStatus, MemberStanding, MemberStatus
from failoverd.operations.handing_over import Resigned, hand_over


def members(now: float, **more: object) -> MembersStatus:
    """As azure-1 knows them."""
    told = MembersStatus(
        at=now,
        member="azure-1",
        leads=True,
        leader="azure-1",
        epoch=7,
        since=now - 7_200,
        heard_at=now - 1,
        lease=20.0,
        members=(
            MemberStatus("aws-1", "aws", MemberRole.VANTAGE, MemberStanding.WATCHES, now - 1, "1.2.3", offset=0.01),
            MemberStatus("azure-1", "azure", MemberRole.MEMBER, MemberStanding.LEADS, now, "1.2.3", offset=0.0),
            MemberStatus("oci-1", "oci", MemberRole.MEMBER, MemberStanding.FOLLOWS, now - 2, "1.2.3", offset=-0.02),
        ),
    )
    return replace(told, **more)  # type: ignore[arg-type]  # what a test says


def but(told: MembersStatus, name: str, **other: object) -> MembersStatus:
    """The same, with one member otherwise."""
    changed = (replace(each, **other) if each.name == name else each for each in told.members)  # type: ignore[arg-type]
    return replace(told, members=tuple(changed))


@dataclass
class PaperLeader:
    """A daemon that leads, and lets oci-1 lead when it is asked to. `reached`: its coordinator hears of that."""

    clock: Callable[[], float]
    told: MembersStatus
    reached: bool = True
    causes: list[str] = field(default_factory=list)
    abstained: float = 0.0

    async def step_down(self, seconds: float, cause: str) -> bool:
        self.causes.append(cause)
        self.abstained = seconds
        if self.reached:
            self.told = but(self.told, "azure-1", standing=MemberStanding.FOLLOWS)
            self.told = but(self.told, "oci-1", standing=MemberStanding.LEADS)
            self.told = replace(self.told, leads=False, leader="oci-1", epoch=self.told.epoch + 1)
        return self.reached

    async def hand_over(self, seconds: float, actor: str, reason: str, anyway: bool) -> Resigned:
        return await hand_over(self, self.told, self.clock, seconds, actor, reason, anyway=anyway)
