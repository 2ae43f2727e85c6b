"""A line that is read again is the line that was read, whichever stand between."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from risbench.io.indexedlines import IndexedLines

LINES = st.lists(st.binary(max_size=9).map(lambda raw: raw.replace(b"\n", b"")) | st.just(b" \r"), max_size=20)


@given(LINES, st.booleans(), st.randoms(use_true_random=False))
def test_every_line_that_is_not_blank_is_found_again_in_any_order(
    lines: list[bytes], has_last_newline: bool, order
) -> None:
    whole = b"\n".join(lines) + (b"\n" if has_last_newline else b"")
    file = io.BytesIO(whole)
    index = IndexedLines(file)
    noted = list(index.noted(enumerate(io.BytesIO(whole), start=1)))
    assert noted == [(number, raw) for number, raw in enumerate(io.BytesIO(whole), start=1) if raw.strip()]
    places = list(range(len(noted)))
    order.shuffle(places)
    assert [(index.number(place), index[place]) for place in places] == [noted[place] for place in places]
    del index
    assert file.closed
