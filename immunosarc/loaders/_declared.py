"""What a value of a manifest may be: each check returns the value, or says what is needed."""

from __future__ import annotations

import re
from typing import Any

from immunosarc import schema
from immunosarc.errors import did_you_mean
from immunosarc.loaders._rules import RULES

__all__ = [
    "constant_values",
    "known_delimiter",
    "known_gene_id",
    "known_platform",
    "known_rule",
    "known_rules",
    "known_unit",
    "plain_name",
    "recodings",
    "row_values",
    "sha256_of_file",
]

_Plain = str | bool | int | float


def sha256_of_file(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise ValueError(f"{value!r} is not a SHA-256 (64 hexadecimal digits); take it from `sha256sum FILE`")
    return value.lower()


def known_delimiter(value: str) -> str:
    if value not in ("\t", ",", ";", "|"):
        raise ValueError(f"{value!r} is not a delimiter; one of tab, ',', ';' and '|' is needed")
    return value


def known_unit(value: str) -> str:
    if value not in schema.UNITS:
        raise ValueError(f"{value!r} is not a unit.{did_you_mean(value, schema.UNITS)}")
    return value


def known_platform(value: str) -> str:
    if value not in schema.PLATFORMS:
        raise ValueError(f"{value!r} is not a platform.{did_you_mean(value, schema.PLATFORMS)}")
    return value


def known_gene_id(value: str) -> str:
    if value not in ("symbol", "ensembl"):
        raise ValueError(f"{value!r} is not known; 'symbol' or 'ensembl' is needed")
    return value


def plain_name(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError(f"{value!r} cannot name a column; give a plain name")
    return value


def row_values(value: dict[str, Any]) -> dict[str, Any]:
    for key, one in value.items():
        several = one if isinstance(one, list) else [one]
        if not several or not all(isinstance(item, _Plain) or _is_pattern(item) for item in several):
            raise ValueError(
                f"{key!r}: text, a number or true/false is needed, or a list of them, or "
                f"{{ starts_with = ..., ends_with = ... }}; found {one!r}"
            )
    return value


def _is_pattern(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and bool(item)
        and item.keys() <= {"starts_with", "ends_with"}
        and all(isinstance(text, str) and text for text in item.values())
    )


def constant_values(value: dict[str, Any]) -> dict[str, Any]:
    for column, one in value.items():
        if not isinstance(one, _Plain):
            raise ValueError(f"{column!r}: text, a number or true/false is needed; found {one!r}")
    return value


def known_rules(value: dict[str, str]) -> dict[str, str]:
    for column, rule in value.items():
        if rule not in RULES:
            raise ValueError(f"{column}: {rule!r} is not a rule.{did_you_mean(rule, RULES)}")
    return value


def known_rule(value: str) -> str:
    return known_rules({"ids": value})["ids"]


def recodings(value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    for column, codes in value.items():
        for code, meaning in codes.items():
            if not isinstance(meaning, _Plain):
                raise ValueError(f"{column}: code {code!r} needs text, a number or true/false; found {meaning!r}")
    return value
