"""The report of `check-network`: what was looked at, what was found, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CheckResult", "Report", "Verdict"]


class Verdict(StrEnum):
    """How a check ended. WARN asks for attention and fails nothing; SKIP says why it could not be made."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: `remedy` says what to do where it is not fine, `exit_code` what a failure is worth."""

    name: str
    verdict: Verdict
    text: str
    took_ms: float
    remedy: str | None = None
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """All checks in their order.

    `exit_code` is 0 where none failed, else that of the first kind of refusal in the order usage (2), configuration
    (78), policy (77), network (69), then what is left.
    """

    checks: tuple[CheckResult, ...]
    took_ms: float
    exit_code: int
