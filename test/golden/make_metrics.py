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
    brier_score_loss,
    f1_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)
from sklearn.metrics._ranking import _binary_clf_curve

THRESHOLDS = [0.0, 0.25, 0.5, 0.9]
BINS = [1, 10, 15]
SPECIFICITIES = [0, 0.5, 0.9, 0.95, 1]


def expected_calibration_error(y, p, bins, strategy="uniform"):
    """Counts and means by calibration_curve's own rule (searchsorted on the inner edges)."""
    shares = np.linspace(0, 1, bins + 1)
    edges = shares if strategy == "uniform" else np.percentile(p, shares * 100)
    index = np.searchsorted(edges[1:-1], p)
    rates, means = calibration_curve(y, p, n_bins=bins, strategy=strategy)
    counts = np.bincount(index, minlength=bins)
    counts = counts[counts > 0]
    return float(np.sum(counts / counts.sum() * np.abs(rates - means)))


def sensitivity_at(y, s, specificity):
    """The best of roc_curve's thresholds (all of them, without interpolation), from its counts of false positives."""
    false, true, _ = _binary_clf_curve(y, s)
    false, true = np.r_[0, false], np.r_[0, true]
    negatives = false[-1]
    return float(true[(negatives - false) / negatives >= specificity].max() / true[-1])


def answers(scores, targets, with_curves):
    known = ~np.isnan(targets)
    s, y = scores[known], targets[known].astype(int)
    out = {"ap": None, "auroc": None, "f1": None, "bestF1": None, "ece": None}
    out.update({"eceMass": None, "brier": None, "sensitivity": None})
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
        out["sensitivity"] = [sensitivity_at(y, s, specificity) for specificity in SPECIFICITIES]
        if with_curves:
            fpr, tpr, thresholds = roc_curve(y, s, drop_intermediate=False)
            # The first threshold is max + 1 in scikit-learn 1.2 and infinity later: left out.
            out["roc"] = {"thresholds": thresholds[1:], "falsePositiveRate": fpr, "truePositiveRate": tpr}
    if s.min() >= 0 and s.max() <= 1:
        out["ece"] = [expected_calibration_error(y, s, b) for b in BINS]
        out["eceMass"] = [expected_calibration_error(y, s, b, "quantile") for b in BINS]
        # asks for both outcomes, which the mean of squares has no need of
        out["brier"] = brier_score_loss(y, s, pos_label=1) if 0 < y.sum() < len(y) else float(np.mean((s - y) ** 2))
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


def averages(scores, targets, thresholds):
    """Macro, micro and weighted averages as measureScores() must give them; classes without a metric are left out."""
    classes = range(scores.shape[1])
    known = [~np.isnan(targets[:, c]) for c in classes]
    columns = [(targets[k, c].astype(int), scores[k, c], c) for c, k in zip(classes, known)]
    support = np.array([y.sum() for y, _, _ in columns])
    pooled = ~np.isnan(targets)
    y_all, s_all = targets[pooled].astype(int), scores[pooled]
    called = lambda limits: (scores >= limits)[pooled].astype(int)
    always = lambda y: True
    positive = lambda y: y.any()
    both = lambda y: y.any() and not y.all()
    f1 = lambda y, calls: f1_score(y, calls, zero_division=0)
    metrics = {
        "ap": (positive, lambda y, s, c: average_precision_score(y, s), None),
        "auroc": (both, lambda y, s, c: roc_auc_score(y, s), None),
        "f1": (positive, lambda y, s, c: f1(y, s >= 0.5), f1(y_all, called(np.full(len(classes), 0.5)))),
        "fittedF1": (positive, lambda y, s, c: f1(y, s >= thresholds[c]), f1(y_all, called(thresholds))),
        "brier": (always, lambda y, s, c: float(np.mean((s - y) ** 2)), None),
        "ece": (always, lambda y, s, c: expected_calibration_error(y, s, 15), None),
        "eceMass": (always, lambda y, s, c: expected_calibration_error(y, s, 15, "quantile"), None),
        "sensitivity90": (both, lambda y, s, c: sensitivity_at(y, s, 0.9), None),
        "sensitivity95": (both, lambda y, s, c: sensitivity_at(y, s, 0.95), None),
    }
    out = {}
    for name, (defined, measure, micro) in metrics.items():
        values = {c: measure(y, s, c) for y, s, c in columns if defined(y)}
        have = list(values)
        out[name] = {
            "macro": float(np.mean(list(values.values()))),
            "weighted": float(np.average(list(values.values()), weights=support[have])),
            "micro": measure(y_all, s_all, None) if micro is None else micro,
        }
    return out


def complete_case():
    """No label unknown and no class without either outcome: scikit-learn averages this by itself."""
    r = np.random.default_rng(11)
    n, prevalences = 150, [0.5, 0.2, 0.06, 0.03]
    targets = np.stack([(r.random(n) < p).astype(float) for p in prevalences], 1)
    scores = np.round(np.clip(0.55 * r.random(targets.shape) + 0.3 * targets, 0, 1), 2)
    thresholds = np.array([0.45, 0.5, 0.6, 0.41])
    expected = averages(scores, targets, thresholds)
    y = targets.astype(int)
    for average in ("macro", "micro", "weighted"):
        own = {
            "ap": average_precision_score(y, scores, average=average),
            "auroc": roc_auc_score(y, scores, average=average),
            "f1": f1_score(y, scores >= 0.5, average=average),
            "fittedF1": f1_score(y, scores >= thresholds, average=average),
        }
        for name, value in own.items():
            assert abs(value - expected[name][average]) < 1e-14, (name, average)
            expected[name][average] = value
    return scores, targets, thresholds, expected


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
    fitted = np.array([0.4, 0.45, 0.5, 0.35, 0.5, 0.6])
    averaged = [("classes of every kind", scores, targets, fitted, averages(scores, targets, fitted))]
    averaged.append(("averaged by scikit-learn itself", *complete_case()))
    write_json(
        "metrics.json",
        {
            "thresholds": THRESHOLDS,
            "bins": BINS,
            "specificities": SPECIFICITIES,
            "cases": singles,
            "matrix": matrix,
            "averaged": [
                {
                    "name": name,
                    "n": scores.shape[0],
                    "classes": scores.shape[1],
                    "scores": scores.ravel(),
                    "targets": targets.ravel(),
                    "thresholds": thresholds,
                    "expected": expected,
                }
                for name, scores, targets, thresholds, expected in averaged
            ],
        },
    )


if __name__ == "__main__":
    main()
