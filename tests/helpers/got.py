"""The files that `data get` put into a data root."""

from __future__ import annotations

from pathlib import Path

from helpers import mirror

VAL = [f"/coco/{mirror.file_of(number)}" for number in (1, 2)]


def there(root: Path) -> set[str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)) for path in files} - {"downloads/.lock", "risbench-downloads.json"}
