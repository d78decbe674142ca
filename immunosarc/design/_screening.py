"""How many patients to screen when only some of them can be selected, and the assay errs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats as distributions

from immunosarc.design._record import DesignRecord
from immunosarc.errors import ImmunosarcError, raise_together

__all__ = ["Screening", "screening"]


@dataclass(frozen=True, repr=False)
class Screening(DesignRecord):
    """What screening for a marker costs, and whom it selects.

    Attributes
    ----------
    prevalence, sensitivity, specificity, dropout : float
        What was assumed; ``dropout`` is the share of selected patients who are never treated or evaluated.
    test_positive : float
        Share of screened patients whom the assay selects.
    positive_predictive_value : float
        Share of the selected who truly have the marker.
    treated : int
        Evaluable patients wanted.
    screened : int
        Patients to screen on average, rounded up.
    screened_90 : int
        Patients to screen so that the wanted number is reached with probability 90%.
    response : float
        Expected response among the selected, marker-negative patients selected in error included; NaN
        when no rates were given.
    """

    prevalence: float
    sensitivity: float
    specificity: float
    dropout: float
    test_positive: float
    positive_predictive_value: float
    treated: int
    screened: int
    screened_90: int
    response: float

    @property
    def protocol(self) -> str:
        """The sentences for the protocol."""
        return (
            f"With a marker in {self.prevalence:.0%} of patients, an assay of sensitivity {self.sensitivity:.0%} "
            f"and specificity {self.specificity:.0%}, and {self.dropout:.0%} of selected patients lost, "
            f"{self.test_positive:.1%} of screened patients are selected; {self.positive_predictive_value:.0%} of "
            f"them have the marker. {self.treated} evaluable patients need {self.screened} screened on average; "
            f"{self.screened_90} suffice with probability 90%."
        )


def screening(
    *,
    treated: int,
    prevalence: float,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
    dropout: float = 0.0,
    response: tuple[float, float] | None = None,
) -> Screening:
    r"""Give the number of patients to screen for a trial of selected patients.

    A screened patient is treated and evaluable with probability
    :math:`q = (\pi s + (1 - \pi)(1 - c))(1 - d)`; the number screened until n are is negative binomial,
    with mean n / q.

    Parameters
    ----------
    treated : int
        Evaluable patients wanted.
    prevalence : float
        Share of patients who have the marker.
    sensitivity, specificity : float
        Of the assay.
    dropout : float
        Share of selected patients who are never treated or evaluated.
    response : (float, float), optional
        Response rate with and without the marker.

    Returns
    -------
    Screening

    Raises
    ------
    ImmunosarcError
        When a share is outside its range, or nobody could be selected.

    Examples
    --------
    >>> plan = screening(treated=28, prevalence=0.25, sensitivity=0.9, specificity=0.9, response=(0.6, 0.1))
    >>> plan.screened, plan.screened_90, round(plan.response, 3)
    (94, 113, 0.475)
    """
    problems = [
        f"{name}: need a share from 0 to 1, have {value!r}"
        for name, value in {
            "prevalence": prevalence,
            "sensitivity": sensitivity,
            "specificity": specificity,
            "dropout": dropout,
        }.items()
        if not 0.0 <= value <= 1.0
    ]
    if prevalence == 0:
        problems.append("prevalence: with a marker that nobody has there is no trial; need a share above 0")
    if treated < 1:
        problems.append(f"treated: need at least 1 patient, have {treated}")
    raise_together(ImmunosarcError, "the call of screening", problems)
    positive = prevalence * sensitivity + (1.0 - prevalence) * (1.0 - specificity)
    reached = positive * (1.0 - dropout)
    if reached <= 0:
        raise ImmunosarcError("nobody is selected and treated: sensitivity is 0 or dropout is 1.")
    predictive = prevalence * sensitivity / positive
    lost = distributions.nbinom(treated, reached).ppf(0.90)
    expected = float("nan") if response is None else predictive * response[0] + (1.0 - predictive) * response[1]
    return Screening(
        prevalence=prevalence,
        sensitivity=sensitivity,
        specificity=specificity,
        dropout=dropout,
        test_positive=positive,
        positive_predictive_value=predictive,
        treated=treated,
        screened=int(np.ceil(treated / reached - 1e-9)),
        screened_90=treated + int(lost),
        response=expected,
    )
