"""One regularised logistic regression by scikit-learn, whichever classes its rows happen to hold."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from tithe.learners.protocol import Float32, Task

#: Steps after which a head is taken as it is. Unit vectors need five to twenty (measured, softmax).
MAX_ITERATIONS = 500
#: A head is done when no entry of its mean loss's gradient is larger. One against the rest is asked for more: where a
#: class is rare its gradient is small from the start, and stopping early costs points (measured).
TOLERANCE: dict[Task, float] = {"single": 3e-4, "multi": 3e-5}


@contextmanager
def one_thread() -> Iterator[None]:
    """Fit on one core, whatever the process may use: the matrices are small, and each step wakes two pools in turn.

    NumPy's threads and SciPy's spin while the others work: with two on two cores a fit took twenty times as long.
    """
    import sklearn.linear_model  # noqa: F401 -- what is not loaded yet would not be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def logits(head: Float32, features: Float32) -> Float32:
    """What a head says: float32, shape (n, classes), for a head of shape (classes, d + 1)."""
    said: Float32 = features @ head[:, :-1].T + head[:, -1]
    return said


def fit_head(
    features: Float32,
    onehot: Float32,
    weights: Float32,
    c: float,
    power: float,
    task: Task,
    *,
    start: Float32 | None = None,
    tolerance: float | None = None,
) -> Float32:
    """Minimise ``C * sum_i w_i loss_i + |W|^2 / 2`` over the rows that weigh something; the intercept is free.

    A class without a row gets no slope and the intercept ``-log(weight of all rows + 1)``. With one class a row it is
    then never the likeliest, as the others' logits sum to zero, and a class that has all rows gets zeros; with several,
    a class on every row gets ``+log(weight of all rows + 1)``.

    Parameters
    ----------
    features
        float32, shape (n, d).
    onehot
        float32, shape (classes, n): 1 where the row carries the class; one a row for ``"single"``.
    weights
        float32, shape (n,): how often each row counts. Zero leaves it out.
    c
        Inverse regularisation, as in scikit-learn.
    power
        Class weights are ``(rows / (classes * rows of the class)) ** power``: 0 for none, 1 for balanced, one half in
        between. With ``"multi"`` each class's two sides are balanced against one another.
    task
        ``"single"``: softmax. ``"multi"``: each class by itself.
    start
        float32, shape (classes, d + 1), or None for zeros: where to begin. The objective is convex, so that this
        saves time and changes the answer by no more than the tolerance.
    tolerance
        Instead of `TOLERANCE`.

    Returns
    -------
    float32, shape (classes, d + 1): slopes, the intercept last. Two classes of one a row mirror each other.
    """
    tolerance = tolerance or TOLERANCE[task]
    counting = np.flatnonzero(weights)
    features, onehot, weights = features[counting], onehot[:, counting], weights[counting]
    carrying, total = onehot @ weights, weights.sum()
    head = np.zeros((len(onehot), features.shape[1] + 1), np.float32)
    if task == "multi":
        for label, (present, count) in enumerate(zip(onehot, carrying, strict=True)):
            if count in {0, total}:
                head[label, -1] = np.log1p(total) if count else -np.log1p(total)
                continue
            side = np.where(present > 0, count, total - count) * 2 / total
            begin = None if start is None else start[label : label + 1]
            head[label] = _regression(features, present > 0, weights * side**-power, c, begin, tolerance)[0]
        return head
    seen = np.flatnonzero(carrying)
    head[carrying == 0, -1] = -np.log1p(total)
    answers = onehot.argmax(axis=0)
    balanced = weights * (carrying * len(onehot) / total)[answers] ** -power
    begin = None if start is None else start[seen]
    if len(seen) > 2:
        head[seen] = _regression(features, answers, balanced, c, begin, tolerance)
        head[seen, -1] -= head[seen, -1].mean()  # softmax does not tell, and the start should not
    elif len(seen) == 2:  # scikit-learn fits the difference of the two: half the ridge, and each gets half of it
        apart = _regression(
            features, answers, balanced, 2 * c, None if begin is None else begin[1:] - begin[:1], tolerance
        )
        head[seen] = np.concatenate([-apart, apart]) / 2
    return head


def _regression(
    features: Float32,
    answers: NDArray[np.int64] | NDArray[np.bool_],
    weights: Float32,
    c: float,
    start: Float32 | None,
    tolerance: float,
) -> Float32:
    """Slopes and intercept, float32, a row for each of the answers; the higher one's alone where there are two."""
    from sklearn.exceptions import ConvergenceWarning  # a second that only trainers pay
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=c, tol=tolerance, max_iter=MAX_ITERATIONS, warm_start=start is not None)
    if start is not None:
        model.coef_, model.intercept_ = start[:, :-1], start[:, -1]
    with warnings.catch_warnings():
        # A head that is stopped, or whose float32 loss can fall no further, is usable; its held-out score tells.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)  # one or two rows a class
        model.fit(features, answers, sample_weight=weights.astype(np.float32))
    return np.column_stack([model.coef_, model.intercept_]).astype(np.float32)
