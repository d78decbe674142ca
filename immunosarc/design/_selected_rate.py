"""From the effect of a marker to the response rate among those whom it selects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special
from scipy import stats as distributions

from immunosarc.errors import ImmunosarcError, raise_together

__all__ = ["MarkerEffect", "SelectedRate", "combine_effects", "published_effect", "rate_in_selected"]

_EFFECTS, _RATES, _NODES, _PATIENTS, _STEPS = 21, 41, 60, 400, 40
_HALF = 0.5


class MarkerEffect(NamedTuple):
    """Log odds ratio of response per standard deviation of a marker, and its error."""

    log_odds_ratio: float
    std_error: float


class SelectedRate(NamedTuple):
    """What is believed of the response rate among selected patients."""

    mean: float
    std_dev: float

    @property
    def beta(self) -> tuple[float, float]:
        """The beta distribution with this mean and spread."""
        size = self.mean * (1.0 - self.mean) / self.std_dev**2 - 1.0
        return self.mean * size, (1.0 - self.mean) * size


def rate_in_selected(effect: MarkerEffect, *, share: float, responders: tuple[float, float]) -> SelectedRate:
    r"""Give the response rate to expect when patients with the highest values of a marker are selected.

    The marker is taken as standard normal and the log odds of response as linear in it,
    :math:`\operatorname{logit} p(x) = a + \beta x`; a makes the rate of all patients what it is. The rate of
    the selected is the mean of p(x) above the quantile :math:`1 - \text{share}`, averaged over
    :math:`\beta \sim N(\hat\beta, s^2)` and over the rate of all patients given the count
    (Jeffreys' prior). Handing over the *shrunken* effect keeps a rule found in these data from looking better
    than it is.

    Parameters
    ----------
    effect : MarkerEffect
        Per standard deviation; positive where high values respond more often.
    share : float
        Share of patients who are selected, in (0, 1]; 1 selects everybody.
    responders : (float, float)
        Responders and patients of the trial that the rate of all patients comes from.

    Returns
    -------
    SelectedRate
        ``mean``, ``std_dev``, and the beta distribution with both.

    Raises
    ------
    ImmunosarcError
        When a number is outside its range.

    Examples
    --------
    >>> found = rate_in_selected(MarkerEffect(0.8, 0.3), share=0.25, responders=(10, 30))
    >>> round(found.mean, 3), round(found.std_dev, 3)
    (0.548, 0.12)
    """
    x, n = responders
    problems = [] if 0.0 < share <= 1.0 else [f"share: need a share in (0, 1], have {share!r}"]
    if not (np.isfinite(effect.log_odds_ratio) and np.isfinite(effect.std_error) and effect.std_error >= 0):
        problems.append(f"effect: need a finite effect and an error that is not negative, have {tuple(effect)}")
    if not (0 <= x <= n and n > 0):
        problems.append(f"responders: need responders among patients, 0 <= x <= n, have {responders}")
    raise_together(ImmunosarcError, "the call of rate_in_selected", problems)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_EFFECTS)
    weights = weights / weights.sum()
    slopes = (effect.log_odds_ratio + effect.std_error * nodes)[:, None, None]
    rates = distributions.beta(_HALF + x, _HALF + n - x).ppf((np.arange(_RATES) + _HALF) / _RATES)[None, :, None]
    marker, dense = np.polynomial.hermite_e.hermegauss(_NODES)
    dense = dense / dense.sum()
    low, high = (np.broadcast_to(end, (_EFFECTS, _RATES, 1)).copy() for end in (-40.0, 40.0))
    for _ in range(_STEPS):  # the mean rises with a: halve the interval that holds it
        middle = (low + high) / 2.0
        below = special.expit(middle + slopes * marker) @ dense[:, None] < rates
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    chosen = special.ndtri(1.0 - share * (np.arange(_PATIENTS) + _HALF) / _PATIENTS)[None, None, :]
    selected = special.expit((low + high) / 2.0 + slopes * chosen).mean(axis=2)
    weighed = weights[:, None] / _RATES
    mean = float((weighed * selected).sum())
    return SelectedRate(mean, float(np.sqrt((weighed * (selected - mean) ** 2).sum())))


def published_effect(
    with_marker: tuple[int, int], without: tuple[int, int], *, heterogeneity: float = 0.5
) -> MarkerEffect:
    r"""Give what another trial says of a marker, per standard deviation, widened by what trials differ in.

    The log odds ratio of the counts (half a patient added to each cell) is divided by the distance between the
    means of a standard normal marker above and below the cut that selects this share,
    :math:`d = \varphi(c) / (q (1 - q))`; ``heterogeneity`` is added to the error in quadrature. The rates
    themselves are never used: regimen, line and histologies differ.

    Parameters
    ----------
    with_marker, without : (int, int)
        Responders and patients with the marker, and without it.
    heterogeneity : float
        Standard deviation of true effects between trials, per standard deviation of the marker.

    Returns
    -------
    MarkerEffect

    Raises
    ------
    ImmunosarcError
        When counts are impossible or ``heterogeneity`` is negative.

    Examples
    --------
    >>> found = published_effect((9, 31), (3, 36))
    >>> round(found.log_odds_ratio, 2), round(found.std_error, 2)
    (0.87, 0.66)
    """
    problems = [
        f"{name}: need responders among patients, 0 <= x <= n and n >= 1, have {pair}"
        for name, pair in (("with_marker", with_marker), ("without", without))
        if not 0 <= pair[0] <= pair[1] or pair[1] < 1
    ]
    if heterogeneity < 0:
        problems.append(f"heterogeneity: need a number that is not negative, have {heterogeneity!r}")
    raise_together(ImmunosarcError, "the call of published_effect", problems)
    cells = [one + _HALF for x, n in (with_marker, without) for one in (x, n - x)]
    share = with_marker[1] / (with_marker[1] + without[1])
    apart = float(np.exp(-(special.ndtri(share) ** 2) / 2.0) / np.sqrt(2.0 * np.pi)) / (share * (1.0 - share))
    effect = float(np.log(cells[0] / cells[1]) - np.log(cells[2] / cells[3])) / apart
    error = float(np.sqrt(sum(1.0 / one for one in cells))) / apart
    return MarkerEffect(effect, float(np.hypot(error, heterogeneity)))


def combine_effects(own: MarkerEffect, *others: MarkerEffect) -> MarkerEffect:
    r"""Give what is believed of a marker after one's own trial and others, each weighed by its precision.

    :math:`\hat\beta = \sum \beta_i s_i^{-2} / \sum s_i^{-2}`, with error
    :math:`(\sum s_i^{-2})^{-1/2}`: the published effect is the prior, in place of the panel's own spread.

    Parameters
    ----------
    own : MarkerEffect
        As estimated, not shrunken.
    *others : MarkerEffect
        From :func:`published_effect`.

    Returns
    -------
    MarkerEffect

    Raises
    ------
    ImmunosarcError
        When an error is not above 0.

    Examples
    --------
    >>> found = combine_effects(MarkerEffect(1.2, 0.6), MarkerEffect(0.6, 0.6))
    >>> round(found.log_odds_ratio, 2), round(found.std_error, 3)
    (0.9, 0.424)
    """
    known = [own, *others]
    if bad := [tuple(one) for one in known if not one.std_error > 0]:
        raise ImmunosarcError(f"the call of combine_effects: need errors above 0, have {bad}.")
    weights = np.array([one.std_error**-2.0 for one in known])
    effects = np.array([one.log_odds_ratio for one in known])
    return MarkerEffect(float((weights * effects).sum() / weights.sum()), float(weights.sum() ** -0.5))
