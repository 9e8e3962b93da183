"""PyTorch's turns in tailray's benchmark: a process that waits for its turn, so that it can take part in the rounds.

It reads a JSON object a line and answers each with one, in order:

    {"prepare": {...}}  the work, see `prepare`        {"ready": true}
    {"round": n}        do the work n times            {"done": true}
    {"results": PATH}   write them as raw f32          {"sizes": [...]}

Anything that goes wrong is answered with {"error": "..."}.
"""

import json
import os
import sys

import numpy
import torch
import torch.nn.functional as F


def read(path, shapes):
    """Tensors that lie one after another in a file of raw f32, in this order."""
    values = torch.from_numpy(numpy.fromfile(path, dtype=numpy.float32))
    sizes = [int(numpy.prod(shape)) for shape in shapes]
    return [part.reshape(shape).clone() for part, shape in zip(values.split(sizes), shapes)]


def expression(code, path, shapes):
    """Work given as a Python expression over the operands x0, x1…"""
    names = {f"x{i}": tensor for i, tensor in enumerate(read(path, shapes))}
    compiled = compile(code, "<workload>", "eval")
    scope = {"torch": torch, "F": F, **names}

    def once():
        with torch.no_grad():
            result = eval(compiled, scope)
        return result if isinstance(result, (list, tuple)) else [result]

    return once


def training_step(step, path, shapes):
    """A step of AdamW on binary cross-entropy, for a torchvision model; gives the loss of the step."""
    import torchvision

    names = step["parameters"] + step["statistics"]
    tensors = dict(zip(names, read(path, shapes)))
    images, targets = read(step["batch"], step["batchShapes"])
    model = getattr(torchvision.models, step["model"])(num_classes=targets.shape[1])
    missing = model.load_state_dict(tensors, strict=False).missing_keys
    wrong = [name for name in missing if not name.endswith("num_batches_tracked")]
    if wrong:
        raise ValueError(f"no values for {wrong}")
    model.train()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": step["weightDecay"]}, {"params": others, "weight_decay": 0}],
        lr=step["learningRate"],
    )

    def once():
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(images), targets)
        loss.backward()
        optimizer.step()
        return [loss.detach().reshape(1)]

    return once


def prepare(work):
    if "step" in work:
        return training_step(work["step"], work["operands"], work["shapes"])
    return expression(work["expression"], work["operands"], work["shapes"])


def main():
    torch.set_num_threads(os.cpu_count() or 1)
    once, results = None, []
    for line in sys.stdin:
        try:
            message = json.loads(line)
            if "prepare" in message:
                once = prepare(message["prepare"])
                answer = {"ready": True}
            elif "round" in message:
                for _ in range(message["round"]):
                    results = once()
                answer = {"done": True}
            else:
                arrays = [result.contiguous().numpy().astype(numpy.float32) for result in results]
                with open(message["results"], "wb") as file:
                    for array in arrays:
                        array.tofile(file)
                answer = {"sizes": [int(array.size) for array in arrays]}
        except Exception as error:  # the other side decides what it means
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


print(json.dumps({"version": torch.__version__}), flush=True)
main()
