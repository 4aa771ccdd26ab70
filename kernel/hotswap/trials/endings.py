"""How a call ended, as far as that tells something about the provider.

Every error counts, set beside how often the other provider makes it: a request that is wrong is wrong with both. Errors
that *decline* are counted apart from those of a provider that *failed*, because in some applications they are frequent
(a missing key), and would hide the others. They are not left out: a candidate may be sound and know nothing (an AI
provider without the model that is asked for by name answers each call with ``NotFound``).
"""

from __future__ import annotations

from enum import IntEnum

from hotswap.errors import CallEvicted, KernelNotRunning
from hotswap_ports import Conflict, FeatureUnsupported, InvalidRequest, NotFound, Refused, TooLarge


class Ending(IntEnum):
    """How a call ended. A number, because every call is counted by it, and members of other enums hash slowly."""

    ANSWERED = 0
    DECLINED = 1
    """The provider was able to answer, and its answer is no: not there, not allowed, not supported, too large."""
    FAILED = 2
    """Any other error: of the adapter, of what stands behind it, of the time it took, of what it answered."""
    GIVEN_UP = 3
    """Nobody waits any more: the caller was cancelled, or the provider was closed under the call."""


ANSWERED = Ending.ANSWERED
"""By this name it is at hand for every call: reading a member of an enum takes longer."""
DECLINING = (Conflict, FeatureUnsupported, InvalidRequest, NotFound, Refused, TooLarge)


def ending_of(error: Exception) -> Ending:
    """Return how a call ended that raised ``error``, an error of a port or of the kernel."""
    if isinstance(error, CallEvicted | KernelNotRunning):  # the kernel's doing, and not the provider's
        return Ending.GIVEN_UP
    return Ending.DECLINED if isinstance(error, DECLINING) else Ending.FAILED
