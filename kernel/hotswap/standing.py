"""How one provider in an order of failover stands: well, or since when and until when others stand in for it.

It comes back when it has been well, without a break, for as long as it has to wait: ``fail_back_after`` the first time,
and twice as long as the last time whenever it falls again within ten minutes of its return. So a provider that keeps
falling is swapped back more and more rarely: that is what keeps a port from flapping.
"""

from __future__ import annotations

from math import inf

MOST = 600.0
"""Seconds to which waiting grows, and within which a fall is one fall too many."""
LEAST = 1.0
"""Seconds that a provider waits at least whose calls failed: each return costs it a call to find out."""


class Standing:
    """One provider's. Times are seconds of whoever's clock the caller reads."""

    def __init__(self) -> None:
        self.reason = ""
        """Why others stand in for it; empty while it is well."""
        self.judged = False
        """Whether it fell for its calls: then it has to prove itself by calls, whatever it says of itself."""
        self.wait = 0.0
        self.heard = -inf
        """When it last said that it is well."""
        self._well_since: float | None = None
        self._back: float | None = None

    def __repr__(self) -> str:
        return f"<unwell, waits {self.wait:g} s: {self.reason}>" if self.reason else "<well>"

    @property
    def recovering(self) -> bool:
        """Return whether it is unwell, and its last answer was that it is well."""
        return bool(self.reason) and self._well_since is not None

    @property
    def due(self) -> float | None:
        """Return when it has waited long enough, if it stays well until then; None while that is not in sight."""
        return self._well_since + self.wait if self.reason and self._well_since is not None else None

    def sick(self, reason: str, now: float, wait: float) -> None:
        """Note that it says it is not well; its wait begins anew when it says that it is."""
        if not self.reason:
            self._fall(now, wait)
        self.reason, self._well_since = reason, None

    def healthy(self, now: float) -> None:
        """Note that it says it is well."""
        self.heard = now
        if self.reason and self._well_since is None:
            self._well_since = now

    def judge(self, reason: str, now: float, wait: float) -> None:
        """Note that its calls fail; of a provider that was given a chance by calls, they failed again."""
        if self.reason:
            self.wait = _twice(self.wait)
        else:
            self._fall(now, max(wait, LEAST))
        self.reason, self.judged, self._well_since = reason, True, now

    def rise(self, now: float) -> None:
        """Let it be well again."""
        self.reason, self.judged, self._well_since, self._back = "", False, None, now

    def _fall(self, now: float, wait: float) -> None:
        again = self._back is not None and now - self._back < max(MOST, self.wait)
        self.wait = max(wait, _twice(self.wait)) if again else wait


def _twice(wait: float) -> float:
    """Return double the wait, up to ``MOST``; one that was set to more stays as it is."""
    return max(wait, min(2 * wait, MOST))
