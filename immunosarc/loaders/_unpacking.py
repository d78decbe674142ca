"""Small files that would unpack to enormous ones are told, and not unpacked."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from typing import Any

__all__ = ["excess", "gunzipped", "unpacks_too_much"]

SMALL = 200_000_000
"""Bytes that anything may unpack to."""

LARGEST = 8_000_000_000
RATIO = 200
"""Real tables shrink to a tenth; what shrinks to less than 1/200 was made to."""

_STEP = 16_000_000


def excess(unpacked: int, packed: int) -> str | None:
    """Return why a file is not unpacked any further; None when it may be.

    Examples
    --------
    >>> excess(3_000_000_000, 1_000_000)
    'would unpack to more than 200 times its size (3,000,000,000 bytes)'
    """
    if unpacked > LARGEST:
        return f"would unpack to more than {LARGEST:,} bytes"
    if unpacked > SMALL and unpacked > RATIO * packed:
        return f"would unpack to more than {RATIO} times its size ({unpacked:,} bytes)"
    return None


def gunzipped(data: bytes, fault: Callable[[str], None]) -> bytes | None:
    """Return the content of gzip streams, one behind the other; None when it cannot be, and why is told."""
    parts, total = [], 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            while part := stream.read(_STEP):
                parts.append(part)
                total += len(part)
                if (reason := excess(total, len(data))) is not None:
                    fault(f"{reason}; get the file again, or unpack it by hand once you know why")
                    return None
    except (OSError, EOFError, zlib.error) as failure:
        fault(f"the gzip stream is broken or cut short ({failure}); get the file again")
        return None
    return b"".join(parts)


def unpacks_too_much(metadata: Any, size: int) -> str | None:
    """Return why a parquet file is not read; None when it may be. A column of one value takes no room."""
    cells = metadata.num_rows * metadata.num_columns
    reason = excess(8 * cells, size)
    return None if reason is None else f"{reason}; write it as text (.tsv), or without empty columns"
