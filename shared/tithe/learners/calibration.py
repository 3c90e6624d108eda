"""One temperature that makes a head's probabilities mean what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tithe.learners.protocol import Float64

#: A temperature is looked for in this range.
COLDEST, HOTTEST = 1e-2, 1e2


def negative_log_likelihood(logits: Float64, onehot: Float64, *, single: bool) -> float:
    """Mean over the rows, in nats, of ``-sum_k t_k log p_k``; without `single`, each class's two outcomes are summed.

    Parameters
    ----------
    logits
        float64, shape (n, classes).
    onehot
        float64, shape (n, classes): target probabilities.
    single
        Softmax over the classes, or a sigmoid for each.
    """
    if single:
        top = logits.max(axis=1, keepdims=True)
        mass = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
        return float((mass - (logits * onehot).sum(axis=1)).mean())
    return float((np.logaddexp(0, logits) - logits * onehot).sum(axis=1).mean())


def fit_temperature(logits: NDArray[np.floating], truth: NDArray[np.bool_], *, single: bool) -> float:
    """The temperature T for which ``softmax(logits / T)`` is likeliest on held-out rows.

    Targets are pulled toward the uniform by ``1 / (n + 2)``, so that a handful of rows that all happen to be right do
    not call for certainty.

    Parameters
    ----------
    logits
        float, shape (n, classes): of heads that have not seen the row.
    truth
        bool, shape (n, classes).
    single
        One class a row (softmax), or several (sigmoid).

    Returns
    -------
    T in [`COLDEST`, `HOTTEST`]; 1.0 when there are no rows.

    Examples
    --------
    Three rows in four are right, where the logits promise 98 in 100:

    >>> logits = np.tile([[2.0, -2.0]], (400, 1))
    >>> truth = np.array([[True, False], [True, False], [True, False], [False, True]] * 100)
    >>> temperature = fit_temperature(logits, truth, single=True)
    >>> round(float(1 / (1 + np.exp(-4 / temperature))), 2)
    0.75

    References
    ----------
    Guo, Pleiss, Sun & Weinberger (2017), On calibration of modern neural networks, ICML, section 4.2.
    Platt (1999), Probabilistic outputs for support vector machines, 61-74 (smoothed targets).
    """
    from scipy.optimize import minimize_scalar  # half a second that only trainers pay

    rows, classes = logits.shape
    if not rows:
        return 1.0
    doubt = 1 / (rows + 2)
    soft = (1 - doubt) * truth.astype(np.float64) + doubt / (classes if single else 2)
    wide = logits.astype(np.float64)
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(wide / np.exp(log_t), soft, single=single),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))
