"""What the checks are given: what is configured, and what was already found about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dydx_console.domain.preflight import Verdict
from dydx_console.safety.findings import Finding, errors_of, warnings_of
from dydx_console.safety.networks import Network
from dydx_console.safety.policy import Decision, Outcome

__all__ = ["Judgement", "PreflightPlan", "WatchedFile", "policy_judgement", "urls_judgement"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one check ends: `remedy` says what to do where it is not fine, `exit_code` what a failure is worth."""

    verdict: Verdict
    text: str
    remedy: str | None = None
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class WatchedFile:
    """A file or folder that nobody else may write to; `what` names it for people: config, log, journal."""

    what: str
    path: Path


@dataclass(frozen=True, slots=True)
class PreflightPlan:
    """What is to be checked.

    The first four are what was found before anything is asked; where one of them fails, no request leaves the machine.
    `network` is None where the configuration says none that could be used, `address` where no account is watched.
    `read_only` tells that nothing will be sent, so that an account without funds is no failure.
    """

    environment: Judgement
    config: Judgement
    policy: Judgement
    urls: Judgement
    network: Network | None
    address: str | None = None
    parent: int = 0
    read_only: bool = True
    files: tuple[WatchedFile, ...] = ()


def policy_judgement(decision: Decision) -> Judgement:
    """Return what a policy decision means for a report, which only diagnoses: a confirmation still to come is a WARN.

    A refusal fails with the decision's own exit code (77 or 78).
    """
    reasons = "; ".join(decision.reasons)
    if decision.outcome is Outcome.REFUSED:
        remedy = "choose another network or environment; nothing was asked and nothing was sent"
        return Judgement(Verdict.FAIL, reasons, remedy, int(decision.exit_code))
    if decision.outcome is Outcome.NEEDS_CONFIRMATION:
        return Judgement(Verdict.WARN, reasons, f"have {decision.network.chain_id} at hand: it will be asked for")
    if decision.warnings:
        return Judgement(Verdict.WARN, "; ".join((reasons, *decision.warnings)), "be sure that this is what you mean")
    return Judgement(Verdict.OK, reasons)


def urls_judgement(network: Network, findings: Iterable[Finding]) -> Judgement:
    """Return what the findings about a network mean for a report: an error fails with 78, naming every one."""
    found = tuple(findings)
    errors, warnings = errors_of(found), warnings_of(found)
    if errors:
        text = "; ".join(f"{finding.key}: {finding.text}" for finding in errors)
        return Judgement(Verdict.FAIL, text, f"correct it in [networks.{network.name}] of the configuration", 78)
    if warnings:
        text = "; ".join(finding.text for finding in warnings)
        return Judgement(Verdict.WARN, text, "be sure that this is what you mean")
    count = len(network.nodes)
    return Judgement(Verdict.OK, f"Indexer, stream and {count} node{'' if count == 1 else 's'} are well-formed")
