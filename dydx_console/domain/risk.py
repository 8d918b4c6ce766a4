"""From where on an account's risk is worth a word, and from where on a person must look."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

__all__ = ["DEFAULT_LIMITS", "RiskLevel", "RiskLimits"]


class RiskLevel(StrEnum):
    """How much an account is at risk, by the levels that its owner set."""

    NONE = "NONE"
    WARN = "WARN"
    ALARM = "ALARM"

    @property
    def rank(self) -> int:
        """0, 1 or 2: the higher, the worse."""
        return tuple(RiskLevel).index(self)


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """The levels as fractions: of equity for the margin used, of the oracle price for the way to liquidation."""

    margin_usage_warn: Decimal = Decimal("0.5")
    margin_usage_alarm: Decimal = Decimal("0.8")
    liquidation_distance_warn: Decimal = Decimal("0.15")
    liquidation_distance_alarm: Decimal = Decimal("0.05")


DEFAULT_LIMITS = RiskLimits()
