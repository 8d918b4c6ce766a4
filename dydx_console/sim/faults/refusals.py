"""The answers that stand in the way: rate limits, errors, HTML of a proxy in front, refusals by place.

The Indexer's own ones follow dydxprotocol/v4-chain indexer/services/comlink/src/lib/{rate-limit,
compliance-and-geo-check}.ts; a proxy's pages are made up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

from dydx_console.sim.faults.outcomes import Refused
from dydx_console.sim.indexer.comlink import BASE_HEADERS, JSON_TYPE, TOO_MANY, Answer, Headers, dumps

PLACE_TEXT = "This account cannot be used from where you are connected."
PLACE_ERROR = {"errors": [{"code": "GEOBLOCKED", "msg": PLACE_TEXT}]}
SERVER_ERROR = {"errors": [{"msg": "Internal Server Error"}]}
HTML_TYPE = ("Content-Type", "text/html; charset=UTF-8")
UNLISTED = {520: "Web Server Returned an Unknown Error", 530: "Origin DNS Error", 200: "One moment, please"}
REFUSED_ROUTES = (
    "/v4/addresses/",
    "/v4/orders",
    "/v4/fills",
    "/v4/perpetualPositions",
    "/v4/assetPositions",
    "/v4/transfers",
    "/v4/historical-pnl",
    "/v4/pnl",
    "/v4/fundingPayments",
    "/v4/tradeHistory",
)
"""What the Indexer screens by place; a single order by its id, market data, height and time pass."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

RetryHeaders = Callable[[int, int], Headers]


def phrase(status: int) -> str:
    """A status in words, those that only proxies know included."""
    return UNLISTED.get(status) or HTTPStatus(status).phrase


def page(status: int) -> str:
    """A proxy's page."""
    title = f"{status} {phrase(status)}"
    return f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"


def limited(way: int, now_ms: int, until_ms: int) -> Answer:
    """429 with a Retry-After in one of three ways (see `Kind.REST_LIMITED`)."""
    headers = _WAYS[way](now_ms, until_ms)
    if way == 0:
        return Answer(429, (*BASE_HEADERS, *headers, JSON_TYPE), dumps(TOO_MANY))
    return Answer(429, (*headers, HTML_TYPE), page(429))


def failed(status: int) -> Answer:
    """An error in place of an answer: the Indexer's own for 500, else a page."""
    if status == 500:
        return Answer(500, (*BASE_HEADERS, JSON_TYPE), dumps(SERVER_ERROR))
    return Answer(status, (HTML_TYPE,), page(status))


def place_refused(path: str) -> Answer | None:
    """What a request from the wrong place gets; None where the place does not matter."""
    one_order = path.startswith("/v4/orders/") and not path.startswith("/v4/orders/parent")
    if one_order or not path.startswith(REFUSED_ROUTES):
        return None
    return Answer(403, (*BASE_HEADERS, JSON_TYPE), dumps(PLACE_ERROR))


def handshake_refused(status: int, now_ms: int, until_ms: int) -> Refused:
    """No WebSocket: a proxy's page, with seconds to wait at 429 and 503."""
    if status == 403:
        return Refused(403, (JSON_TYPE,), dumps(PLACE_ERROR))
    wait = _seconds(now_ms, until_ms) if status in (429, 503) else ()
    return Refused(status, (*wait, HTML_TYPE), page(status))


def _milliseconds(now_ms: int, until_ms: int) -> Headers:
    """The Indexer's own way."""
    return (
        ("RateLimit-Remaining", "0"),
        ("RateLimit-Reset", str(until_ms)),
        ("Retry-After", str(until_ms - now_ms)),
        ("RateLimit-Limit", "100"),
    )


def _seconds(now_ms: int, until_ms: int) -> Headers:
    return (("Retry-After", str(-((now_ms - until_ms) // 1_000))),)


def _date(_now_ms: int, until_ms: int) -> Headers:
    moment = _EPOCH + timedelta(seconds=-(-until_ms // 1_000))
    return (("Retry-After", format_datetime(moment, usegmt=True)),)


_WAYS: Mapping[int, RetryHeaders] = {0: _milliseconds, 1: _seconds, 2: _date}
