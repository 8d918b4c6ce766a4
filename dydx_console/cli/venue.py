"""One reading of the venue by a command: the account as it is now, or a sentence and the right exit code."""

import difflib
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dydx_console.cli.admission import Admission
from dydx_console.cli.common import UsageError
from dydx_console.cli.exits import Exit, fail
from dydx_console.cli.live import reach
from dydx_console.cli.looping import run_briefly
from dydx_console.domain.market import Market
from dydx_console.engine.once import Once, account_once
from dydx_console.engine.plan import LivePlan
from dydx_console.ports.faults import FaultKind, VenueError
from dydx_console.views.documents import NetworkSection

__all__ = ["code_of", "market_named", "markets_of", "plan_of", "read_once", "section_of", "sentence_of"]

log = logging.getLogger(__name__)

MOST_NAMED = 5
MOST_TEXT = 40


def plan_of(admission: Admission) -> LivePlan:
    """Return where to read, and whose account."""
    settings = admission.settings
    return LivePlan(
        admission.network,
        admission.address,
        admission.parent,
        allow_proxy=settings.proxy.allow,
        risk=settings.risk.limits,
        leverage=settings.leverage,
    )


def read_once(admission: Admission, log_path: Path, *, book_of: str | None = None, account: bool = True) -> Once:
    """Return what the Indexer tells now, without `account` markets alone; ends the command where it does not."""
    reach(admission, log_path)
    plan = plan_of(admission) if account else replace(plan_of(admission), address=None)
    try:
        return run_briefly(account_once(plan, book_of=book_of))
    except VenueError as error:
        log.error("%s", error)
        fail(code_of(error), sentence_of(error, log_path))


async def markets_of(admission: Admission) -> tuple[str, ...]:
    """Return the venue's markets, none where it does not tell them now."""
    try:
        once = await account_once(replace(plan_of(admission), address=None))
    except VenueError as error:
        log.info("markets are not known: %s", error)
        return ()
    return tuple(once.snapshot.markets)


def code_of(error: VenueError) -> Exit:
    """Return the exit code of a failure of the venue."""
    codes = {
        FaultKind.RATE_LIMITED: Exit.TEMPORARY,
        FaultKind.REJECTED: Exit.REJECTED,
        FaultKind.GEO_BLOCKED: Exit.REJECTED,
    }
    return codes.get(error.kind, Exit.UNREACHABLE)


def sentence_of(error: VenueError, log_path: Path) -> str:
    """Return a failure of the venue in words, with how long to wait where it said so."""
    wait = "" if error.retry_after_s is None else f"; try again in {error.retry_after_s:.0f} s"
    return f"{error}{wait} (log: {log_path})"


def section_of(admission: Admission) -> NetworkSection:
    """Return the network as documents tell it."""
    view = admission.view
    return NetworkSection(
        name=view.name,
        chain_id=view.chain_id,
        environment=view.environment,
        environment_from=view.environment_from,
        confirmed=admission.gate.decision.runs,
        read_only=True,
        warnings=view.warnings,
    )


def market_named(markets: Mapping[str, Market], ticker: str) -> Market:
    """Return a market by its ticker in any case. Raises UsageError, naming what is near it."""
    found = next((market for name, market in markets.items() if name.upper() == ticker.upper()), None)
    if found is None:
        raise UsageError(f"{ticker[:MOST_TEXT]} is no market here; {_nearest(markets, ticker.upper())}")
    return found


def _nearest(markets: Mapping[str, Market], ticker: str) -> str:
    begun = sorted(name for name in markets if name.startswith(f"{ticker}-"))
    near = begun or difflib.get_close_matches(ticker, sorted(markets), MOST_NAMED)
    if near:
        return f"near it: {', '.join(near[:MOST_NAMED])}"
    return f"there are {len(markets)}, among them {', '.join(sorted(markets)[:MOST_NAMED])}"
