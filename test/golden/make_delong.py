"""Areas under the ROC curve with DeLong's and Obuchowski's covariances -> delong.json.

`cases` are answered straight from the formulas: every positive beside every negative, in float64, no ranks. Where each patient
has one image, R's pROC (Debian's r-cran-proc; Robin et al. 2011, doi:10.1186/1471-2105-12-77) answers, too.
"""

import json
import subprocess

import numpy as np
from golden_files import write_json
from scipy.stats import norm

# scores and targets by stdin, a row an image; what pROC says of them as JSON
PROC = """
suppressMessages(library(pROC))
d <- read.csv(file("stdin"))
of <- function(scores) roc(d$target, scores, levels = c(0, 1), direction = "<", quiet = TRUE)
a <- of(d$first); b <- of(d$second)
t <- roc.test(a, b, method = "delong", paired = TRUE)
say <- function(x) paste(format(as.numeric(x), digits = 17), collapse = ",")
cat(sprintf('{"variance":%s,"covariance":%s,"interval":[%s],"z":%s,"p":%s}', say(var(a, method = "delong")),
    say(cov(a, b, method = "delong")), say(ci.auc(a, method = "delong")), say(t$statistic), say(t$p.value)))
"""


def proc(first, second, targets):
    known = ~np.isnan(targets)
    rows = [f"{x!r},{y!r},{int(t)}" for x, y, t in zip(first[known].tolist(), second[known].tolist(), targets[known])]
    text = "\n".join(["first,second,target", *rows])
    run = subprocess.run(["Rscript", "-e", PROC], input=text, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def components(scores, targets, owner):
    """Obuchowski 1997: the area, and for each patient the sums of its positives' and its negatives' components."""
    known = ~np.isnan(targets)
    scores, targets, owner = scores[known], targets[known], owner[known]
    x, y = scores[targets == 1], scores[targets == 0]
    wins = (x[:, None] > y[None]) + 0.5 * (x[:, None] == y[None])
    area = wins.mean()
    ids, owner = np.unique(owner, return_inverse=True)
    count = len(ids)
    of = lambda rows, values: np.bincount(owner[rows], values - area, minlength=count)
    positive, negative = of(targets == 1, wins.mean(1)), of(targets == 0, wins.mean(0))
    having = lambda rows: len(np.unique(owner[rows]))
    return area, positive, negative, (len(x), len(y)), (having(targets == 1), having(targets == 0), count)


def covariance(a, b):
    _, xa, ya, (m, n), (with_positive, with_negative, count) = a
    _, xb, yb, _, _ = b
    s10 = with_positive / ((with_positive - 1) * m) * np.sum(xa * xb)
    s01 = with_negative / ((with_negative - 1) * n) * np.sum(ya * yb)
    s11 = count / (count - 1) * np.sum(xa * yb)
    s11_other = count / (count - 1) * np.sum(xb * ya)
    return s10 / m + s01 / n + s11 / (m * n) + s11_other / (m * n)


def answer(owner, first, second, targets):
    a, b = components(first, targets, owner), components(second, targets, owner)
    variance = covariance(a, a)
    error = np.sqrt(variance)
    logit = np.log(a[0] / (1 - a[0])) + norm.ppf([0.025, 0.975]) * error / (a[0] * (1 - a[0]))
    difference = b[0] - a[0]
    error = np.sqrt(variance + covariance(b, b) - 2 * covariance(a, b))
    return {
        "auroc": a[0],
        "variance": variance,
        "covariance": covariance(a, b),
        "interval": 1 / (1 + np.exp(-logit)),
        "difference": difference,
        "differenceInterval": difference + norm.ppf([0.025, 0.975]) * error,
        "p": 2 * norm.sf(abs(difference) / error),
    }


def cohort(seed, patients, most_images, steps, unknown):
    """Images of a patient share part of their score; some patients have images with and without the finding."""
    r = np.random.default_rng(seed)
    owner = np.repeat(np.arange(patients), r.integers(1, most_images + 1, patients))
    n = len(owner)
    targets = (r.random(n) < 0.1 + 0.4 * (r.random(patients) < 0.4)[owner]).astype(float)
    shared = r.normal(0, 0.7, patients)[owner] + targets
    scores = [np.round((shared + r.normal(0, 0.7, n)) * steps) / steps for _ in range(2)]
    targets[r.random(n) < unknown] = np.nan
    return owner, scores[0], scores[1], targets


def main():
    cases = []
    for name, *settings in [
        ("one image a patient", 1, 60, 1, 1e6, 0),
        ("one image a patient, many ties", 2, 60, 1, 2, 0.1),
        ("several images a patient", 3, 50, 4, 1e6, 0),
        ("several images a patient, ties and unknown labels", 4, 70, 5, 3, 0.1),
    ]:
        owner, first, second, targets = cohort(*settings)
        cases.append(
            {
                "name": name,
                "patients": owner,
                "first": first,
                "second": second,
                "targets": targets,
                **answer(owner, first, second, targets),
                "proc": proc(first, second, targets) if len(set(owner)) == len(owner) else None,
            }
        )
    write_json("delong.json", {"cases": cases})


if __name__ == "__main__":
    main()
