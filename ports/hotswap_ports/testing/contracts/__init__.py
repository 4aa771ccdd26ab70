"""What every adapter of a port must do, as suites to inherit from; these modules need pytest and anyio."""
