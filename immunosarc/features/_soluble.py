"""Cytokines and other analytes as features: what lies below a limit of detection is low, never zero."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc import schema, stats
from immunosarc.cohort import Cohort, marked
from immunosarc.errors import CohortError, SchemaError, UnknownNameError, did_you_mean, raise_together

__all__ = ["readings", "soluble", "soluble_summary"]


def soluble(cohort: Cohort, *, analytes: list[str] | tuple[str, ...] | None = None) -> pd.DataFrame:
    """Give the log2 of each analyte in each sample, with everything below a limit of detection tied at the bottom.

    Values below a limit are known to be low and no more: all of an analyte that are below its largest limit,
    read or not, share the value of that limit. So the order of samples is the one that is known, whatever limit
    a batch had, and tests on ranks are right; slopes are a little flatter than without a limit. A mean that
    allows for the limits is in :func:`soluble_summary`.

    Parameters
    ----------
    cohort : Cohort
        With the table ``analytes``.
    analytes : list of str, optional
        Which; all unless given.

    Returns
    -------
    DataFrame
        Index ``sample_id``, one column per analyte (log2 of its unit; NaN where it was not measured, or lies
        below a limit that nobody says), ``status``.

    Raises
    ------
    CohortError
        When there is no table of analytes, or a sample has an analyte twice.
    SchemaError
        When an analyte has several units, or a reading of 0 and no limit.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient_id": "P1", "sample_id": ["S1", "S2", "S3"], "analyte": "IL6"})
    >>> rows = rows.assign(unit="pg/mL", value=[8.0, 3.0, 1.0], limit_of_detection=[1.0, 1.0, 4.0])
    >>> samples = rows[["sample_id", "patient_id"]].assign(timepoint=["pre", "on", "post"])
    >>> toy = Cohort(pd.DataFrame({"patient_id": ["P1"]}), samples, tables={"analytes": rows})
    >>> soluble(toy)["IL6"].tolist()
    [3.0, 2.0, 2.0]
    """
    table = readings(cohort, analytes)
    known = table[table["value"].notna()]
    floor = known[known["below"]].groupby("analyte")["value"].max()
    level = known["analyte"].map(floor)
    tied = known["value"].where(~(known["below"] | (known["value"] < level)), level)
    long = known.assign(log2=np.log2(tied.to_numpy(float)))
    names = list(dict.fromkeys(table["analyte"]))
    wide = long.pivot(index="sample_id", columns="analyte", values="log2")
    samples = cohort.samples.index[cohort.samples.index.isin(table["sample_id"].unique())]
    wide = wide.reindex(index=samples, columns=names).astype(float).rename_axis(index="sample_id", columns=None)
    status = pd.Series("ok", index=wide.index, dtype="string")
    wide["status"] = status.mask(wide[names].isna().all(axis=1), "no reading, or below limits that nobody says")
    wide.attrs = {"scoring": {name: _words(table[table["analyte"] == name]) for name in names}}
    return wide


def readings(cohort: Cohort, analytes: list[str] | tuple[str, ...] | None = None) -> pd.DataFrame:
    """Return the rows of some analytes, with ``below``: the value is then the limit, or missing where unknown.

    Raises
    ------
    CohortError, SchemaError, UnknownNameError
        With everything that does not allow to compare the readings.
    """
    if "analytes" not in cohort.tables:
        raise CohortError(
            "the cohort has no table 'analytes'; declare [tables.analytes] in the manifest, "
            "or pass tables={'analytes': ...}"
        )
    table = cohort.tables["analytes"]
    known = list(dict.fromkeys(table["analyte"]))
    unknown = [name for name in analytes or () if name not in known]
    if unknown:
        raise UnknownNameError(f"unknown analyte {unknown[0]!r}.{did_you_mean(unknown[0], known)}")
    chosen = table if analytes is None else table[table["analyte"].isin(list(analytes))]
    limit = chosen.get("limit_of_detection", pd.Series(np.nan, index=chosen.index)).astype(float)
    said = chosen.get("below_limit", pd.Series(pd.NA, index=chosen.index, dtype="boolean"))
    below = (said.fillna(False) | (chosen["value"] < limit)).to_numpy(dtype=bool)
    value = chosen["value"].astype(float)
    at_limit = limit.where(limit.notna(), value.where(value > 0))
    result = chosen.assign(below=below, value=value.mask(below, at_limit))
    _refuse(result)
    return result


def _refuse(table: pd.DataFrame) -> None:
    twice = table[table.duplicated(["sample_id", "analyte"])]
    if len(twice):
        one = twice.iloc[0]
        raise CohortError(
            f"sample {one['sample_id']} has {one['analyte']} twice ({len(twice)} such rows in all); keep one "
            "reading, or the mean of technical replicates, in the file"
        )
    problems = []
    if "unit" in table:
        for name, units in table.groupby("analyte", sort=False)["unit"]:
            found = sorted(units.dropna().unique())
            if len(found) > 1:
                problems.append(f"{name}: units {', '.join(found)}; bring all readings to one")
    for name, part in table[(table["value"] == 0) & ~table["below"]].groupby("analyte", sort=False):
        what = "0 is no reading; map limit_of_detection or below_limit, so that it counts as below the limit"
        problems.append(f"{name}: {len(part)} values of 0 without a limit: {what}")
    raise_together(SchemaError, "table 'analytes'", problems)


def _words(rows: pd.DataFrame) -> str:
    unit = next(iter(rows["unit"].dropna()), "no unit") if "unit" in rows else "no unit"
    below = rows[rows["below"]]
    if below.empty:
        return f"log2 {unit}"
    relative = (
        ", tied at the largest limit of this cohort" if (below["value"] != below["value"].iloc[0]).any() else ""
    )
    return f"log2 {unit}, {len(below)} of {len(rows)} below a limit{relative}"


def soluble_summary(
    cohort: Cohort, *, analytes: list[str] | tuple[str, ...] | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Give the mean of each analyte at each timepoint, allowing for what lies below a limit of detection.

    A normal distribution of the logs is fitted by maximum likelihood (``stats.left_censored_mean``); nothing is
    put in the place of what was not read.

    Parameters
    ----------
    cohort : Cohort
        With the table ``analytes``.
    analytes : list of str, optional
        Which; all unless given.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame
        ``schema.SOLUBLE``: a row for each analyte and timepoint; means are of log2.

    Raises
    ------
    CohortError, SchemaError, UnknownNameError
        As :func:`soluble`; when a patient has several samples at a timepoint.

    Examples
    --------
    >>> ids = [f"S{i}" for i in range(5)]
    >>> rows = pd.DataFrame({"patient_id": [f"P{i}" for i in range(5)], "sample_id": ids, "analyte": "IL6"})
    >>> rows = rows.assign(value=[2.0, 4.0, 8.0, 16.0, 2.0], below_limit=[False] * 4 + [True])
    >>> samples = rows[["sample_id", "patient_id"]].assign(timepoint="pre")
    >>> toy = Cohort(rows[["patient_id"]], samples, tables={"analytes": rows})
    >>> soluble_summary(toy)[["n", "n_below", "mean_log2"]].round(1).values.tolist()
    [[5.0, 1.0, XX]]
    """
    table = readings(cohort, analytes)
    when = table["sample_id"].map(cohort.samples["timepoint"])
    rows = []
    for (name, timepoint), part in table.assign(timepoint=when).groupby(["analyte", "timepoint"], sort=False):
        several = part["patient_id"][part["patient_id"].duplicated()]
        if len(several):
            raise CohortError(
                f"patient {several.iloc[0]} has {name} in several samples at '{timepoint}'; choose one with "
                "cohort.select(samples=...)"
            )
        known = part[part["value"].notna()]
        fit = stats.left_censored_mean(np.log2(known["value"].to_numpy(float)), known["below"], level=level)
        units = part["unit"].dropna() if "unit" in part else pd.Series(dtype=str)
        rows.append(
            {
                "analyte": name,
                "timepoint": timepoint,
                "unit": next(iter(units), pd.NA),
                "n": fit.n,
                "n_below": fit.n_below,
                "mean_log2": fit.mean,
                "sd_log2": fit.sd,
                "conf_low": fit.conf_low,
                "conf_high": fit.conf_high,
                "conf_level": level,
                "status": fit.status,
            }
        )
    if not rows:
        return marked(schema.SOLUBLE.empty(), simulated=cohort.simulated)
    return marked(schema.SOLUBLE.check(pd.DataFrame(rows)), simulated=cohort.simulated)
