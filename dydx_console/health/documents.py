"""The bodies that the health server answers with, made from the engine's evidence and nothing else.

Text is shown on the way out: what cannot be printed is replaced; an account's address, a URL's user and password and
anything that could be a key are taken out, should a sentence from outside carry one.
"""

import re
from dataclasses import replace

from pydantic import Field

from dydx_console.domain.faults import FaultCount
from dydx_console.ports.health import HealthFacts, HealthStatus, ServedNetwork
from dydx_console.views.documents import BreakerItem, Part, RateLimitItem, Time
from dydx_console.views.limits import breaker_item, rate_limit_item

__all__ = [
    "MOST_ERRORS",
    "EnvironmentPart",
    "ErrorCount",
    "Errors",
    "IndexerPart",
    "Live",
    "NetworkConfig",
    "NetworkConfigFault",
    "NetworkFault",
    "NetworkHealth",
    "NetworkPart",
    "NodePart",
    "Overview",
    "OverviewFault",
    "Problem",
    "Ready",
    "SafetyPart",
    "UrlsPart",
    "config_body",
    "errors_body",
    "live_body",
    "network_body",
    "overview_body",
    "ready_body",
    "shown",
    "standing",
    "status_code",
]

STATUS_CODES = {
    HealthStatus.OK: 200,
    HealthStatus.DEGRADED: 200,
    HealthStatus.UNREACHABLE: 503,
    HealthStatus.MISCONFIGURED: 400,
}
UNTOLD = {
    HealthStatus.UNREACHABLE: "the network cannot be reached, or nothing has been heard of it yet",
    HealthStatus.MISCONFIGURED: "the evidence contradicts the configuration",
}
NOT_RUNNING = "the engine does not run"
MAX_TEXT = 1_000
MOST_ERRORS = 100
"""Rows of /health/errors."""
PRIVATE = re.compile(
    r"dydx(?:val(?:oper|cons))?(?:pub)?1[0-9a-z]{6,}"  # addresses in bech32
    r"|(?<=//)[^/@\s]*@"  # user and password of a URL
    r"|(?:0x)?[0-9a-fA-F]{64,}"  # keys in hexadecimal
)


def shown(text: str) -> str:
    """Return a text that is safe to serve: printable, at most 1,000 characters, without addresses, logins and keys."""
    printable = "".join(char if char.isprintable() else "�" for char in text[: 4 * MAX_TEXT])
    public = PRIVATE.sub("…", printable)
    return public if len(public) <= MAX_TEXT else public[: MAX_TEXT - 1] + "…"


class Problem(Part):
    """Why there is no other answer: a word for programs, and a sentence for people."""

    error: str = Field(description="One word, the same for the same reason")
    detail: str = Field(description="What is wrong, in one line")


class NetworkPart(Part):
    """Which network is configured. An id is null where the network has none."""

    name: str
    kind: str = Field(description="mainnet, testnet, local, sim, replay or custom")
    chain_id: str | None
    ethereum_chain_id: int | None = Field(description="The number that older designs call network id")


class UrlsPart(Part):
    """Where the network is asked."""

    indexer_rest: str
    indexer_websocket: str
    nodes: tuple[str, ...] = Field(description="host:port, the preferred one first")


class EnvironmentPart(Part):
    """The environment, and where it was named."""

    name: str | None
    source: str | None


class SafetyPart(Part):
    """What is known of being on the right network."""

    confirmed: bool = Field(description="Whether a person or a policy confirmed the network")
    read_only: bool = Field(description="True where nothing can be sent")
    binding: str | None = Field(description="Whether Indexer and node were seen to follow one chain")


class IndexerPart(Part):
    """What the Indexer told last."""

    height: int | None
    stream_state: str | None
    stream_age_s: float | None = Field(description="Seconds since the newest block that the figures rest on")
    trouble: str | None = Field(description="The newest thing that befell the stream and is not over")


class NodePart(Part):
    """What the node told last."""

    height: int | None
    endpoint: str | None
    chain_id: str | None
    version: str | None


