"""scikit-learn's answers on cases with ties, constant scores, masks and tiny or large n -> metrics.json.

Scores are written with all the digits they have, so that both sides see the same numbers. An answer that scikit-learn
refuses (or gives with a warning because it is undefined) is null.
"""

import warnings

import numpy as np
from golden_files import write_json
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

THRESHOLDS = [0.0, 0.25, 0.5, 0.9]
BINS = [1, 10, 15]


def expected_calibration_error(y, p, bins):
    """Counts and means by calibration_curve's own rule (searchsorted on the inner edges)."""
    index = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p)
    rates, means = calibration_curve(y, p, n_bins=bins)
    counts = np.bincount(index, minlength=bins)
    counts = counts[counts > 0]
    return float(np.sum(counts / counts.sum() * np.abs(rates - means)))


def answers(scores, targets, with_curves):
    known = ~np.isnan(targets)
    s, y = scores[known], targets[known].astype(int)
    out = {"ap": None, "auroc": None, "f1": None, "bestF1": None, "ece": None}
    if len(y) == 0:
        return out
    out["f1"] = [f1_score(y, s >= t, zero_division=0) for t in THRESHOLDS]
    if y.any():
        out["ap"] = average_precision_score(y, s)
        precision, recall, thresholds = precision_recall_curve(y, s)
        out["bestF1"] = max(f1_score(y, s >= t, zero_division=0) for t in np.unique(s)) if len(y) < 1000 else None
        if with_curves:
            # scikit-learn lists thresholds upwards and ends with the point (recall 0, precision 1).
            out["precisionRecall"] = {
                "thresholds": thresholds[::-1],
                "precision": precision[::-1],
                "recall": recall[::-1],
            }
    if y.any() and not y.all():
        out["auroc"] = roc_auc_score(y, s)
        if with_curves:
            fpr, tpr, thresholds = roc_curve(y, s, drop_intermediate=False)
            # The first threshold is max + 1 in scikit-learn 1.2 and infinity later: left out.
            out["roc"] = {"thresholds": thresholds[1:], "falsePositiveRate": fpr, "truePositiveRate": tpr}
    if s.min() >= 0 and s.max() <= 1:
        out["ece"] = [expected_calibration_error(y, s, b) for b in BINS]
    return out


def cases():
    r = np.random.default_rng(20260213)
    uniform = lambda n: r.random(n)
    labels = lambda n, p: (r.random(n) < p).astype(float)

    def with_unknown(y, p):
        y = y.copy()
        y[r.random(len(y)) < p] = np.nan
        return y

    yield "one positive alone", np.array([0.3]), np.array([1.0])
    yield "one negative alone", np.array([0.3]), np.array([0.0])
    yield "two, right order", np.array([0.2, 0.8]), np.array([0.0, 1.0])
    yield "two, wrong order", np.array([0.8, 0.2]), np.array([0.0, 1.0])
    yield "two, tied", np.array([0.5, 0.5]), np.array([0.0, 1.0])
    yield "constant scores", np.full(40, 0.25), labels(40, 0.3)
    yield "no positives", uniform(20), np.zeros(20)
    yield "no negatives", uniform(20), np.ones(20)
    yield "nothing known", uniform(5), np.full(5, np.nan)
    yield "unknown hides the only positive", np.array([0.9, 0.4, 0.1]), np.array([np.nan, 0.0, 0.0])
    yield "all at the bin edges", np.arange(31) / 30, labels(31, 0.5)
    yield "zeros and ones", (uniform(30) < 0.5).astype(float), labels(30, 0.4)
    yield "negative zero ties zero", np.array([0.0, -0.0, 0.0, -0.0, 1.0]), np.array([1.0, 0.0, 0.0, 1.0, 0.0])
    yield "logits", r.normal(0, 30, 60), labels(60, 0.3)
    yield "tiny differences", 0.5 + np.arange(12) * 2.0**-53, labels(12, 0.5)
    for n in (3, 7, 20, 53):
        for step in (2, 5, 50):
            y = with_unknown(labels(n, 0.4), 0.15)
            yield f"random, {n} examples, {step + 1} scores at most", np.round(uniform(n) * step) / step, y
    y = labels(300, 0.02)
    yield "rare finding", np.clip(uniform(300) * 0.3 + y * 0.2, 0, 1), y
    y = with_unknown(labels(4000, 0.05), 0.1)
    yield "many, rounded to two digits", np.round(np.clip(r.normal(0.3, 0.2, 4000) + 0.2 * np.nan_to_num(y), 0, 1), 2), y


def matrix_case():
    """Macro means of a matrix with a class of every kind: what summarize() must give."""
    r = np.random.default_rng(7)
    n, prevalences = 120, [0.4, 0.12, 0.05, 0.03, 0.0, 1.0]
    targets = np.stack([(r.random(n) < p).astype(float) for p in prevalences], 1)
    targets[:2, 3] = 1
    scores = np.round(np.clip(0.5 * r.random((n, len(prevalences))) + 0.3 * targets, 0, 1), 3)
    targets[r.random(targets.shape) < 0.05] = np.nan
    return scores, targets


def main():
    warnings.simplefilter("ignore")
    singles = []
    for name, scores, targets in cases():
        singles.append(
            {"name": name, "scores": scores, "targets": targets, "expected": answers(scores, targets, len(scores) <= 60)}
        )
    scores, targets = matrix_case()
    per_class = [answers(scores[:, c], targets[:, c], False) for c in range(scores.shape[1])]
    mean = lambda values: float(np.mean([v for v in values if v is not None]))
    has_positive = [a["ap"] is not None for a in per_class]
    macro = {
        "mAP": mean(a["ap"] for a in per_class),
        "auroc": mean(a["auroc"] for a in per_class),
        "f1": mean(a["f1"][2] for a, ok in zip(per_class, has_positive) if ok),
        "bestF1": mean(a["bestF1"] for a in per_class),
        "ece": mean(a["ece"][2] for a in per_class),
        "prevalenceGuess": mean(np.nanmean(targets[:, c]) for c, ok in enumerate(has_positive) if ok),
    }
    matrix = {
        "n": scores.shape[0],
        "classes": scores.shape[1],
        "scores": scores.ravel(),
        "targets": targets.ravel(),
        "macro": macro,
    }
    write_json("metrics.json", {"thresholds": THRESHOLDS, "bins": BINS, "cases": singles, "matrix": matrix})


if __name__ == "__main__":
    main()
