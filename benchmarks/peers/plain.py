"""Plain NumPy, as one would write it in a notebook that minds its loops; and the bare limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from peers.case import LABELED, Case

_CHUNK = 16_384
_FEW_COLUMNS = 8  # of which OpenBLAS multiplies short blocks faster than long ones


def _probabilities(rows: np.ndarray, head: np.ndarray) -> np.ndarray:
    logits = rows @ head[:, :-1].T + head[:, -1]
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def _entropy(p: np.ndarray) -> np.ndarray:
    return -(p * np.log(p + np.float32(1e-37))).sum(axis=1)


def _margin(p: np.ndarray) -> np.ndarray:
    two = np.partition(p, p.shape[1] - 2, axis=1)[:, -2:]
    return 1 - (two[:, 1] - two[:, 0])


def _top(scores: np.ndarray, k: int) -> np.ndarray:
    best = np.argpartition(scores, -k)[-k:]
    return best[np.argsort(-scores[best])]


def _by(measure: Callable[[np.ndarray], np.ndarray]) -> Callable[[Case], Callable[[], np.ndarray]]:
    def prepare(case: Case) -> Callable[[], np.ndarray]:
        head, vectors = case.heads[0], case.vectors

        def pick() -> np.ndarray:
            scores = [measure(_probabilities(vectors[a : a + _CHUNK], head)) for a in range(0, case.n, _CHUNK)]
            return _top(np.concatenate(scores), case.k)

        return pick

    return prepare


def _vote_entropy(case: Case) -> Callable[[], np.ndarray]:
    heads, vectors = case.heads[1:], case.vectors

    def pick() -> np.ndarray:
        scores = np.empty(case.n)
        for a in range(0, case.n, _CHUNK):
            rows = vectors[a : a + _CHUNK]
            votes = np.stack([(rows @ head[:, :-1].T + head[:, -1]).argmax(axis=1) for head in heads])
            agree = (votes[:, np.newaxis] == votes).sum(axis=1)
            scores[a : a + _CHUNK] = -np.log(agree / len(heads)).mean(axis=0)
        return _top(scores, case.k)

    return pick


def _k_center(case: Case) -> Callable[[], np.ndarray]:
    def pick() -> np.ndarray:
        vectors = case.vectors[: case.n - LABELED]
        labeled = np.asarray(case.vectors[case.n - LABELED :])
        nearest = np.empty(len(vectors), np.float32)
        squares = (labeled * labeled).sum(axis=1)
        for a in range(0, len(vectors), _CHUNK):
            rows = vectors[a : a + _CHUNK]
            nearest[a : a + _CHUNK] = (squares - 2 * (rows @ labeled.T)).min(axis=1) + (rows * rows).sum(axis=1)
        chosen = []
        for _ in range(case.k):
            chosen.append(int(nearest.argmax()))
            center = np.asarray(vectors[chosen[-1]])
            for a in range(0, len(vectors), _CHUNK):
                away = vectors[a : a + _CHUNK] - center
                np.minimum(nearest[a : a + _CHUNK], (away * away).sum(axis=1), out=nearest[a : a + _CHUNK])
            nearest[chosen] = -1
        return np.array(chosen)

    return pick


WORKS: dict[str, Any] = {
    "entropy": _by(_entropy), "margin": _by(_margin), "vote_entropy": _vote_entropy, "k_center": _k_center
}  # fmt: skip


def _product(heads: slice) -> Callable[[Case], Callable[[], np.ndarray]]:
    def prepare(case: Case) -> Callable[[], np.ndarray]:
        vectors = case.vectors
        weights = np.concatenate(case.heads[heads])[:, :-1].copy()
        step = 256 if len(weights) <= _FEW_COLUMNS else 2048
        out = np.empty((len(weights), step), np.float32)

        def pick() -> np.ndarray:
            for a in range(0, case.n - step + 1, step):
                np.matmul(weights, vectors[a : a + step].T, out=out)
            return np.empty(0, np.int64)

        return pick

    return prepare


def _one_pass(case: Case) -> Callable[[], np.ndarray]:
    vectors = case.vectors

    def pick() -> np.ndarray:
        for a in range(0, case.n, _CHUNK):
            vectors[a : a + _CHUNK].max()
        return np.empty(0, np.int64)

    return pick


#: What nobody who does the work in float32 can be faster than: the matrix product alone; one reading of the pool.
LIMITS: dict[str, Any] = {
    "entropy": _product(slice(0, 1)), "margin": _product(slice(0, 1)), "vote_entropy": _product(slice(1, None)),
    "k_center": _one_pass, "k_center_kept": _one_pass,
}  # fmt: skip
