"""README and docs say what the program is: commands, options, codes, checks, paths, metrics, settings and links."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner
from venues import engine_on, exchange, network_of, written

from dydx_console.cli.app import app
from dydx_console.cli.exits import Exit
from dydx_console.config.keys import is_key
from dydx_console.config.load import load
from dydx_console.config.variables import PREFIX, Variable
from dydx_console.domain.faults import FaultCount, FaultKind, FaultSource
from dydx_console.domain.limits import BreakerState, BreakerStatus
from dydx_console.domain.risk import RiskLevel
from dydx_console.domain.stream import StreamCondition
from dydx_console.engine.health import EngineHealth
from dydx_console.health import documents as bodies
from dydx_console.health.metrics import metrics_text
from dydx_console.health.openapi import openapi_document
from dydx_console.ports.clock import SystemClock
from dydx_console.preflight.run import CHECKS
from dydx_console.sim.faults.schedules import SCHEDULES
from dydx_console.state.ages import PictureState

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
NETWORKS = ROOT / "docs" / "networks.md"
HEALTH = ROOT / "docs" / "health.md"
RELIABILITY = ROOT / "docs" / "reliability.md"
PAGES = (README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
GROUPS = {"config", "health", "order"}
EVIDENCE_S = 60.0


def fences(page: Path, language: str) -> list[str]:
    """Return the code blocks of a language, those of lists included."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def section(page: Path, title: str) -> str:
    """Return the text under a heading, up to the next one of its rank or above."""
    marks = title.index(" ")
    ends = rf"(?=^#{{1,{marks}}} |\Z)"
    found = re.search(rf"^{re.escape(title)}\n(.*?){ends}", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None, f"{page.name} has no {title!r}"
    return found[1]


def rows(text: str) -> list[tuple[str, str]]:
    """Return the first two cells of every table row that begins with code or a number."""
    return re.findall(r"^\| ([`\d][^|]*) \| ([^|]*) \|", text, re.MULTILINE)


def quoted(cell: str) -> str:
    """Return what stands in a cell's first back quotes."""
    return cell.split("`")[1]


def readme_commands() -> Iterator[tuple[str, ...]]:
    for cell, _ in rows(section(README, "## Watch an account")):
        group: tuple[str, ...] = ()
        for text in re.findall(r"`([^`]+)`", cell):
            words = tuple(word for word in text.split() if word.islower())
            group = words[:1] if words[0] in GROUPS else group
            yield words if words[0] in GROUPS else (*group, *words)


def helped(*command: str) -> str:
    """Return what `--help` says of a command."""
    done = CliRunner().invoke(app, [*command, "--help"], terminal_width=200)
    assert done.exit_code == 0, (command, done.output)
    return done.output


def listed(*group: str) -> set[tuple[str, ...]]:
    names = re.findall(r"^  ([a-z-]+)  ", helped(*group).partition("Commands:")[2], re.MULTILINE)
    return {(*group, name) for name in names}


def test_the_readme_names_every_command_and_no_other() -> None:
    there = {command for command in listed() if command[0] not in GROUPS}
    for group in GROUPS:
        there |= listed(group)
    named = list(readme_commands())
    assert set(named) == there
    assert len(named) == len(there)


def commands_in_blocks() -> list[str]:
    blocks = [block for page in PAGES for language in ("sh", "ini") for block in fences(page, language)]
    found = re.findall(r"(?:^|[ =/])dydx-console ([a-z][a-z-]*(?: [^&|\n]*)?)$", "\n".join(blocks), re.MULTILINE)
    return sorted(set(found))


@pytest.mark.parametrize("line", commands_in_blocks())
def test_a_command_of_the_docs_exists_with_its_options(line: str) -> None:
    words = line.split()
    command = words[: 2 if words[0] in GROUPS else 1]
    told = helped(*command)
    assert [word for word in words if word.startswith("--") and f"{word} " not in told] == []


def test_every_exit_code_is_documented() -> None:
    table = {int(code): name for code, name in rows(section(NETWORKS, "## Exit codes"))}
    assert table == {code.value: code.name for code in Exit}
    sentence = re.search(r"^Exit codes: ([^.]*)\.", README.read_text("utf-8"), re.MULTILINE)
    assert sentence is not None
    assert [int(code) for code in re.findall(r"\d+", sentence[1])] == [code.value for code in Exit]


def test_every_check_is_documented_in_its_order() -> None:
    assert tuple(quoted(cell) for cell, _ in rows(section(NETWORKS, "## check-network"))) == CHECKS


@pytest.mark.parametrize(
    ("title", "named"),
    [
        ("## What a picture says of itself", list(PictureState)),
        ("## What can befall the stream", list(StreamCondition)),
        ("### Bounds and proofs", list(StreamCondition)),
        ("## Rehearse it", [name for name in SCHEDULES if name != "none"]),
    ],
)
def test_whatever_goes_wrong_has_its_row(title: str, named: list[str]) -> None:
    text = section(RELIABILITY, title)
    table = text if title.startswith("###") else text.partition("\n### ")[0]
    assert sorted(quoted(cell) for cell, _ in rows(table)) == sorted(str(name) for name in named)


def test_every_proof_that_the_docs_name_is_a_test() -> None:
    there = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)
    }
    proofs = re.findall(r"`(test_\w+)`", section(RELIABILITY, "### Bounds and proofs"))
    assert len(proofs) >= len(StreamCondition)
    assert [name for name in proofs if name not in there] == []


