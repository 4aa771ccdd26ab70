"""The test kit: a plugin alone, with mocks in the place of all that it needs.

``PluginHarness`` opens one plugin without a kernel. Mocks, twins, contract suites and cassettes, which need no kernel
either, are those of ``hotswap_ports.testing``.
"""

from hotswap.testing.checks import check, matching, within
from hotswap.testing.harness import PluginHarness, Run

__all__ = ["PluginHarness", "Run", "check", "matching", "within"]
