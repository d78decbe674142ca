"""Readers for the tables that ship with the package."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from immunosarc.catalog._files import freeze, read_bytes, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = [
    "SarcomaReference",
    "histologies",
    "load_cell_markers",
    "load_evidence",
    "load_gene_aliases",
    "load_lineage_conflicts",
    "load_sarcoma_reference",
    "load_simulated_trial",
]


@dataclass(frozen=True)
class SarcomaReference:
    """Where soft-tissue sarcomas lie on the immune axes, as summary statistics in TPM.

    Attributes
    ----------
    populations : mapping
        Score name to its genes, mean, standard deviation, quantiles and subtype means, on the
        scale mean of log2(TPM+1).
    genes : DataFrame
        Index ``gene``; columns ``mean_log2tpm1`` and ``sd_log2tpm1`` over the pooled subtypes.
    n : mapping
        Patients per subtype.
    pool : tuple of str
        The subtypes that were pooled.
    source, license, scale : str
        Where the numbers come from, on which terms, and their unit.
    """

    populations: Mapping[str, Any]
    genes: pd.DataFrame
    n: Mapping[str, int]
    pool: tuple[str, ...]
    source: str
    license: str
    scale: str


def load_sarcoma_reference() -> SarcomaReference:
    """Return the pooled expression reference of 394 soft-tissue sarcomas.

    It was made from published quartiles and is valid for polyA TPM only. See ``NOTICE`` for the
    attribution that redistribution requires.

    Returns
    -------
    SarcomaReference
        Twelve score distributions and the pooled gene table.

    Examples
    --------
    >>> reference = load_sarcoma_reference()
    >>> reference.pool, reference.populations["CYT"]["mean"]
    (('LMS', 'UPS', 'MFS', 'LPS'), 2.6561)
    """
    content = freeze(read_json("sarcoma_population_reference.json"))
    return SarcomaReference(
        populations=content["populations"],
        genes=_read("sarcoma_pooled_gene_reference.tsv.gz").set_index("gene"),
        n=content["n"],
        pool=content["pool"],
        source=content["source"],
        license=content["licence"],
        scale=content["scale"],
    )


def load_gene_aliases(*, include_flagged: bool = False) -> pd.DataFrame:
    """Return older gene names and the approved symbols that replace them.

    An alias that is itself the approved symbol of another gene (``C7``, ``TF``, ``HGF``) must never
    be replaced; those rows are flagged and left out unless asked for.

    Parameters
    ----------
    include_flagged : bool, default False
        Also return the rows that must not be applied.

    Returns
    -------
    DataFrame
        Columns ``alias, approved, flag``; ``flag`` is empty or ``"approved_symbol"``.

    Examples
    --------
    >>> aliases = load_gene_aliases().set_index("alias")["approved"]
    >>> aliases["SDPR"], "HGF" in aliases
    ('CAVIN2', False)
    """
    table = _read("gene_aliases.tsv")
    keep = table["flag"].eq("") | include_flagged
    return table.loc[keep].reset_index(drop=True)


def histologies() -> pd.DataFrame:
    """Return the histologies named by the model trial: who could enter and who responded.

    Returns
    -------
    DataFrame
        Index ``code`` (short code of this catalog); columns ``label``, ``parent`` (code of the
        wider diagnosis or empty), ``synonyms`` and ``former_names`` (separated by ``"; "``), ``eligible`` and
        ``responder`` (bool: named in the registry's eligibility, named among the responders; a
        histology that is not named is not known to be excluded), and ``source``.

    Examples
    --------
    >>> histologies().loc["DDLPS", ["label", "parent"]].tolist()
    ['dedifferentiated liposarcoma', 'LPS']
    """
    table = _read("histologies.tsv").set_index("code")
    return table.assign(eligible=table["eligible"].eq("true"), responder=table["responder"].eq("true"))


def load_lineage_conflicts() -> pd.DataFrame:
    """Return the genes that sarcoma cells make themselves, so that they say little of immune or stromal cells.

    Made by ``scripts/build_lineage_conflicts.py`` from the quartiles of nine histologies and from the notes of
    the catalog; only genes of the catalog's signatures were looked at, and a gene that is not listed is not known
    to be free of the problem.

    Returns
    -------
    DataFrame
        Columns ``histology`` (code; ``"any"`` for every sarcoma; OS, EWS, ERMS and ARMS are osteosarcoma, Ewing
        sarcoma, embryonal and alveolar rhabdomyosarcoma), ``gene``, ``kind`` (``"quartiles"``,
        ``"everywhere"``, ``"catalog"``), ``log2_excess`` (over the other histologies' median; NaN unless from
        quartiles), ``source``.

    Examples
    --------
    >>> table = load_lineage_conflicts().set_index(["histology", "gene"])
    >>> float(table.loc[("SS", "MAL"), "log2_excess"])
    2.2
    """
    import pandas as pd

    table = _read("lineage_conflicts.tsv")
    return table.assign(log2_excess=pd.to_numeric(table["log2_excess"].replace("", None)))


def load_cell_markers() -> dict[str, tuple[str, ...]]:
    """Return the lineages that single cells are typed by, each with its markers.

    Curated by this project: canonical markers; compare Zheng 2017, doi 10.1038/ncomms14049, and Dominguez Conde
    2022, doi 10.1126/science.abl5197. Sarcoma cells and fibroblasts share theirs and are one type,
    ``mesenchymal cell``.

    Returns
    -------
    dict of str to tuple of str
        Cell type -> approved symbols.

    Examples
    --------
    >>> load_cell_markers()["B cell"][:3]
    ('MS4A1', 'CD79A', 'CD79B')
    """
    table = _read("cell_markers.tsv")
    return {str(name): tuple(rows["gene"]) for name, rows in table.groupby("cell_type", sort=False)}


def load_evidence() -> pd.DataFrame:
    """Return published numbers of the model trial and its comparators, each with its citation.

    Only numbers that were read in a public copy or computed from such numbers are here; nothing
    from memory. Rates of different trials must not be pooled: line of therapy, histologies and
    definitions differ.

    Returns
    -------
    DataFrame
        One row per fact: ``trial, regimen, item, value`` (text), ``number`` (float, NaN when the
        value is no single number), ``evidence`` (V read in a public copy, A abstract, REG registry,
        M meeting report, C computed from published numbers), ``citation, doi, note``.

    Examples
    --------
    >>> facts = load_evidence().set_index(["trial", "item"])
    >>> facts.loc[("nct04028063", "efficacy.pfs6.published.rate_pct"), "value"]
    '46.4'
    """
    import pandas as pd

    rows = [
        {
            "trial": trial["trial"],
            "regimen": " + ".join(trial["regimen"]),
            "item": fact["item"],
            "value": str(fact["value"]),
            "number": float("nan") if isinstance(fact["value"], str) else float(fact["value"]),
            "evidence": fact["evidence"],
            "citation": fact.get("citation", trial["citation"]),
            "doi": "" if "citation" in fact else trial.get("doi", ""),
            "note": fact.get("note", ""),
        }
        for trial in read_json("evidence.json")["trials"]
        for fact in trial["items"]
    ]
    return pd.DataFrame(rows)


def load_simulated_trial() -> pd.DataFrame:
    """Return SIMULATED outcomes of 33 patients that give the model trial's published counts.

    They are invented. Only what a trial records is here: response evaluability, progression-free
    status at 6 months and weeks are derived by :mod:`immunosarc.endpoints`.

    Returns
    -------
    DataFrame
        Index ``patient_id``; columns ``schedule_stage`` (``"1"``: a priming cycle of antibodies
        first; ``"2"``: all drugs from cycle 1), ``best_overall_response``, ``pfs_days`` (int),
        ``pfs_event`` (bool, True = progressed or died) and ``how`` (what happened).

    Examples
    --------
    >>> int(load_simulated_trial()["best_overall_response"].isin(["CR", "PR"]).sum())
    10
    """
    table = _read("simulated_trial.csv", sep=",").set_index("patient_id")
    return table.assign(pfs_days=table["pfs_days"].astype(int), pfs_event=table["pfs_event"].eq("1"))


def _read(name: str, *, sep: str = "\t") -> pd.DataFrame:
    """Text stays text (a gene may be called ``NA``); only the compressed reference is numeric."""
    import pandas as pd

    numeric = name.endswith(".gz")
    return pd.read_csv(
        io.BytesIO(read_bytes(name)),
        sep=sep,
        compression="gzip" if numeric else None,
        dtype={"gene": str} if numeric else str,
        keep_default_na=False,
    )
