"""`check-network`, and the plan of the checks that every engine makes at its start."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dydx_console.cli.admission import Wanted, chosen_network, decided, let_proxies_in, scrubbed_warnings
from dydx_console.cli.exits import Exit
from dydx_console.cli.looping import run_briefly
from dydx_console.config.load import ConfigError, Loaded, load
from dydx_console.config.networks import configured_networks
from dydx_console.domain.preflight import CheckResult, Report, Verdict
from dydx_console.preflight.plan import Judgement, PreflightPlan, WatchedFile, policy_judgement, urls_judgement
from dydx_console.safety.networks import Network, UnknownNetworkError
from dydx_console.safety.policy import Decision
from dydx_console.safety.validator import NetworkValidator

if TYPE_CHECKING:
    from dydx_console.views.documents import NetworkSection

__all__ = ["check_network", "demo_plan", "plan_of"]

PIPE_WIDTH = 120


def plan_of(loaded: Loaded, network: Network, decision: Decision, log_path: Path | None) -> PreflightPlan:
    """Return what is to be checked about a network that was chosen."""
    settings = loaded.settings
    findings = NetworkValidator(configured_networks(settings)).url_findings(network)
    file = loaded.sources.file
    files = [WatchedFile("config", file)] if file.exists() else []
    if log_path is not None:
        files.append(WatchedFile("log", log_path))
    return PreflightPlan(
        environment=_environment_judgement(loaded),
        config=Judgement(Verdict.OK, str(file) if file.exists() else f"no file at {file}: defaults"),
        policy=policy_judgement(decision),
        urls=urls_judgement(network, findings),
        network=network,
        address=settings.address,
        parent=settings.parent_subaccount,
        read_only=True,
        files=tuple(files),
    )


def demo_plan(network: Network, decision: Decision, address: str | None) -> PreflightPlan:
    """Return what is to be checked about the embedded exchange, whose URLs are not known before it runs."""
    own = Judgement(Verdict.OK, "an exchange of its own, on this machine alone")
    return PreflightPlan(own, own, policy_judgement(decision), own, network, address)


def check_network(
    config: Path | None, overrides: dict[str, Any], wanted: Wanted, *, as_json: bool, verbose: bool, timeout_s: float
) -> int:
    """Make every check and print the report; returns its exit code."""
    plan, section, allow_proxy = _planned(config, overrides, wanted)
    report = run_briefly(_checked(plan, timeout_s, allow_proxy=allow_proxy))
    _print(report, section, as_json=as_json, verbose=verbose)
    return report.exit_code


async def _checked(plan: PreflightPlan, timeout_s: float, *, allow_proxy: bool) -> Report:
    from dydx_console.engine.compose import check_once

    return await check_once(plan, timeout_s, allow_proxy=allow_proxy)


def _planned(
    config: Path | None, overrides: dict[str, Any], wanted: Wanted
) -> "tuple[PreflightPlan, NetworkSection | None, bool]":
    unknown = Judgement(Verdict.SKIP, "the configuration cannot be used")
    try:
        loaded = load(config, overrides)
        network = chosen_network(loaded.settings)
    except (ConfigError, UnknownNetworkError) as error:
        wrong = Judgement(Verdict.FAIL, str(error), "correct it; nothing was asked", int(Exit.CONFIGURATION))
        return PreflightPlan(unknown, wrong, unknown, unknown, None), None, False
    settings = loaded.settings
    let_proxies_in(settings)
    decision = decided(settings, network, wanted)
    section = _section(loaded, network, decision)
    return plan_of(loaded, network, decision, None), section, settings.proxy.allow


def _environment_judgement(loaded: Loaded) -> Judgement:
    text = f"{loaded.settings.environment}, from {loaded.origin_of('environment')}"
    warnings = scrubbed_warnings(loaded.settings)
    if warnings:
        return Judgement(Verdict.WARN, "; ".join((text, *warnings)), "unset them where they are set")
    return Judgement(Verdict.OK, text)


def _section(loaded: Loaded, network: Network, decision: Decision) -> "NetworkSection":
    from dydx_console.views.documents import NetworkSection

    return NetworkSection(
        name=network.name,
        chain_id=network.chain_id,
        environment=str(loaded.settings.environment),
        environment_from=loaded.origin_of("environment"),
        confirmed=decision.runs,
        read_only=True,
        warnings=decision.warnings,
    )


def _print(report: Report, section: "NetworkSection | None", *, as_json: bool, verbose: bool) -> None:
    from dydx_console.views import preflight as views

    if as_json:
        sys.stdout.write(views.preflight_document(report, section).model_dump_json(indent=2) + "\n")
    elif sys.stdout.isatty():
        _print_table(report, verbose=verbose)
    else:
        sys.stdout.write("\n".join(views.report_lines(report, PIPE_WIDTH, verbose=verbose)) + "\n")


_STYLES = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "bold red", Verdict.SKIP: "dim"}


def _print_table(report: Report, *, verbose: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("found", ratio=1)
    table.add_column("ms", justify="right", no_wrap=True)
    for check in report.checks:
        if check.verdict is Verdict.SKIP and not verbose:
            continue
        style = _STYLES[check.verdict]
        table.add_row(Text(check.verdict.value, style), Text(check.name), _found(check), Text(f"{check.took_ms:,.0f}"))
    console = Console()
    console.print(table)
    skipped = [check.name for check in report.checks if check.verdict is Verdict.SKIP]
    if skipped and not verbose:
        console.print(Text(f"skipped: {', '.join(skipped)} (--verbose says why)", "dim"))
    from dydx_console.views.preflight import summary_cells

    summary = "".join(cell.text for cell in summary_cells(report, console.width))
    console.print(Text(summary.strip(), "bold red" if report.exit_code else "bold green"))


def _found(check: CheckResult) -> "Any":
    from rich.text import Text

    text = Text(check.text)
    if check.remedy is not None:
        text.append(f"\n→ {check.remedy}", "cyan")
    return text
