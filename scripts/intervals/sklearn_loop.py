"""Processor seconds of one bootstrap draw in a loop over scikit-learn's functions: python3 sklearn_loop.py N CLASSES PATIENTS DRAWS

Scores are sorted anew by each function, as anybody would write it. Data of the shape that speed.mjs has.
"""

import sys
import time
import warnings

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)


def calibration_error(y, p, strategy):
    edges = np.linspace(0, 1, 16)
    if strategy == "quantile":
        edges = np.percentile(p, edges * 100)
    counts = np.bincount(np.searchsorted(edges[1:-1], p), minlength=15)
    rates, means = calibration_curve(y, p, n_bins=15, strategy=strategy)
    counts = counts[counts > 0]
    return np.sum(counts / counts.sum() * np.abs(rates - means))


def measure(y, s):
    if not y.any() or y.all():
        return []
    fpr, tpr, _ = roc_curve(y, s, drop_intermediate=False)
    precision, recall, _ = precision_recall_curve(y, s)
    best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300))
    sensitivities = [tpr[fpr <= 1 - specificity].max() for specificity in (0.9, 0.95)]
    calibration = [calibration_error(y, s, strategy) for strategy in ("uniform", "quantile")]
    return [
        average_precision_score(y, s),
        roc_auc_score(y, s),
        f1_score(y, s >= 0.5, zero_division=0),
        best,
        *sensitivities,
        brier_score_loss(y, s),
        *calibration,
    ]


def main():
    warnings.simplefilter("ignore")
    n, classes, patients, draws = map(int, sys.argv[1:])
    r = np.random.default_rng(0)
    shares = 0.4 * (8 / n / 0.4) ** (np.arange(classes) / (classes - 1))
    targets = (r.random((n, classes)) < shares).astype(np.int8)
    scores = 1 / (1 + np.exp(-(r.normal(size=targets.shape) + 2 * targets - 2)))
    owner = r.integers(0, patients, n)
    order = np.argsort(owner, kind="stable")
    ends = np.searchsorted(owner[order], np.arange(patients + 1))
    started = time.process_time()
    for _ in range(draws):
        drawn = r.integers(0, patients, patients)
        rows = np.concatenate([order[ends[p] : ends[p + 1]] for p in drawn])
        y, s = targets[rows], scores[rows]
        for c in range(classes):
            measure(y[:, c], s[:, c])
        measure(y.ravel(), s.ravel())
    print((time.process_time() - started) / draws)


if __name__ == "__main__":
    main()
