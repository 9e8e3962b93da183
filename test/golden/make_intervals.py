"""scipy's BCa bootstrap intervals of scikit-learn's metrics over patients, with all that leads to them -> intervals.json.

Patients are what scipy draws: the statistic gets their numbers and measures all their images. `draws` are those of a
short bootstrap, to be fed to our own code; `many` is the interval of a long one, to be met within its own chance.
"""

import numpy as np
from golden_files import write_json
from scipy.special import ndtr, ndtri
from scipy.stats import bootstrap
from scipy.stats._resampling import _bca_interval, _percentile_of_score
from make_metrics import sensitivity_at
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

FEW, MANY = 999, 4999
METRICS = {
    "mAP": average_precision_score,
    "auroc": roc_auc_score,
    "brier": brier_score_loss,
    "sensitivity@0.9": lambda y, s: sensitivity_at(y, s, 0.9),
}


def cohort(seed, patients, prevalences, signal, steps):
    """Scores [n, classes] and targets of patients with one to three images; a patient's images share their labels."""
    r = np.random.default_rng(seed)
    owner = np.repeat(np.arange(patients), r.integers(1, 4, patients))
    targets = np.stack([(r.random(patients) < p).astype(float) for p in prevalences], 1)[owner]
    scores = 0.6 * r.random(targets.shape) + signal * targets
    return owner, np.round(np.clip(scores, 0, 1) * steps) / steps, targets


def average(kind, measure, targets, scores):
    """Over classes, as scikit-learn's `average=`."""
    if kind == "micro":
        return measure(targets.ravel(), scores.ravel())
    values = [measure(targets[:, c], scores[:, c]) for c in range(targets.shape[1])]
    return np.average(values, weights=targets.sum(0) if kind == "weighted" else None)


def answer(metric, kind, owner, scores, targets):
    rows = [np.flatnonzero(owner == patient) for patient in range(owner.max() + 1)]
    measure = METRICS[metric]

    def statistic(drawn):
        images = np.concatenate([rows[int(patient)] for patient in drawn])
        assert targets[images].any(0).all(), "a draw without positives: take another seed"
        return average(kind, measure, targets[images], scores[images])

    everyone = np.arange(len(rows))
    run = lambda count: bootstrap(
        (everyone,), statistic, n_resamples=count, method="BCa", vectorized=False, random_state=1
    )
    few, many = run(FEW), run(MANY)
    draws = few.bootstrap_distribution
    estimate = statistic(everyone)
    along = lambda data, axis: np.apply_along_axis(statistic, axis, data)
    low_share, high_share, a = _bca_interval((everyone,), along, -1, 0.025, draws, None)
    return {
        "estimate": estimate,
        "draws": draws,
        "jackknife": [statistic(np.delete(everyone, i)) for i in everyone],
        "z0": float(ndtri(_percentile_of_score(draws, np.array(estimate)[None], -1)[()])),
        "acceleration": float(a),
        "shares": [float(low_share), float(high_share)],
        "interval": list(few.confidence_interval),
        "many": list(many.confidence_interval),
    }


def main():
    cases = []
    for name, metric, kind, seed, patients, prevalences, signal, steps in [
        ("average precision of a rare finding", "mAP", "macro", 1, 150, [0.12], 0.25, 1e6),
        ("AUROC with many ties", "auroc", "macro", 2, 80, [0.2], 0.2, 8),
        ("macro mAP", "mAP", "macro", 3, 90, [0.3, 0.12, 0.5], 0.15, 1e6),
        ("micro AP", "mAP", "micro", 4, 90, [0.3, 0.2, 0.5], 0.15, 1e6),
        ("weighted AP", "mAP", "weighted", 5, 90, [0.3, 0.25, 0.5], 0.15, 1e6),
        ("macro Brier score", "brier", "macro", 6, 80, [0.3, 0.25], 0.2, 1e6),
        ("sensitivity at a specificity of 0.9", "sensitivity@0.9", "macro", 7, 120, [0.3], 0.2, 1e6),
    ]:
        owner, scores, targets = cohort(seed, patients, prevalences, signal, steps)
        cases.append(
            {
                "name": name,
                "metric": metric,
                "average": kind,
                "n": len(owner),
                "classes": len(prevalences),
                "patients": owner,
                "scores": scores.ravel(),
                "targets": targets.ravel(),
                **answer(metric, kind, owner, scores, targets),
            }
        )
    deviates = np.array([-6.5, -3, -1.96, -0.5, 0, 0.1, 1, 2.5, 4])
    shares = np.array([1e-6, 0.001, 0.025, 0.3, 0.5, 0.84, 0.975, 0.9999])
    normal = {"deviates": deviates, "cdf": ndtr(deviates), "shares": shares, "quantiles": ndtri(shares)}
    write_json("intervals.json", {"normal": normal, "cases": cases})


if __name__ == "__main__":
    main()
