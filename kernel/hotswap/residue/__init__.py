"""What a plugin left behind when it was closed, and where it was made.

``watching`` is the check, ``cycled`` the one for long runs. Both read from a kernel and change nothing in it.
"""

from hotswap.residue.cycles import Cycles, cycled
from hotswap.residue.finding import Finding, Kind, Place, Residue
from hotswap.residue.watch import Watch, watching

__all__ = ["Cycles", "Finding", "Kind", "Place", "Residue", "Watch", "cycled", "watching"]
