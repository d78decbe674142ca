"""From a cohort to a locked model that says how a sample is scored, and from the model back to other cohorts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import anndata
import pandas as pd

from immunosarc import catalog, endpoints, features, models, schema
from immunosarc.cohort import Cohort
from immunosarc.errors import CoverageError, PlanError, did_you_mean, raise_together
from immunosarc.study._tissue import tumor_samples

__all__ = ["lock_signatures", "score_as_locked", "transport_to"]

_SHOWN = 5


def lock_signatures(
    cohort: Cohort,
    signatures: Sequence[str],
    *,
    endpoint: str,
    name: str,
    intended_use: str,
    genes: Iterable[str] | None = None,
    method: str = "singscore",
    timepoint: str = "pre",
    assay: str = "rna",
    platform: str | None = None,
    model: str | None = None,
    landmark_day: int | None = None,
    min_coverage: float = 0.8,
    min_events_per_parameter: float = 10.0,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> models.LockedModel:
    """Lock a model of catalog signatures that can be tried, sample by sample, on another cohort.

    The signatures are scored among a fixed list of genes, each sample by itself, cross-validated
    (:func:`immunosarc.models.cross_validate`) and locked with what is needed to score the next sample: method,
    genes ranked, genes of each signature. Ranks among other genes are other numbers: to try a model on a cohort
    that measured fewer genes, lock it on the genes that both have.

    Parameters
    ----------
    cohort : Cohort
        The training patients; samples that are declared to be no tumor are left out.
    signatures : sequence of str
        Names of the catalog, chosen in advance.
    endpoint : str
        A binary or time-to-event name of ``schema.ENDPOINTS``.
    name, intended_use : str
        What the model is called, for whom and for what.
    genes : iterable of str, optional
        The genes to rank among; those of the cohort that are not listed are ignored, listed ones that it does
        not have are dropped. All of the cohort's unless given.
    method : str
        A single-sample method of ``features.SCORING``.
    timepoint : str
        Of the samples.
    assay : str
        The assay that is scored.
    platform : str, optional
        A name of ``schema.PLATFORMS``; what the assay declares unless given, else "other".
    model : str, optional
        A name of ``models.PREDICTORS``; by default ridge.
    landmark_day : int, optional
        As in :func:`immunosarc.models.associate`.
    min_coverage : float
        Share of a signature's genes that must be among those ranked.
    min_events_per_parameter : float
        As in :func:`immunosarc.models.cross_validate`; below it the model is locked without honest numbers, and
        its card says so.
    n_bootstrap : int
        Bootstraps of the cross-validation.
    seed : int
        Same seed, same model.

    Returns
    -------
    LockedModel

    Raises
    ------
    PlanError
        No signatures, or a method whose scores depend on the other samples.
    CoverageError
        A signature that the genes do not cover.
    UnknownNameError
        Unknown signature, method, endpoint or model.

    Examples
    --------
    >>> import immunosarc as ims
    >>> locked = lock_signatures(
    ...     ims.simulate_cohort(seed=7), ["mcp_b_lineage"], endpoint="objective_response", name="b_cells",
    ...     intended_use="An example; for no patient.",
    ... )
    >>> locked.features[0].name, locked.training["status"].split(":")[0]
    ('mcp_b_lineage', 'ok')
    """
    _check_method(signatures, method)
    tumor = tumor_samples(cohort)
    adata = _among(tumor[assay], list(tumor[assay].var_names) if genes is None else list(genes))
    chosen = features.signatures().subset(*signatures)
    scores = features.score(adata, chosen, method=method, min_coverage=min_coverage)
    absent = [one for one in signatures if one not in scores or scores[one].isna().all()]
    if absent:
        raise CoverageError(
            f"the {adata.n_vars:,} genes to rank among cover too little of {', '.join(absent)}: features.coverage "
            "says what is missing. Choose other signatures, or cohorts that share more genes."
        )
    table = tumor.at(timepoint).per_patient(scores[list(signatures)])
    outcomes = endpoints.derive(tumor)
    how: dict[str, Any] = {"endpoint": endpoint, "model": model, "landmark_day": landmark_day, "seed": seed}
    honest = models.cross_validate(
        table, outcomes, n_bootstrap=n_bootstrap, min_events_per_parameter=min_events_per_parameter, **how
    )
    locked = models.lock_model(
        table,
        outcomes,
        name=name,
        intended_use=intended_use,
        unit=str(table.attrs["unit"]),
        platform=platform or _platform(adata) or "other",
        honest=honest,
        **how,
    )
    return dataclasses.replace(locked, recipe=_recipe(locked, adata, method))


def score_as_locked(locked: models.LockedModel, cohort: Cohort, *, assay: str = "rna") -> pd.DataFrame:
    """Score the samples of a cohort in a locked model's own way, each by itself among the same genes.

    Parameters
    ----------
    locked : LockedModel
        With a recipe, as from :func:`lock_signatures`.
    cohort : Cohort
        Other patients.
    assay : str
        The assay that is scored.

    Returns
    -------
    DataFrame
        ``schema.PATIENT_FEATURES`` at the model's timepoint.

    Raises
    ------
    PlanError
        A model without a recipe.
    CoverageError
        Genes that the model ranks among and this assay does not have.

    Examples
    --------
    >>> import immunosarc as ims
    >>> bare = ims.models.LockedModel("demo", "pfs", "ridge_cox", "pre", "tpm", "other", "none", 0.0, (), {})
    >>> score_as_locked(bare, ims.simulate_cohort(seed=7))
    Traceback (most recent call last):
    ...
    immunosarc.errors.PlanError: model 'demo' does not say how samples are scored; lock it with lock_signatures
    """
    if not locked.recipe:
        raise PlanError(f"model {locked.name!r} does not say how samples are scored; lock it with lock_signatures")
    tumor = tumor_samples(cohort)
    wanted = list(locked.recipe["genes"])
    adata = tumor[assay]
    missing = pd.Index(wanted).difference(adata.var_names, sort=False)
    if len(missing):
        raise CoverageError(
            f"model {locked.name!r} ranks each sample among {len(wanted):,} genes, and assay '{assay}' of "
            f"{cohort.name} lacks {len(missing):,} of them ({', '.join(map(str, missing[:_SHOWN]))}). Ranks among "
            "fewer genes are other numbers: lock the model on the genes that both cohorts have (genes=)."
        )
    sets = [catalog.Signature(n, tuple(up), genes_down=tuple(down)) for n, (up, down) in _sets(locked).items()]
    scores = features.score(
        _among(adata, wanted), catalog.Signatures(sets), method=locked.recipe["method"], min_coverage=1.0
    )
    return tumor.at(locked.timepoint).per_patient(scores)


def transport_to(
    locked: models.LockedModel,
    cohort: Cohort,
    outcomes: pd.DataFrame | None = None,
    *,
    assay: str = "rna",
    platform: str | None = None,
    level: float = 0.95,
) -> models.Transport:
    """Try a locked model on another cohort: score as it does, predict, and compare with what happened.

    Another unit or platform than that of the training is stated in the result, not refused: what it costs is part
    of the question.

    Parameters
    ----------
    locked : LockedModel
        From :func:`lock_signatures` or :func:`immunosarc.models.read_model`.
    cohort : Cohort
        Other patients than those it was made from.
    outcomes : DataFrame, optional
        ``schema.OUTCOMES``; derived from the cohort unless given.
    assay : str
        The assay that is scored.
    platform : str, optional
        A name of ``schema.PLATFORMS``; what the assay declares unless given. One that is not declared differs
        from every platform.
    level : float
        Of the intervals.

    Returns
    -------
    Transport

    Raises
    ------
    PlanError, CoverageError
        As in :func:`score_as_locked` and :func:`immunosarc.models.transport`.

    Examples
    --------
    >>> import immunosarc as ims
    >>> locked = lock_signatures(
    ...     ims.simulate_cohort(seed=7), ["mcp_b_lineage"], endpoint="objective_response", name="b_cells",
    ...     intended_use="An example; for no patient.", n_bootstrap=0,
    ... )
    >>> transport_to(locked, ims.simulate_cohort(seed=8)).performance["measure"].iloc[0]
    'auc'
    """
    table = score_as_locked(locked, cohort, assay=assay)
    return models.transport(
        locked,
        table,
        endpoints.derive(tumor_samples(cohort)) if outcomes is None else outcomes,
        unit=str(table.attrs["unit"]),
        platform=platform or _platform(cohort[assay]),
        other_assay="state",
        level=level,
    )


def _check_method(signatures: Sequence[str], method: str) -> None:
    known = features.signatures()
    problems = [f"unknown signature {one!r}.{did_you_mean(one, known)}" for one in signatures if one not in known]
    if not signatures or isinstance(signatures, str):
        problems.append("signatures: name at least one, in a list")
    if refusal := features.SCORING.why_not(method):
        problems.append(refusal)
    elif not features.SCORING[method].single_sample:
        problems.append(
            f"method {method!r} scores a sample by the others of its cohort: a locked model needs a single-sample "
            "method, such as singscore"
        )
    raise_together(PlanError, "the model to lock", problems)


def _among(adata: anndata.AnnData, genes: Sequence[str]) -> anndata.AnnData:
    """Return the assay with these genes alone, in this order, as far as it has them."""
    here = set(map(str, adata.var_names))
    return adata[:, [one for one in dict.fromkeys(map(str, genes)) if one in here]].copy()


def _platform(adata: anndata.AnnData) -> str:
    declared = str(adata.uns["immunosarc"].get("platform", ""))
    return declared if declared in schema.PLATFORMS else ""


def _recipe(locked: models.LockedModel, adata: anndata.AnnData, method: str) -> dict[str, Any]:
    here = set(map(str, adata.var_names))
    known = features.signatures()
    sets = {
        one.name: [
            [gene for gene in known[one.name].genes if gene in here],
            [gene for gene in known[one.name].genes_down if gene in here],
        ]
        for one in locked.features
    }
    return {"method": method, "genes": [str(gene) for gene in adata.var_names], "signatures": sets}


def _sets(locked: models.LockedModel) -> Mapping[str, tuple[list[str], list[str]]]:
    return {name: (up, down) for name, (up, down) in locked.recipe["signatures"].items()}
