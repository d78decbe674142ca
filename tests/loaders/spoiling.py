"""Ways in which files arrive broken, each a small change of a good file."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import numpy as np

Mutation = Callable[[bytes, np.random.Generator], bytes]


def _place(data: bytes, rng: np.random.Generator) -> int:
    return int(rng.integers(len(data) + 1))


def _span(data: bytes, rng: np.random.Generator) -> tuple[int, int]:
    first, last = sorted((_place(data, rng), _place(data, rng)))
    return first, last


def _put(data: bytes, rng: np.random.Generator, what: bytes) -> bytes:
    at = _place(data, rng)
    return data[:at] + what + data[at:]


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: _place(data, rng)]


def without_a_part(data: bytes, rng: np.random.Generator) -> bytes:
    first, last = _span(data, rng)
    return data[:first] + data[last:]


def a_part_twice(data: bytes, rng: np.random.Generator) -> bytes:
    first, last = _span(data, rng)
    return data[:last] + data[first:]


def another_byte(data: bytes, rng: np.random.Generator) -> bytes:
    at = _place(data, rng)
    return data[:at] + bytes([int(rng.integers(256))]) + data[at + 1 :]


def random_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    return _put(data, rng, rng.integers(0, 256, size=int(rng.integers(1, 9)), dtype=np.uint8).tobytes())


def nul_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    return _put(data, rng, b"\0" * int(rng.integers(1, 50)))


def a_gigantic_field(data: bytes, rng: np.random.Generator) -> bytes:
    mark = rng.choice([b"9", b"x", b'"', b" "])
    return _put(data, rng, bytes(mark) * int(rng.integers(1, 140_000)))


def decimal_commas(data: bytes, rng: np.random.Generator) -> bytes:
    return data.replace(b".", b",")


def another_delimiter(data: bytes, rng: np.random.Generator) -> bytes:
    return data.replace(bytes([int(rng.choice([9, 44]))]), bytes([int(rng.choice([9, 44, 59, 32, 124]))]))


def another_encoding(data: bytes, rng: np.random.Generator) -> bytes:
    names = ["utf-16", "utf-16-le", "utf-32", "utf-8", "utf-8-sig", "cp037", "utf-7"]
    return data.decode("latin-1").encode(str(rng.choice(names)))


def shuffled_lines(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    start = int(rng.integers(2))  # with or without the header
    body = lines[start:]
    return b"\n".join([*lines[:start], *(body[i] for i in rng.permutation(len(body)))])


def swapped_columns(data: bytes, rng: np.random.Generator) -> bytes:
    mark = b"\t" if b"\t" in data else b","
    rows = [line.split(mark) for line in data.split(b"\n")]
    width = max(map(len, rows))
    one, other = (int(i) for i in rng.integers(0, width, 2))
    header_too = rng.random() < 0.5
    for number, row in enumerate(rows):
        if len(row) == width and (number or header_too):
            row[one], row[other] = row[other], row[one]
    return b"\n".join(mark.join(row) for row in rows)


def another_cell(data: bytes, rng: np.random.Generator) -> bytes:
    mark = b"\t" if b"\t" in data else b","
    cells = data.split(mark)
    news = [
        b"",
        b"-1",
        b"nan",
        b"NaN",
        b"inf",
        b"1e999",
        b'"',
        b"P9",
        b"\n",
        b"=1+1",
        b"=cmd|' /C calc'!A0",
        b"1958-03-01",
    ]
    news += [
        b"007",
        b"0x10",
        b"1_000",
        b"\xef\xbc\x95",
        b"\xe2\x80\xa8",
        b"\r",
        b"NA",
        b" S1",
        b"1,5",
        b"TRUE",
        b"@SUM(1)",
        b"\x1a",
    ]
    cells[int(rng.integers(len(cells)))] = news[int(rng.integers(len(news)))]
    return mark.join(cells)


def packed(data: bytes, rng: np.random.Generator) -> bytes:
    whole = gzip.compress(data, 1, mtime=0)
    return whole[: _place(whole, rng)] if rng.random() < 0.7 else whole + b"\x1f\x8b" * int(rng.integers(3))


def old_line_ends(data: bytes, rng: np.random.Generator) -> bytes:
    return data.replace(b"\n", [b"\r\n", b"\r", b"\n\r", b"\x0b", b"\xc2\x85"][int(rng.integers(5))])


MUTATIONS: tuple[Mutation, ...] = (
    cut, without_a_part, a_part_twice, another_byte, random_bytes, nul_bytes, a_gigantic_field, decimal_commas,
    another_delimiter, another_encoding, shuffled_lines, swapped_columns, another_cell, another_cell, packed,
    old_line_ends,
)  # fmt: skip
OF_ANY_BYTES: tuple[Mutation, ...] = (
    cut, without_a_part, a_part_twice, another_byte, another_byte, random_bytes, nul_bytes, a_gigantic_field,
)  # fmt: skip


def spoilt(data: bytes, rng: np.random.Generator, *, text: bool) -> bytes:
    """Return a copy changed once, or sometimes twice."""
    kinds = MUTATIONS if text else OF_ANY_BYTES
    for _ in range(1 + (rng.random() < 0.2)):
        data = kinds[int(rng.integers(len(kinds)))](data, rng)
    return data
