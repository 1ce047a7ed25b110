"""The tests: they mirror the package; `faults` and the house rules stand beside it."""
