"""The same evidence as OpenMetrics text. Source of the format: prometheus/OpenMetrics specification/OpenMetrics.md."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from dydx_console.domain.faults import FaultCount
from dydx_console.domain.limits import BreakerState, BreakerStatus, Budget
from dydx_console.domain.risk import RiskLevel
from dydx_console.health.documents import Ready, ready_body, shown, standing
from dydx_console.ports.health import HealthFacts, HealthStatus

__all__ = ["CONTENT_TYPE", "metrics_text"]

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

PREFIX = "dydx_console_"
COUNTER_NAME = re.compile(r"[a-z][a-z0-9_]*")
RESERVED_ENDINGS = ("_total", "_created", "_info", "_count", "_sum", "_bucket")


@dataclass(frozen=True, slots=True)
class _Family:
    """A metric; a sample is a suffix of the name, labels, and the value as text."""

    name: str
    kind: str
    help: str
    samples: tuple[tuple[str, Mapping[str, str], str], ...]
    unit: str = ""


def metrics_text(facts: HealthFacts) -> str:
    """Return the metrics. What is unknown is left out, and so are counters whose name is no metric's or is taken."""
    families = {family.name: family for family in (*_gauges(facts), *_risk(facts), *_limits(facts))}
    for family in _counters(facts.counters or {}):
        families.setdefault(family.name, family)
    lines = [line for family in families.values() for line in _lines(family)]
    return "\n".join([*lines, "# EOF", ""])


def _gauges(facts: HealthFacts) -> Iterator[_Family]:
    network = facts.network
    named: dict[str, str | None] = {"name": network.name, "kind": network.kind, "chain_id": network.chain_id}
    named["environment"] = network.environment
    labels = {name: value for name, value in named.items() if value is not None}
    yield _Family("network", "info", "The configured network.", (("_info", labels, "1"),))
    yield _status(standing(facts))
    yield _flag("running", "Whether the engine's loop turns.", facts.running)
    yield _flag("ready", "Whether the picture may be relied on.", isinstance(ready_body(facts), Ready))
    yield _flag("network_confirmed", "Whether a person or a policy confirmed the network.", facts.confirmed)
    yield _flag("read_only", "Whether nothing can be sent.", network.read_only)
    yield _gauge("evidence_timestamp", "seconds", "When the evidence was taken, Unix time.", facts.at.timestamp())
    if facts.stream_state is not None:
        sample = ("", {"state": facts.stream_state}, "1")
        yield _Family("stream_state", "gauge", "State of the stream: 1 with the state as a label.", (sample,))
    if facts.stream_trouble is not None:
        sample = ("", {"trouble": facts.stream_trouble}, "1")
        yield _Family("stream_trouble", "gauge", "What befell the stream and is not over, as a label.", (sample,))
    if facts.stream_age_s is not None:
        yield _gauge("stream_age", "seconds", "Age of the newest block that the figures rest on.", facts.stream_age_s)
    if facts.indexer_height is not None:
        yield _gauge("indexer_height", "blocks", "Newest block that the Indexer has.", facts.indexer_height)
    if facts.node_height is not None:
        yield _gauge("node_height", "blocks", "Newest block that the node has.", facts.node_height)
    if facts.lag_blocks is not None:
        yield _gauge("indexer_lag", "blocks", "Blocks that the Indexer trails the node.", facts.lag_blocks)
    if facts.open_gaps is not None:
        yield _gauge("open_gaps", "", "Lost messages that may still come or be read again.", facts.open_gaps)
    yield _gauge("open_warnings", "", "Warnings that stand.", len(facts.warnings))
    yield _gauge("open_errors", "", "Errors that stand.", len(facts.errors))


def _risk(facts: HealthFacts) -> Iterator[_Family]:
    """Return the levels of the account's risk; what they rest on are amounts, and stays here."""
    levels = {"margin_usage": facts.margin_usage_level, "liquidation": facts.liquidation_level}
    label = PREFIX + "risk"
    samples = tuple(
        ("", {"figure": figure, label: each.value}, "1" if each is level else "0")
        for figure, level in levels.items()
        if level is not None
        for each in RiskLevel
    )
    if samples:
        yield _Family("risk", "stateset", "Level of the account's risk, as configured.", samples)
    if facts.has_unexplained is not None:
        text = "Whether a figure of the Indexer differs from ours without a known reason."
        yield _flag("unexplained_difference", text, facts.has_unexplained)


