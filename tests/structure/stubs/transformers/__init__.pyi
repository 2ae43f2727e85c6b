"""Everything in transformers is of any type: to read its own types takes a third as long as to check risbench."""

from typing import Any

def __getattr__(name: str) -> Any: ...