class NetworkHealth(Part):
    """The network as the engine's latest evidence has it; null is unknown."""

    status: HealthStatus
    at: Time = Field(description="When the evidence was taken")
    probed: bool = Field(description="True where it was taken for this request")
    network: NetworkPart
    urls: UrlsPart
    environment: EnvironmentPart
    safety: SafetyPart
    indexer: IndexerPart
    node: NodePart
    lag_blocks: int | None = Field(description="How many blocks the Indexer trails the node")
    rate_limits: tuple[RateLimitItem, ...] = Field(description="Request budgets of the Indexer that were used so far")
    breakers: tuple[BreakerItem, ...] = Field(description="Endpoint groups that have failed too often in this run")
    warnings: tuple[str, ...]
    errors: tuple[str, ...]


class NetworkFault(NetworkHealth, Problem):
    """The same where the network is out of reach (503) or not the configured one (400)."""


class NetworkConfig(Part):
    """The network part of the configuration."""

    network: NetworkPart
    urls: UrlsPart
    environment: EnvironmentPart
    read_only: bool


class NetworkConfigFault(NetworkConfig, Problem):
    """The same where the evidence contradicts it."""


class Overview(Part):
    """How things stand in one line, and where to read more."""

    status: HealthStatus
    summary: str
    links: dict[str, str]


class OverviewFault(Overview, Problem):
    """The same where the network is out of reach or not the configured one."""


class ErrorCount(Part):
    """One kind of failure at one endpoint of one wire."""

    kind: str = Field(
        description="UNREACHABLE TIMEOUT TLS RATE_LIMITED GEO_BLOCKED NOT_FOUND REJECTED SERVER or BAD_ANSWER"
    )
    source: str = Field(description="REST WEBSOCKET or GRPC")
    endpoint: str = Field(description="Host and path, channel or method; never whose account")
    count: int
    first_at: Time | None
    last_at: Time
    sample: str = Field(description="The text of the last one")


class Errors(Part):
    """What went wrong in this run, whether or not it was made good: the rows seen last come first."""

    at: Time = Field(description="When the evidence was taken")
    total: int = Field(description="All failures of the run")
    left_out: int = Field(description="Rows beyond the 100 that are listed")
    errors: tuple[ErrorCount, ...]


class Ready(Part):
    """The picture may be relied on."""

    ready: bool
    stream_state: str | None
    stream_age_s: float | None


class Live(Part):
    """The engine's loop turns."""

    live: bool


def standing(facts: HealthFacts) -> HealthStatus:
    """Return how the network stands; what an engine told that turns no more is no evidence."""
    if not facts.running and facts.status is not HealthStatus.MISCONFIGURED:
        return HealthStatus.UNREACHABLE
    return facts.status


def status_code(facts: HealthFacts) -> int:
    """Return the HTTP status for it: 200, 503 out of reach, 400 contradicted."""
    return STATUS_CODES[standing(facts)]


def network_body(facts: HealthFacts, *, probed: bool) -> NetworkHealth:
    """Return the body of /health/network."""
    health = NetworkHealth(
        status=standing(facts),
        at=facts.at,
        probed=probed,
        network=_network(facts.network),
        urls=_urls(facts.network),
        environment=_environment(facts.network),
        safety=SafetyPart(
            confirmed=facts.confirmed, read_only=facts.network.read_only, binding=_shown_or_none(facts.binding)
        ),
        indexer=IndexerPart(
            height=facts.indexer_height,
            stream_state=_shown_or_none(facts.stream_state),
            stream_age_s=facts.stream_age_s,
            trouble=_shown_or_none(facts.stream_trouble),
        ),
        node=NodePart(
            height=facts.node_height,
            endpoint=_shown_or_none(facts.node_endpoint),
            chain_id=_shown_or_none(facts.node_chain_id),
            version=_shown_or_none(facts.node_version),
        ),
        lag_blocks=facts.lag_blocks,
        rate_limits=tuple(
            rate_limit_item(replace(budget, host=shown(budget.host), bucket=shown(budget.bucket)))
            for budget in facts.budgets
        ),
        breakers=tuple(
            breaker_item(replace(held, group=shown(held.group), text=shown(held.text)), facts.monotonic_s)
            for held in facts.breakers
        ),
        warnings=tuple(map(shown, facts.warnings)),
        errors=tuple(map(shown, facts.errors)),
    )
    fault = _fault(facts)
    return health if fault is None else NetworkFault(**dict(health), **dict(fault))


