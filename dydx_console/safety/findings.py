"""What is found wrong with a network."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Severity", "errors_of", "warnings_of"]


class Severity(StrEnum):
    """Whether a finding refuses the network or asks for attention."""

    WARNING = "WARNING"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. `key` is the network's key that it is about, e.g. `indexer_rest`."""

    severity: Severity
    key: str
    text: str


def errors_of(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings that refuse the network."""
    return tuple(finding for finding in findings if finding.severity is Severity.ERROR)


def warnings_of(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings that ask for attention."""
    return tuple(finding for finding in findings if finding.severity is Severity.WARNING)
