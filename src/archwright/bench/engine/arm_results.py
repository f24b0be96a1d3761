"""Results of one arm with one seed, and files of them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeVar

from archwright.bench.engine.arms import Arm
from archwright.bench.engine.results import checked, kinds_of


@dataclass(frozen=True, kw_only=True)
class ArmResult:
    """Result of an arm with a seed, the seed of everything random in it."""

    arm: Arm
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON has it: the fields of its arm stand among its own."""
        content = asdict(self)
        return {**content.pop("arm"), **content}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Invert `to_json`; unknown fields are left out.

        Raises:
            RunError: a field is missing, or of another type.
        """
        arm = Arm(**checked(content, kinds_of(Arm)))
        return cls(arm=arm, **checked(content, kinds_of(cls, "arm")))


_R = TypeVar("_R", bound=ArmResult)


def find_result(results: Iterable[_R], arm: Arm, seed: int) -> _R | None:
    """Return the result of an arm with that seed, if there is one."""
    return next((one for one in results if (one.arm, one.seed) == (arm, seed)), None)
