"""Tables, pictures and pages of runs; ``render(runs, *, out, metrics, data_root, …)`` returns text or writes it."""

from __future__ import annotations

import logging

# If the home folder cannot be written, matplotlib uses a temporary folder and logs two lines that users do not need.
logging.getLogger("matplotlib").addFilter(
    lambda record: not (record.msg.startswith("mkdir -p failed") or "MPLCONFIGDIR" in record.msg)
)
