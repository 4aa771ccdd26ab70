"""The formatter's adapters, held against the port."""

from __future__ import annotations

import pytest

from hotswap_adapters.formatter.markdown import MarkdownFormatter
from hotswap_ports import Formatter
from hotswap_ports.testing import FormatterContract


class TestMarkdownFormatter(FormatterContract):
    @pytest.fixture
    def formatter(self) -> Formatter:
        return MarkdownFormatter()
