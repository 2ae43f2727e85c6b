"""Tables by single options, as most tests want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reports.tables import table
from reports.tables.table_options import TableOptions
from risbench import Run


def table_of(runs: Sequence[Run], metrics: str | None = None, **options: Any) -> table.ReportTable:
    """`reports.tables.table.table_of` with the options by name."""
    return table.table_of(runs, TableOptions(metrics, **options))
