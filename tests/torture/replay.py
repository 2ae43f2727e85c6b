"""``replay.py FOLDER TARGET NUMBER``: make one file again, and read it with nothing caught."""

from __future__ import annotations

import faulthandler
import sys
from pathlib import Path

from fuzz import content_of
from targets import targets

if __name__ == "__main__":
    faulthandler.enable()
    (target,) = targets(Path(sys.argv[1]), sys.argv[2:3])
    path = Path(sys.argv[1]) / target.place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content := content_of(target, int(sys.argv[3])))
    print(content[:500])
    target.read(path)
