"""Whether a person let the network in; until then nothing of the account is shown, and no key acts on the desk."""

from dydx_console.ports.network import Confirmation
from dydx_console.tui.widgets.pane import harmless

__all__ = ["LEFT", "REFUSED", "Admission"]

REFUSED = 77
"""Exit code of a run that nobody confirmed (the number is that of BSD sysexits, EX_NOPERM)."""
LEFT = "it was left before the chain id was typed"


class Admission:
    """The state of the question for the chain id.

    Args:
        asked: what has to be confirmed, None where nothing waits for that.
    """

    def __init__(self, asked: Confirmation | None) -> None:
        self.asked = asked
        self._is_given = asked is None
        self._why = LEFT

    @property
    def is_waiting(self) -> bool:
        """Whether nobody has confirmed what has to be."""
        return not self._is_given

    def answer(self, why_not: str | None) -> None:
        """Note the answer: None is yes, anything else says why not."""
        if why_not is None:
            self._is_given = True
        else:
            self._why = why_not

    @property
    def refusal(self) -> str | None:
        """Why the network was not used, in one line; None where it may be."""
        if self.asked is None or self._is_given:
            return None
        name, chain_id = harmless(self.asked.network), harmless(self.asked.chain_id)
        return f"network {name!r} ({chain_id}) was not confirmed: {self._why}; nothing was sent"
