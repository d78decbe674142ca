"""A writer of SAS transport files, version 5, after SAS technical note TS-140: for tests of the reader."""

from __future__ import annotations

import struct
from pathlib import Path

import pandas as pd


def _ibm(value: float) -> bytes:
    """A number as an IBM mainframe double; missing is '.'."""
    if pd.isna(value):
        return b"." + b"\0" * 7
    if value == 0:
        return b"\0" * 8
    sign, fraction, exponent = (0x80, -value, 64) if value < 0 else (0, value, 64)
    while fraction >= 1:
        fraction, exponent = fraction / 16, exponent + 1
    while fraction < 1 / 16:
        fraction, exponent = fraction * 16, exponent - 1
    return bytes([sign | exponent]) + int(fraction * 2**56).to_bytes(7, "big")


def _padded(data: bytes) -> bytes:
    return data + b" " * (-len(data) % 80)


def write_xport(frame: pd.DataFrame, path: Path, *, formats: dict[str, str] | None = None) -> None:
    """Write text as text and everything else as numbers; dates as numbers with the format given."""
    formats, stamp = formats or {}, b"01JAN20:00:00:00"
    text = {name: not pd.api.types.is_numeric_dtype(frame[name]) for name in frame}
    cells = {
        name: [("" if pd.isna(v) else str(v)).encode() for v in frame[name]] if text[name] else list(frame[name])
        for name in frame
    }
    width = {name: max(map(len, cells[name]), default=1) or 1 if text[name] else 8 for name in frame}
    head = b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!" + b"0" * 30 + b"  "
    head += b"SAS     SAS     SASLIB  9.4     LINUX   " + b" " * 24 + stamp
    head += _padded(stamp)
    head += b"HEADER RECORD*******MEMBER  HEADER RECORD!!!!!!!" + b"0" * 17 + b"1600000000140  "
    head += b"HEADER RECORD*******DSCRPTR HEADER RECORD!!!!!!!" + b"0" * 30 + b"  "
    head += b"SAS     DATA    SASDATA 9.4     LINUX   " + b" " * 24 + stamp
    head += _padded(stamp)
    head += f"HEADER RECORD*******NAMESTR HEADER RECORD!!!!!!!000000{len(frame.columns):04d}".encode().ljust(
        78, b"0"
    )
    head += b"  "
    names, place = b"", 0
    for number, name in enumerate(frame.columns, start=1):
        shown = formats.get(name, "").encode().ljust(8)
        names += struct.pack(
            ">hhhh8s40s8shhh2s8shhl52s",
            *(2 if text[name] else 1, 0, width[name], number, name.encode().ljust(8), b" " * 40, shown),
            *(0, 0, 0, b"\0\0", b" " * 8, 0, 0, place, b"\0" * 52),
        )
        place += width[name]
    body = b"".join(
        b"".join(cells[n][i].ljust(width[n]) if text[n] else _ibm(cells[n][i]) for n in frame.columns)
        for i in range(len(frame))
    )
    start = b"HEADER RECORD*******OBS     HEADER RECORD!!!!!!!" + b"0" * 30 + b"  "
    path.write_bytes(head + _padded(names) + start + _padded(body))


def sas_day(date: str) -> float:
    """Days since 1960-01-01."""
    return float((pd.Timestamp(date) - pd.Timestamp("1960-01-01")).days)
