"""A page as Chromium shows it: ``python tests/bench/screenshot.py page.html out.png [width height]``.

Needs ``pip install "PySide6==6.7.3"`` (Qt's Chromium, which runs without a screen); not a dependency. Where Chromium is
installed, ``chromium --headless --virtual-time-budget=8000 --window-size=1200,900 --screenshot=out.png page.html`` does
the same; the picture of the gallery in docs/reports.md was made so.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")
os.environ.setdefault("QTWEBENGINE_CHROMIUM_FLAGS", "--disable-gpu")

from PySide6.QtCore import QTimer, QUrl  # pyright: ignore[reportMissingImports]
from PySide6.QtWebEngineWidgets import QWebEngineView  # pyright: ignore[reportMissingImports]
from PySide6.QtWidgets import QApplication  # pyright: ignore[reportMissingImports]

_SETTLE = 4000  # milliseconds for the page's own script


def main(page: str, out: str, width: str = "1200", height: str = "900") -> None:
    """Load a page, wait, and save what is seen."""
    app = QApplication(sys.argv)
    view = QWebEngineView()
    view.resize(int(width), int(height))
    view.show()

    def save() -> None:
        view.grab().save(out)
        app.quit()

    view.loadFinished.connect(lambda _: QTimer.singleShot(_SETTLE, save))
    view.load(QUrl.fromLocalFile(str(Path(page).resolve())))
    app.exec()


if __name__ == "__main__":
    main(*sys.argv[1:])
