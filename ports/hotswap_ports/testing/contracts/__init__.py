"""What every adapter of a port must do, as suites to inherit from; these modules need pytest and anyio.

A failed assertion shows its values when a conftest.py says ``pytest.register_assert_rewrite("hotswap_ports.testing")``
before it imports a suite.
"""