def test_every_path_of_the_health_server_is_documented() -> None:
    table = section(HEALTH, "## Paths").partition("###")[0]
    assert {quoted(cell) for cell, _ in rows(table)} == set(openapi_document()["paths"])


BODIES: dict[str, tuple[type[BaseModel], ...]] = {
    "### `/health/`": (bodies.Overview,),
    "### `/health/network`": (bodies.NetworkHealth, bodies.NetworkFault, bodies.Problem),
    "### `/health/config`": (bodies.NetworkConfig,),
    "### `/health/errors`": (bodies.Errors,),
    "### `/health/ready` and `/health/live`": (bodies.Ready, bodies.Problem, bodies.Live, bodies.Problem),
}


@pytest.mark.parametrize("title", BODIES)
def test_an_example_of_a_body_is_one(title: str) -> None:
    examples = re.findall(r"```json\n(.*?)```", section(HEALTH, title), re.DOTALL)
    made = [model.model_validate_json(text) for model, text in zip(BODIES[title], examples, strict=True)]
    for body, text in zip(made, examples, strict=True):
        assert body.model_dump(mode="json").keys() == body.model_validate_json(text).model_fields_set


def test_every_kind_of_failure_is_documented() -> None:
    table = rows(section(HEALTH, "### `/health/errors`"))
    assert [quoted(cell) for cell, _ in table] == [kind.value for kind in FaultKind]


def test_every_metric_is_documented_and_emitted() -> None:
    documented = {quoted(cell) for cell, _ in rows(section(HEALTH, "## Metrics"))}
    with exchange() as venue:
        network = network_of(venue)
        engine = engine_on(network, venue.account)
        health = EngineHealth(engine, network, SystemClock())
        engine.start()
        try:
            deadline = time.monotonic() + EVIDENCE_S
            facts = health.health()
            while not facts.ready or facts.lag_blocks is None:
                assert time.monotonic() < deadline, facts
                assert engine.failure is None
                time.sleep(0.05)
                facts = health.health()
        finally:
            engine.stop()
    fault = FaultCount(FaultKind.SERVER, FaultSource.REST, "host/v4/fills", 1, facts.at, "HTTP 503")
    breaker = BreakerStatus("fills", BreakerState.OPEN, 5, 1.0, "HTTP 503")
    facts = replace(facts, faults=(fault,), breakers=(breaker,), stream_trouble="GAP")
    told = metrics_text(replace(facts, liquidation_level=RiskLevel.NONE, has_unexplained=False))
    assert {line.split("{")[0].split()[0] for line in told.splitlines() if not line.startswith("#")} == documented


@pytest.mark.parametrize("snippet", [block for page in PAGES for block in fences(page, "toml")])
def test_a_configuration_of_the_docs_can_be_used(snippet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DYDX_CONSOLE_ENVIRONMENT", raising=False)
    loaded = load(written(tmp_path / "config.toml", snippet), {})
    assert loaded.sources.values


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_variables_that_there_are(page: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]*[A-Z]", page.read_text("utf-8")))
    assert [name for name in sorted(named) if not is_key(Variable(name, "").path)] == []


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text("utf-8"))
    for target, anchor in links:
        file = page if not target else (page.parent / target).resolve()
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"