def _limits(facts: HealthFacts) -> Iterator[_Family]:
    """Return budgets, breakers and failures; a family without any sample is left out."""
    families = (
        _budgets("rate_limit_requests", "requests", "What a request budget allows.", facts, lambda held: held.limit),
        _budgets(
            "rate_limit_remaining_requests", "requests", "What is left of it.", facts, lambda held: held.remaining
        ),
        _budgets(
            "rate_limit_waiting_requests", "requests", "Reads that queue for it.", facts, lambda held: held.waiting
        ),
        _budgets(
            "rate_limit_wait_seconds",
            "seconds",
            "About how long a read waits.",
            facts,
            lambda held: held.expected_wait_s,
        ),
        _breakers(facts.breakers),
        _errors(facts.faults),
    )
    return (family for family in families if family.samples)


def _budgets(name: str, unit: str, text: str, facts: HealthFacts, value: Callable[[Budget], float]) -> _Family:
    samples = {(shown(held.host), shown(held.bucket)): _number(value(held)) for held in facts.budgets}
    return _Family(
        name,
        "gauge",
        text,
        tuple(("", {"host": host, "bucket": bucket}, number) for (host, bucket), number in samples.items()),
        unit,
    )


def _breakers(breakers: tuple[BreakerStatus, ...]) -> _Family:
    label = PREFIX + "breaker"
    states = {shown(held.group): held.state for held in breakers}
    samples = tuple(
        ("", {"group": group, label: each.value}, "1" if each is state else "0")
        for group, state in states.items()
        for each in BreakerState
    )
    return _Family("breaker", "stateset", "Whether an endpoint group of the Indexer is asked.", samples)


def _errors(faults: tuple[FaultCount, ...]) -> _Family:
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in faults:
        # what is private in them is cut out, after which two may be one
        counts[(row.kind.value, row.source.value, shown(row.endpoint))] += row.count
    samples = tuple(
        ("_total", {"kind": kind, "source": source, "endpoint": endpoint}, str(count))
        for (kind, source, endpoint), count in counts.items()
    )
    return _Family("errors", "counter", "Failures of the run, whether or not they were made good.", samples)


def _counters(counters: Mapping[str, int]) -> Iterator[_Family]:
    for given, value in sorted(counters.items()):
        name = given.removesuffix("_total")
        if COUNTER_NAME.fullmatch(name) and not name.endswith(RESERVED_ENDINGS) and value >= 0:
            yield _Family(
                name, "counter", f"Total of the run: {name.replace('_', ' ')}.", (("_total", {}, str(value)),)
            )


def _status(status: HealthStatus) -> _Family:
    label = PREFIX + "health"
    samples = tuple(("", {label: each.value}, "1" if each is status else "0") for each in HealthStatus)
    return _Family("health", "stateset", "How the network stands.", samples)


def _flag(name: str, text: str, value: bool) -> _Family:
    return _Family(name, "gauge", text, (("", {}, "1" if value else "0"),))


def _gauge(name: str, unit: str, text: str, value: float) -> _Family:
    full = f"{name}_{unit}" if unit else name
    return _Family(full, "gauge", text, (("", {}, _number(value)),), unit)


def _number(value: float) -> str:
    """Return a number in OpenMetrics' notation, whole numbers with every digit."""
    text = repr(value)
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text)


def _lines(family: _Family) -> Iterator[str]:
    name = PREFIX + family.name
    yield f"# TYPE {name} {family.kind}"
    if family.unit:
        yield f"# UNIT {name} {family.unit}"
    yield f"# HELP {name} {_escaped(family.help)}"
    for suffix, labels, value in family.samples:
        yield f"{name}{suffix}{_labels(labels)} {value}"


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(shown(value))}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
