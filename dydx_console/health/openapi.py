"""The OpenAPI document, made from the models that the answers are made of."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from dydx_console import __version__
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
    "How the network stands, for machines. Answers come from the engine's latest evidence and hold no address, amount "
    "or secret. GET is the only method: every other one, HEAD and OPTIONS included, is answered 405. Requests are "
    "answered where Host names this server exactly and no Origin is sent. A path that is not listed is answered 404, "
    "as in the response NotFound. Connections are cut without an answer when a request's headers take longer than 2 s, "
    "when an answer is not taken, and when they are the oldest waiting one of more than 64."
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
    )
    _, schemas = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "dydx-console health", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": _paths(),
        "components": {"schemas": schemas["$defs"], "responses": _shared_responses()},
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
    }


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
    return responses
