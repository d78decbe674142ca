"""Does a searched cut point keep its promises with 20 to 60 patients? Writes docs/calibration_cut_points.md.

    python benchmarks/calibrate_cut_points.py --simulations 2000

Type-I error of the corrected p, beside what the uncorrected one would do; coverage of the bootstrap interval of a
cut that is there; and the effect out of bag beside the apparent one and the true one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats as distributions

import immunosarc as ims
from immunosarc.models import search_cut_points
from immunosarc.stats import log_rank_scores, maximally_selected

SIZES = (20, 30, 60)
ENDPOINTS = ("log-rank, 30% censored", "binary, one third respond", "binary, two strata")
ALPHA, PERMUTATIONS = 0.05, 499
TRUE_CUT = 0.3


def false_leads(n: int, endpoint: str, simulations: int) -> tuple[float, float]:
    """Return how often noise is below alpha by the corrected p, and by the p of its best cut alone."""
    corrected = naive = 0
    for seed in range(simulations):
        rng = np.random.default_rng([n, seed])
        strata = (np.arange(n) < n // 2).astype(int) if "strata" in endpoint else None
        if endpoint.startswith("log-rank"):
            scores = log_rank_scores(rng.exponential(size=n), rng.random(n) < 0.7)
        else:
            scores = (rng.random(n) < (1 / 3 if strata is None else np.where(strata, 0.5, 0.15))).astype(float)
        if scores.std() == 0:
            continue
        found = maximally_selected(
            rng.normal(size=(n, 1)), scores, strata=strata, n_permutations=PERMUTATIONS, seed=seed
        )
        corrected += found.p_value[0] <= ALPHA
        naive += 2 * distributions.norm.sf(abs(found.statistic[0])) <= ALPHA
    return corrected / simulations, naive / simulations


def planted(n: int, gap: float, simulations: int) -> dict[str, float]:
    """Return what search_cut_points says of a cut at ``TRUE_CUT`` that moves the response rate by ``gap``."""
    rows = []
    for seed in range(simulations):
        rng = np.random.default_rng([7, n, seed])
        marker = rng.normal(size=n)
        response = rng.random(n) < 0.2 + gap * (marker > TRUE_CUT)
        if 0 < response.sum() < n:
            rows.append(_searched(marker, response, seed))
    table = pd.DataFrame(rows)
    sign = np.sign(table["apparent"])
    truth = [_true_difference(cut, gap) for cut in table["cut"]]
    return {
        "covered": ((table["cut_low"] <= TRUE_CUT) & (table["cut_high"] >= TRUE_CUT)).mean(),
        "apparent": (sign * table["apparent"]).mean(),
        "out_of_bag": (sign * table["out_of_bag"]).mean(),
        "true": float((sign * truth).mean()),
    }


def _true_difference(cut: float, gap: float) -> float:
    """Difference of the response rates above and below a cut, whatever cut the truth is at."""
    above, below = distributions.norm.sf(max(cut, TRUE_CUT)), distributions.norm.sf(TRUE_CUT)
    high = gap * above / distributions.norm.sf(cut)
    low = gap * (below - above) / distributions.norm.cdf(cut)
    return high - low


def _searched(marker: np.ndarray, response: np.ndarray, seed: int) -> pd.Series:
    ids = [f"P{i:02d}" for i in range(len(marker))]
    patients = pd.DataFrame({"patient_id": ids, "best_overall_response": np.where(response, "PR", "PD")})
    samples = pd.DataFrame({"sample_id": ids, "patient_id": ids, "timepoint": "pre"})
    cohort = ims.Cohort(patients, samples)
    table = cohort.at("pre").per_patient(pd.DataFrame({"m": marker}, index=pd.Index(ids, name="sample_id")))
    outcomes = ims.endpoints.derive(cohort)
    found = search_cut_points(
        table, outcomes, endpoint="objective_response", n_permutations=20, n_bootstrap=100, seed=seed
    )
    return found[["cut", "cut_low", "cut_high", "apparent", "out_of_bag"]].iloc[0].astype(float)


def lines(simulations: int) -> Iterator[str]:
    """Yield the page."""
    yield "# Searched cut points, simulated"
    yield ""
    yield f"`benchmarks/calibrate_cut_points.py --simulations {simulations}`; {PERMUTATIONS} permutations each."
    yield ""
    yield "| noise | patients | corrected p <= .05 | p of the best cut alone <= .05 | allowed |"
    yield "|---|---|---|---|---|"
    error = np.sqrt(ALPHA * (1 - ALPHA) / simulations)
    for endpoint in ENDPOINTS:
        for n in SIZES:
            corrected, naive = false_leads(n, endpoint, simulations)
            yield f"| {endpoint} | {n} | {corrected:.4f} | {naive:.3f} | {ALPHA + 2 * error:.4f} |"
    few = max(50, simulations // 10)
    yield ""
    yield f"A cut at {TRUE_CUT} of a standard normal marker moves the response rate from 20% ({few} trials each):"
    yield ""
    yield "| patients | by | interval holds the cut (95%) | apparent | out of bag | true effect of cuts found |"
    yield "|---|---|---|---|---|---|"
    for n in SIZES:
        for gap in (0.0, 0.3, 0.6):
            found = planted(n, gap, few)
            covered = "-" if gap == 0 else f"{found['covered']:.3f}"
            yield (
                f"| {n} | {gap:.0%} | {covered} | {found['apparent']:.3f} | {found['out_of_bag']:.3f} | "
                f"{found['true']:.3f} |"
            )


def main() -> None:
    """Write the page and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=2000)
    page = []
    for line in lines(parser.parse_args().simulations):
        print(line, flush=True)
        page.append(line)
    Path("docs/calibration_cut_points.md").write_text("\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
