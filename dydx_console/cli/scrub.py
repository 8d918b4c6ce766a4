"""Takes variables out of the environment that could type into the screen, write keys down or lead traffic elsewhere.

Must run before textual, websockets, httpx or grpc are imported: they read these when they are.
"""

from collections.abc import Iterable, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass

from dydx_console.venue.node.environment import NEEDED, UNWANTED_PREFIXES

__all__ = ["Scrubbed", "keep_in_mind", "removed", "restore_proxies", "scrub"]

_PREFIXES = ("TEXTUAL", "WEBSOCKETS_", *(prefix.upper() for prefix in UNWANTED_PREFIXES))
_OURS = {**NEEDED, "TEXTUAL_FPS": "120"}
"""What we set ourselves; a frame that is painted then leaves within 8 ms, where Textual would wait for 17."""
_NAMES = frozenset({"SSLKEYLOGFILE"})
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "WSS_PROXY", "SOCKS_PROXY", "NO_PROXY"})


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What was taken away: names alone of what stays away, proxies with their values."""

    names: tuple[str, ...] = ()
    proxies: tuple[tuple[str, str], ...] = ()

    def warnings(self, *, proxies_allowed: bool) -> tuple[str, ...]:
        """Return the one warning that is due, or none."""
        names = list(self.names)
        if not proxies_allowed:
            names += [name for name, _ in self.proxies if name.upper() != "NO_PROXY"]
        if not names:
            return ()
        return (f"ignored from the environment: {', '.join(sorted(names))}",)


_REMOVED: ContextVar[Scrubbed] = ContextVar("removed")


def scrub(environ: MutableMapping[str, str]) -> Scrubbed:
    """Remove them, and return what was removed. `TEXTUAL_PRESS`, for one, can type into a confirmation."""
    names = [name for name in environ if _is_unwanted(name.upper())]
    proxies = [(name, value) for name, value in environ.items() if name.upper() in _PROXIES]
    for name in (*names, *(name for name, _ in proxies)):
        del environ[name]
    environ.update(_OURS)
    return Scrubbed(tuple(name for name in names if name not in _OURS), tuple(proxies))


def keep_in_mind(scrubbed: Scrubbed) -> None:
    """Let the command that runs now find what was removed for it."""
    _REMOVED.set(scrubbed)


def removed() -> Scrubbed:
    """Return what was removed from the environment of the command that runs."""
    return _REMOVED.get(Scrubbed())


def restore_proxies(proxies: Iterable[tuple[str, str]], environ: MutableMapping[str, str]) -> None:
    """Put proxy variables back, where the configuration allows them.

    Each in small letters too: the gRPC library reads no others, and would go round a proxy that the rest goes through.
    """
    given = dict(proxies)
    environ.update({name.lower(): value for name, value in given.items()} | given)


def _is_unwanted(name: str) -> bool:
    return name in _NAMES or name.startswith(_PREFIXES)
