# For the type checker alone. transformers' own package imports all its models: to bind their names takes basedpyright
# as long as to check everything else, and whoever imports transformers here takes it for Any (`make lint`).
from typing import Any

def __getattr__(name: str) -> Any: ...
