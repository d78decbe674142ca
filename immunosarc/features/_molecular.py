"""What can be measured on the long tables of a cohort, by name: for plans, and for those who read them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from immunosarc.cohort import Cohort
from immunosarc.errors import CohortError, did_you_mean, raise_together
from immunosarc.features._alterations import gene_alterations
from immunosarc.features._changed_clones import clonal_expansion
from immunosarc.features._circulating_dna import circulating_dna
from immunosarc.features._mutations import neoantigen_burden, tumor_mutational_burden
from immunosarc.features._repertoire import repertoire
from immunosarc.features._repertoire_overlap import tumor_blood_overlap
from immunosarc.features._soluble import soluble
from immunosarc.registry import Registry

__all__ = ["MOLECULAR", "molecular", "molecular_problems"]

MOLECULAR = Registry("molecular measure")
"""Measures of receptors, variants and analytes: one row per sample, and the reason where there is none.

``table`` is what a measure reads, ``specimen`` what it is measured on (nothing where it needs several).
"""

_MEASURES: tuple[tuple[str, Callable[..., pd.DataFrame], str, str, str | None], ...] = (
    ("repertoire", repertoire, "variety of receptors at one depth", "clonotypes", "tumor"),
    ("clonal_expansion", clonal_expansion, "clones that grew on treatment", "clonotypes", "tumor"),
    ("tumor_blood_overlap", tumor_blood_overlap, "clones of the tumor in the blood", "clonotypes", None),
    ("tumor_mutational_burden", tumor_mutational_burden, "mutations per megabase", "variants", "tumor"),
    ("gene_alterations", gene_alterations, "altered genes of a panel", "variants", "tumor"),
    ("neoantigen_burden", neoantigen_burden, "predicted neoantigens", "neoantigens", "tumor"),
    ("soluble", soluble, "analytes with limits of detection", "analytes", "blood"),
    ("circulating_dna", circulating_dna, "circulating tumor DNA", "analytes", "blood"),
)
for _name, _measure, _label, _table, _specimen in _MEASURES:
    MOLECULAR.register(_name, label=_label, table=_table, specimen=_specimen)(_measure)


def molecular(cohort: Cohort, measure: str, **options: Any) -> pd.DataFrame:
    """Measure receptors, variants or analytes by the name of the measure: one row for each sample.

    Parameters
    ----------
    cohort : Cohort
        With the table that the measure reads.
    measure : str
        A name of ``MOLECULAR``; ``MOLECULAR.table()`` lists them.
    **options : Any
        Of the measure.

    Returns
    -------
    DataFrame
        Index ``sample_id``; numbers, and ``status``.

    Raises
    ------
    UnknownNameError, CohortError
        When there is no such measure, option or table.

    Examples
    --------
    >>> sorted(MOLECULAR)[:3]
    ['circulating_dna', 'clonal_expansion', 'gene_alterations']
    >>> molecular(Cohort(pd.DataFrame({"patient_id": ["P1"]})), "repertoire", depht=100)
    Traceback (most recent call last):
    ...
    immunosarc.errors.CohortError: repertoire has 2 problem(s):
      - depth is needed
      - unknown option 'depht'. Did you mean 'depth'?
    """
    record = MOLECULAR[measure]
    raise_together(CohortError, measure, molecular_problems(measure, options))
    found: pd.DataFrame = record.call(cohort, **options)
    return found


def molecular_problems(measure: str, options: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the options of a measure: those it does not have, and those it needs.

    Parameters
    ----------
    measure : str
        A name of ``MOLECULAR``.
    options : mapping
        By name.

    Returns
    -------
    list of str
        One line each; empty when it can be called.

    Examples
    --------
    >>> molecular_problems("repertoire", {"locus": "TRB"})
    ['depth is needed']
    """
    if refusal := MOLECULAR.why_not(measure):
        return [refusal]
    function = MOLECULAR[measure].func
    if function is None:
        return []
    known = dict(list(inspect.signature(function).parameters.items())[1:])
    found = [
        f"{name} is needed" for name, one in known.items() if one.default is one.empty and name not in options
    ]
    return found + [
        f"unknown option '{name}'.{did_you_mean(name, known)}" for name in options if name not in known
    ]
