"""Measurements of the budgets in docs/performance.md. Each prints a table whose ratios come from one run."""
