"""Why a signature has a score or none, in the words of the coverage table."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import catalog, schema
from immunosarc.features._alignment import Alignment
from immunosarc.features._parts import LISTED, read
from immunosarc.features._scoring import SCORING

__all__ = ["coverage_rows", "coverage_table"]

_UNUSED = {
    "down": ("genes_down", "its {} down genes are not used"),
    "weights": ("weights", "its weights are not used"),
    "pairs": ("pairs", "its {} pairs are not used"),
}
_NOUNS = {"genes": "genes", "down": "down genes", "housekeeping": "housekeeping genes", "pairs": "pairs"}
_NOUNS |= {"sets": "sets"}


def coverage_rows(aligned: Alignment) -> list[dict[str, Any]]:
    """Return one row of ``schema.COVERAGE`` for each signature."""
    known = set(aligned.genes[aligned.present]) if aligned.assay.n_obs else set()
    needs = SCORING.table()["needs"]
    gaps = _samples_with_gaps(aligned)
    parts = [part for part in ("genes", *aligned.record.roles) if part in _NOUNS]
    rows = []
    for column, signature in enumerate(aligned.sets.values()):
        listed = dict.fromkeys(gene for part in parts for gene in read(signature, part))
        notes = [*_published_form(signature, aligned, needs), *_constant(aligned, signature)]
        if gaps[column]:
            notes.append(f"{gaps[column]} of {aligned.assay.n_obs} samples lack a value of its genes")
        if aligned.empty.any():
            notes.append(f"{aligned.empty.sum()} of {aligned.assay.n_obs} {aligned.rows} are zero throughout")
        rows.append(
            {
                "signature": signature.name,
                "method": aligned.record.name,
                "unit": aligned.unit,
                "n_genes": aligned.size[column],
                "n_found": aligned.found[column],
                "coverage": aligned.coverage[column],
                "missing": ", ".join(gene for gene in listed if gene not in known),
                "status": _status(signature, aligned, column),
                "note": "; ".join(notes),
            }
        )
    return rows


def coverage_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as the checked table."""
    return schema.COVERAGE.check(pd.DataFrame(rows, columns=list(schema.COVERAGE.columns)))


def _status(signature: catalog.Signature, aligned: Alignment, column: int) -> str:
    if aligned.covered[column]:
        return _too_many(aligned, column) or "ok"
    if not signature.genes:
        return f"has no genes of its own: {signature.method or 'empty'}"
    if lacking := aligned.lacking[column]:
        return f"{aligned.record.name} needs {_NOUNS.get(lacking, lacking)}, the signature has none"
    short = next(
        (share for share in aligned.shares if not share.enough(aligned.min_coverage)[column]), aligned.shares[0]
    )
    found, size = short.found[column], short.size[column]
    percent = math.floor(100 * found / size)
    return f"covers {found} of {size} {_NOUNS[short.noun]} ({percent}%), needs {aligned.min_coverage:.0%}"


def _too_many(aligned: Alignment, column: int) -> str:
    """Say why a signature that is covered has too many genes for the method; nothing where it has not."""
    most = max(share.found[column] for share in aligned.shares if share.noun in LISTED)
    if aligned.record.needs_others and most == aligned.assay.n_vars:
        return f"{aligned.record.name} needs genes outside the signature, the assay has none"
    limit = aligned.record.most_genes
    return f"{aligned.record.name} ranks {limit:,} genes, the signature has {most:,}" if 0 < limit < most else ""


def _published_form(signature: catalog.Signature, aligned: Alignment, needs: pd.Series) -> list[str]:
    """Say how the published form differs from what is computed."""
    form, record = signature.method, aligned.record
    if not form:
        return []
    wanted, unit = needs.get(form, ""), aligned.given_unit
    lacks = (
        f" needs {wanted.upper()}, the assay has {unit}"
        if wanted and unit not in (wanted, f"log2_{wanted}")
        else ""
    )
    if form == record.name:
        return [f"published form {form}{lacks}"] if lacks else []
    unused = [
        words.format(len(getattr(signature, attribute)))
        for role, (attribute, words) in _UNUSED.items()
        if role not in record.roles and getattr(signature, attribute)
    ]
    return [f"published form {form}{lacks}", *unused]


def _constant(aligned: Alignment, signature: catalog.Signature) -> list[str]:
    flat = set(aligned.genes[aligned.constant])
    genes = [gene for part in LISTED for gene in read(signature, part) if gene in flat]
    return [f"does not vary, not used: {', '.join(genes)}"] if genes else []


def _samples_with_gaps(aligned: Alignment) -> NDArray[np.int64]:
    usable = aligned.present & ~aligned.constant
    absent = np.isnan(aligned.values[:, usable])
    names = aligned.genes[usable]
    if not absent.any():
        return np.zeros(len(aligned.sets), dtype=np.int64)
    parts = [part for part in ("genes", *aligned.record.roles) if part in _NOUNS]
    counts = []
    for signature in aligned.sets.values():
        counted = np.isin(names, [gene for part in parts for gene in read(signature, part)])
        counts.append(int(absent[:, counted].any(axis=1).sum()))
    return np.array(counts, dtype=np.int64)
