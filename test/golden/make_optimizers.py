"""PyTorch's float64 answers for optimizer steps on small vectors -> optimizers.json.

Two parameter groups (with and without weight decay, with a tenth of the rate) of 5 and 3 values take 5 steps along given
gradients; with clipping, all gradients of a step are first multiplied by min(1, clipNorm / (norm + 1e-6)). EMA: averages
that begin at the start and follow the third case's parameters, `average = decay * average + (1 - decay) * parameter`.
"""

import numpy as np
import torch
from golden_files import write_json

STEPS = 5
SIZES = (5, 3)


def optimizers():
    adamw = lambda **more: (torch.optim.AdamW, {"betas": (0.9, 0.999), "eps": 1e-8, **more})
    yield "adamw", *adamw(lr=1e-3), None
    yield "adamw", *adamw(lr=1e-2, eps=1e-5), 1.0
    yield "adamw", *adamw(lr=0.1, betas=(0.5, 0.9)), None
    for momentum, nesterov in ((0, False), (0.9, False), (0.9, True)):
        yield "sgd", torch.optim.SGD, {"lr": 0.1, "momentum": momentum, "nesterov": nesterov}, None
    yield "sgd", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}, 1.0


def main():
    random = np.random.default_rng(20260213)
    draw = lambda n, scale: torch.tensor(random.integers(-64, 65, n) / 64 * scale, dtype=torch.float64)
    start = [draw(n, 1) for n in SIZES]
    # From tiny to large; the last step's gradient is zero, so that only decay and momentum move.
    gradients = [[draw(n, scale) for n in SIZES] for scale in (2.0**-10, 1, 4, 0.25, 0)]
    groups = [{"weightDecay": 0.05, "lrScale": 1}, {"weightDecay": 0, "lrScale": 0.1}]
    cases = []
    for name, kind, options, clip_norm in optimizers():
        parameters = [torch.nn.Parameter(p.clone()) for p in start]
        optimizer = kind(
            [
                {"params": [p], "lr": options["lr"] * g["lrScale"], "weight_decay": g["weightDecay"]}
                for p, g in zip(parameters, groups)
            ],
            **options,
        )
        trace = []
        for step in range(STEPS):
            for p, gradient in zip(parameters, gradients[step]):
                p.grad = gradient.clone()
            norm = torch.linalg.vector_norm(torch.cat(gradients[step]))
            if clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
            optimizer.step()
            trace.append({"gradientNorm": norm, "parameters": [p.detach().clone() for p in parameters]})
        parameters_of = {**options, "betas": list(options["betas"])} if "betas" in options else options
        cases.append({"name": name, "options": parameters_of, "clipNorm": clip_norm, "steps": trace})
    ema = []
    for decay in (0, 0.9, 0.9999):
        average = [p.clone() for p in start]
        steps = []
        for step in cases[2]["steps"]:
            average = [decay * a + (1 - decay) * p for a, p in zip(average, step["parameters"])]
            steps.append(average)
        ema.append({"decay": decay, "steps": steps})
    write_json(
        "optimizers.json",
        {"start": start, "gradients": gradients, "groups": groups, "cases": cases, "ema": ema},
    )


if __name__ == "__main__":
    main()