def config_body(facts: HealthFacts) -> NetworkConfig:
    """Return the body of /health/config."""
    config = NetworkConfig(
        network=_network(facts.network),
        urls=_urls(facts.network),
        environment=_environment(facts.network),
        read_only=facts.network.read_only,
    )
    fault = _fault(facts) if facts.status is HealthStatus.MISCONFIGURED else None
    return config if fault is None else NetworkConfigFault(**dict(config), **dict(fault))


def overview_body(facts: HealthFacts, links: dict[str, str]) -> Overview:
    """Return the body of /health/."""
    overview = Overview(status=standing(facts), summary=_summary(facts), links=links)
    fault = _fault(facts)
    return overview if fault is None else OverviewFault(**dict(overview), **dict(fault))


def errors_body(facts: HealthFacts) -> Errors:
    """Return the body of /health/errors, the rows that were seen last first."""
    newest = sorted(facts.faults, key=lambda row: row.last_at, reverse=True)
    return Errors(
        at=facts.at,
        total=sum(row.count for row in newest),
        left_out=max(len(newest) - MOST_ERRORS, 0),
        errors=tuple(map(_error, newest[:MOST_ERRORS])),
    )


def ready_body(facts: HealthFacts) -> Ready | Problem:
    """Return the body of /health/ready: an error where the picture may not be relied on."""
    stream = _shown_or_none(facts.stream_state)
    if not facts.running:
        return Problem(error="not_ready", detail=NOT_RUNNING)
    if facts.status is HealthStatus.MISCONFIGURED:
        return Problem(error="not_ready", detail=_detail(facts))
    if not facts.ready:
        return Problem(
            error="not_ready", detail=f"the picture may not be relied on: the stream is {stream or 'unknown'}"
        )
    return Ready(ready=True, stream_state=stream, stream_age_s=facts.stream_age_s)


def live_body(facts: HealthFacts) -> Live | Problem:
    """Return the body of /health/live: an error where the engine does not run."""
    return Live(live=True) if facts.running else Problem(error="not_live", detail=NOT_RUNNING)


def _fault(facts: HealthFacts) -> Problem | None:
    status = standing(facts)
    return Problem(error=status.value, detail=_detail(facts)) if status in UNTOLD else None


def _detail(facts: HealthFacts) -> str:
    untold = UNTOLD[standing(facts)] if facts.running else NOT_RUNNING
    return shown("; ".join(facts.errors) or untold)


def _summary(facts: HealthFacts) -> str:
    parts = [f"{facts.network.name} ({facts.network.chain_id or 'chain id unknown'}): {standing(facts).value}"]
    parts.append(f"stream {facts.stream_state or 'unknown'}")
    parts.append("lag unknown" if facts.lag_blocks is None else f"lag {facts.lag_blocks} blocks")
    return shown(", ".join(parts))


def _error(row: FaultCount) -> ErrorCount:
    return ErrorCount(
        kind=row.kind,
        source=row.source,
        endpoint=shown(row.endpoint),
        count=row.count,
        first_at=row.first_at,
        last_at=row.last_at,
        sample=shown(row.last_text),
    )


def _network(network: ServedNetwork) -> NetworkPart:
    return NetworkPart(
        name=shown(network.name),
        kind=shown(network.kind),
        chain_id=_shown_or_none(network.chain_id),
        ethereum_chain_id=network.ethereum_chain_id,
    )


def _urls(network: ServedNetwork) -> UrlsPart:
    return UrlsPart(
        indexer_rest=_url(network.indexer_rest),
        indexer_websocket=_url(network.indexer_websocket),
        nodes=tuple(map(_url, network.nodes)),
    )


def _url(text: str) -> str:
    """Return a URL without query and fragment, where keys of paid services stand."""
    return shown(re.split(r"[?#]", text, maxsplit=1)[0])


def _environment(network: ServedNetwork) -> EnvironmentPart:
    return EnvironmentPart(name=_shown_or_none(network.environment), source=_shown_or_none(network.environment_from))


def _shown_or_none(text: str | None) -> str | None:
    return None if text is None else shown(text)
