"""`faucet`: test funds for a subaccount."""

import asyncio
import logging
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from dydx_console.cli.admission import Admission
from dydx_console.cli.exits import Exit, fail
from dydx_console.cli.looping import run_briefly
from dydx_console.ports.faults import FaultKind, VenueError

if TYPE_CHECKING:
    from dydx_console.venue.faucet import Faucet

__all__ = ["Payment", "ask"]

WAIT_S = 30.0
STEP_S = 1.0
_CODES = {
    FaultKind.RATE_LIMITED: Exit.TEMPORARY,
    FaultKind.REJECTED: Exit.REJECTED,
    FaultKind.GEO_BLOCKED: Exit.REJECTED,
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Payment:
    """Whom to pay, and how much in whole test USDC."""

    address: str
    subaccount: int
    usdc: int


def ask(admission: Admission, payment: Payment, log_path: Path, *, wait_s: float = WAIT_S) -> int:
    """Ask the network's faucet for USDC and wait up to `wait_s` seconds until it is there; returns the exit code."""
    network = admission.network
    if network.faucet is None:
        fail(Exit.REFUSED, f"{network.name} has no faucet; test funds are given on testnet")
    try:
        arrived = run_briefly(_asked(admission, network.faucet, payment, wait_s))
    except VenueError as error:
        log.error("faucet: %s", error)
        fail(_CODES.get(error.kind, Exit.UNREACHABLE), f"faucet: {error} (log: {log_path})")
    if arrived is None:
        fail(
            Exit.TEMPORARY,
            f"the faucet took the request, but nothing has come within {wait_s:g} s; now and then it pays nothing,"
            f" so look again in a minute",
        )
    sys.stdout.write(f"subaccount {payment.subaccount} of {payment.address} now has an equity of {arrived:,f} USD\n")
    return Exit.OK


async def _asked(admission: Admission, url: str, payment: Payment, wait_s: float) -> Decimal | None:
    """Return the equity after the payment, None where none came in time."""
    from dydx_console.engine.live import user_agent
    from dydx_console.venue.faucet import Faucet

    allow_proxy = admission.settings.proxy.allow
    async with Faucet(url, admission.network.indexer_rest, user_agent(), allow_proxy=allow_proxy) as faucet:
        before = await faucet.equity(payment.address, payment.subaccount)
        await faucet.fill(payment.address, payment.subaccount, payment.usdc)
        return await _arrived(faucet, payment, before, wait_s)


async def _arrived(faucet: "Faucet", payment: Payment, before: Decimal | None, wait_s: float) -> Decimal | None:
    for _ in range(int(wait_s / STEP_S)):
        await asyncio.sleep(STEP_S)
        now = await faucet.equity(payment.address, payment.subaccount)
        if now is not None and (before is None or now > before):
            return now
    return None
