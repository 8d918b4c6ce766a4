"""The OpenAPI document, made from the models that the answers are made of."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from dydx_console import __version__
from dydx_console.health.accounts import AccountBody, OrderBody, OrdersBody, PositionBody, PositionsBody
from dydx_console.health.asked import DEFAULT_LIMIT, MOST_LIMIT
from dydx_console.health.documents import (
    Errors,
    Live,
    NetworkConfig,
    NetworkConfigFault,
    NetworkFault,
    NetworkHealth,
    Overview,
    OverviewFault,
    Problem,
    Ready,
)
from dydx_console.health.metrics import CONTENT_TYPE

__all__ = ["openapi_document"]

JSON = "application/json"
DESCRIPTION = (
    "How the network stands, for machines. Answers come from the engine's latest evidence; those of /health and "
    "/metrics hold no address, amount or secret. The paths under /api tell the account: they are there only where "
    "[health] api_token_file switches them on, and answer nobody without its token. GET is the only method: every "
    "other one, HEAD and OPTIONS included, is answered 405. Requests are answered where Host names this server exactly "
    "and no Origin is sent. A path that is not listed is answered 404, as in the response NotFound. Connections are "
    "cut without an answer when a request's headers take longer than 2 s, when an answer is not taken, and when they "
    "are the oldest waiting one of more than 64."
)
EVERYWHERE = {
    "400": ("BadRequest", "What was sent is no HTTP request, or its query is not one that is listed."),
    "403": ("Forbidden", "Sent by a web page: it carries Origin, or Sec-Fetch-Site of another site."),
    "405": ("MethodNotAllowed", "The method is not GET."),
    "413": ("BodyRefused", "The request carries a body."),
    "421": ("Misdirected", "Host does not name this server."),
    "431": ("HeadTooLong", "Request line and headers are longer than 8,192 bytes together."),
    "500": ("Failed", "The answer could not be made; the log tells why."),
}
UNAUTHORIZED = ("Unauthorized", "Authorization does not carry the token.")
NOT_FOUND = ("NotFound", "There is no such path.")
PROBE = {
    "name": "probe",
    "in": "query",
    "required": False,
    "description": "1 asks for fresh evidence, which takes at most about 2.5 s; without it the latest is told at once.",
    "schema": {"type": "string", "enum": ["1"]},
}


def openapi_document() -> dict[str, Any]:
    """Return the document: every path with every answer that it can give."""
    models: tuple[type[BaseModel], ...] = (
        Problem,
        Errors,
        Live,
        NetworkConfig,
        NetworkConfigFault,
        NetworkFault,
        NetworkHealth,
        Overview,
        OverviewFault,
        Ready,
        AccountBody,
        PositionsBody,
        PositionBody,
        OrdersBody,
        OrderBody,
    )
    _, schemas = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "dydx-console health", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": _paths(),
        "components": {
            "schemas": schemas["$defs"],
            "responses": _shared_responses(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _paths() -> dict[str, Any]:
    unreachable = "The Indexer cannot be reached, or the engine does not run."
    contradicted = "The evidence contradicts the configuration, or BadRequest."
    network_faults = {
        "400": _json(contradicted, NetworkFault, Problem),
        "503": _json(f"{unreachable} A Problem alone: too many wait for the running probe.", NetworkFault, Problem),
    }
    overview_faults = {
        "400": _json(contradicted, OverviewFault, Problem),
        "503": _json(unreachable, OverviewFault),
    }
    config_fault = {"400": _json(contradicted, NetworkConfigFault, Problem)}
    not_ready = {"503": _json("The picture may not be relied on.", Problem)}
    not_live = {"503": _json("The engine does not run.", Problem)}
    metrics = {"description": "OpenMetrics text.", "content": {CONTENT_TYPE: {"schema": {"type": "string"}}}}
    document = {"description": "OpenAPI 3.1.", "content": {JSON: {"schema": {"type": "object"}}}}
    return {
        "/health/": _get("overview", "How things stand in one line, and links", _json("", Overview), overview_faults),
        "/health/network": _get(
            "network", "The network and its evidence", _json("", NetworkHealth), network_faults, PROBE
        ),
        "/health/config": _get("config", "The network as configured", _json("", NetworkConfig), config_fault),
        "/health/errors": _get("errors", "What failed in this run, by kind, wire and endpoint", _json("", Errors), {}),
        "/health/ready": _get("ready", "Whether the picture may be relied on", _json("", Ready), not_ready),
        "/health/live": _get("live", "Whether the engine's loop turns", _json("", Live), not_live),
        "/metrics": _get("metrics", "Metrics for monitoring", metrics, {}),
        "/openapi.json": _get("openapi", "This document", document, {}),
        **_api_paths(),
    }


def _api_paths() -> dict[str, Any]:
    position = _parameter("id", "Subaccount and market, such as 0-ETH-USD.", place="path")
    order = _parameter("id", "The id that the Indexer gives the order.", place="path")
    return {
        "/api/account": _guarded("account", "The account: margin, balances and PNL", AccountBody),
        "/api/positions/summary": _guarded("positions", "The open positions and their sums", PositionsBody),
        "/api/positions/{id}/pnl": _guarded("position", "PNL of one subaccount and market", PositionBody, position),
        "/api/orders": _guarded("orders", "A page of the order history", OrdersBody, *_ORDER_PARAMETERS),
        "/api/orders/{id}": _guarded("order", "An order with its fills and its standings", OrderBody, order),
    }


def _guarded(name: str, summary: str, model: type[BaseModel], *parameters: dict[str, Any]) -> dict[str, Any]:
    faults = {
        "401": {"$ref": f"#/components/responses/{UNAUTHORIZED[0]}"},
        "404": _json("The API is switched off, or nothing is known of what the path names.", Problem),
        "503": _json("Nothing was heard of the account yet, or the journal gives no answer.", Problem),
    }
    item = _get(name, summary, _json("", model), faults, *parameters)
    item["get"]["security"] = [{"token": []}]
    return item


def _parameter(name: str, description: str, *, place: str = "query", **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": description,
        "schema": {"type": "string", **schema},
    }


_ORDER_PARAMETERS = (
    _parameter("status", "OPEN, FILLED, CANCELLED …; several with commas between."),
    _parameter("market", "Such as BTC-USD; several with commas between."),
    _parameter("side", "BUY or SELL."),
    _parameter("type", "A trader's type: LIMIT, MARKET, STOP_LIMIT …"),
    _parameter("subaccount", "Numbers; without them, the parent subaccount and its children."),
    _parameter("since", "The first moment: 2026-11-01, an ISO-8601 time, today, 7d or 12h (UTC)."),
    _parameter("until", "The first moment that is left out."),
    _parameter("text", "Looked for in markets and ids, ignoring case."),
    _parameter("order", "Which come first.", enum=["newest", "oldest"], default="newest"),
    _parameter("limit", "Rows of a page.", type="integer", minimum=1, maximum=MOST_LIMIT, default=DEFAULT_LIMIT),
    _parameter("cursor", "`next` of the page before; only limit may differ from its question."),
)


def _get(
    name: str, summary: str, fine: dict[str, Any], faults: dict[str, Any], *parameters: dict[str, Any]
) -> dict[str, Any]:
    shared = {status: {"$ref": f"#/components/responses/{title}"} for status, (title, _) in EVERYWHERE.items()}
    responses = {"200": {**fine, "description": fine["description"] or summary + "."}, **shared, **faults}
    operation = {"operationId": name, "summary": summary, "responses": dict(sorted(responses.items()))}
    return {"get": {**operation, "parameters": list(parameters)} if parameters else operation}


def _json(description: str, *models: type[BaseModel]) -> dict[str, Any]:
    refs = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    schema: dict[str, Any] = refs[0] if len(refs) == 1 else {"anyOf": refs}
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _shared_responses() -> dict[str, Any]:
    responses = {title: _json(text, Problem) for title, text in (*EVERYWHERE.values(), NOT_FOUND)}
    allow = {"Allow": {"description": "The method that is allowed.", "schema": {"type": "string", "enum": ["GET"]}}}
    responses["MethodNotAllowed"]["headers"] = allow
    challenge = {"WWW-Authenticate": {"description": "How to be admitted.", "schema": {"type": "string"}}}
    responses[UNAUTHORIZED[0]] = {**_json(UNAUTHORIZED[1], Problem), "headers": challenge}
    return responses
