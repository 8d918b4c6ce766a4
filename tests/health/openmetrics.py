"""A reader of OpenMetrics text that forgives nothing: types before samples, units in names, one block a family."""

import re
from dataclasses import dataclass, field

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(\{{(.*)\}})? (\S+)")
PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
META = re.compile(rf"# (TYPE|UNIT|HELP) ({NAME}) (.*)")
SUFFIXES = {"gauge": ("",), "stateset": ("",), "info": ("_info",), "counter": ("_total",)}
ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}

Labels = tuple[tuple[str, str], ...]


@dataclass
class Family:
    """A metric: samples by suffix-less labels."""

    name: str
    kind: str = ""
    unit: str = ""
    help: str = ""
    samples: dict[Labels, float] = field(default_factory=dict)


def parsed(text: str) -> dict[str, Family]:
    """The families of a text; AssertionError where it breaks a rule."""
    assert text.endswith("# EOF\n")
    lines = text.removesuffix("\n").split("\n")
    assert lines.pop() == "# EOF"
    assert not any(set(line) & {"\r", "\0"} for line in lines)
    families: dict[str, Family] = {}
    current = Family("")
    for line in lines:
        meta = META.fullmatch(line)
        if meta:
            if meta[2] != current.name:
                assert meta[1] == "TYPE"
                assert meta[2] not in families
                current = families[meta[2]] = Family(meta[2])
            _describe(current, meta[1], meta[3])
        else:
            _sample(current, line)
    for family in families.values():
        assert family.samples
        assert family.help
        assert not family.unit or family.name.endswith("_" + family.unit)
    return families


def _describe(family: Family, what: str, text: str) -> None:
    attribute = {"TYPE": "kind", "UNIT": "unit", "HELP": "help"}[what]
    assert not getattr(family, attribute)
    assert not family.samples
    setattr(family, attribute, text)


def _sample(family: Family, line: str) -> None:
    match = SAMPLE.fullmatch(line)
    assert match, line
    name, braces, inside, number = match.groups()
    assert name in [family.name + suffix for suffix in SUFFIXES[family.kind]]
    labels = _labels(inside) if braces else ()
    assert labels not in family.samples
    value = float(number)
    assert family.kind != "counter" or value >= 0
    assert family.kind != "stateset" or (value in (0, 1) and family.name in dict(labels))
    family.samples[labels] = value


def _labels(inside: str) -> Labels:
    pairs: list[tuple[str, str]] = []
    at = 0
    while at < len(inside):
        match = PAIR.match(inside, at)
        assert match, inside
        pairs.append((match[1], re.sub(r"\\.", lambda found: ESCAPES[found[0]], match[2])))
        at = match.end()
    assert len(dict(pairs)) == len(pairs)
    return tuple(pairs)
