"""Results made visible; ``render(runs, *, out, metrics, data_root, …)`` returns text or writes ``out``."""

from __future__ import annotations

import logging

# Where no home folder can be written, matplotlib takes a temporary one and says so in two lines that nobody needs.
logging.getLogger("matplotlib").addFilter(
    lambda record: not (record.msg.startswith("mkdir -p failed") or "MPLCONFIGDIR" in record.msg)
)
