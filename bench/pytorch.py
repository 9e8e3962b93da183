"""PyTorch's turns in tailray's benchmark: a process that waits for its turn, so that it can take part in the rounds.

Its argument is `cpu` or `cuda`, the place where it computes.

It reads a JSON object a line and answers each with one, in order:

    {"prepare": {...}}  the work, see `prepare`        {"ready": true}
    {"round": n}        do the work n times            {"done": true}
    {"results": PATH}   write them as raw f32          {"sizes": [...]}

Anything that goes wrong is answered with {"error": "..."}.
"""

import json
import os
import re
import sys

import numpy
import torch
import torch.nn.functional as F


DEVICE = sys.argv[1] if len(sys.argv) > 1 else "cpu"


def read(path, shapes):
    """Tensors that lie one after another in a file of raw f32, in this order."""
    values = torch.from_numpy(numpy.fromfile(path, dtype=numpy.float32))
    sizes = [int(numpy.prod(shape)) for shape in shapes]
    return [part.reshape(shape).clone().to(DEVICE) for part, shape in zip(values.split(sizes), shapes)]


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


# timm's names of a vision transformer's tensors, and torchvision's
VISION_TRANSFORMER = [
    (r"^cls_token$", "class_token"),
    (r"^pos_embed$", "encoder.pos_embedding"),
    (r"^patch_embed\.proj\.", "conv_proj."),
    (r"^blocks\.(\d+)\.", r"encoder.layers.encoder_layer_\1."),
    (r"\.norm1\.", ".ln_1."),
    (r"\.norm2\.", ".ln_2."),
    (r"\.attn\.qkv\.", ".self_attention.in_proj_"),
    (r"\.attn\.proj\.", ".self_attention.out_proj."),
    (r"\.mlp\.fc1\.", ".mlp.0."),
    (r"\.mlp\.fc2\.", ".mlp.3."),
    (r"^norm\.", "encoder.ln."),
    (r"^head\.", "heads.head."),
]


def torchvision_name(model, name):
    for pattern, replacement in VISION_TRANSFORMER if model.startswith("vit_") else []:
        name = re.sub(pattern, replacement, name)
    return name


def load_model(given, path, shapes):
    """A torchvision model with the given weights."""
    import torchvision

    names = [torchvision_name(given["model"], name) for name in given["parameters"] + given["statistics"]]
    tensors = dict(zip(names, read(path, shapes)))
    model = getattr(torchvision.models, given["model"])(num_classes=given["classes"])
    state = model.load_state_dict(tensors, strict=False)
    wrong = [name for name in state.missing_keys if not name.endswith("num_batches_tracked")]
    if wrong or state.unexpected_keys:
        raise ValueError(f"no values for {wrong}, no use for {state.unexpected_keys}")
    return model.to(DEVICE)


def forward_pass(given, path, shapes):
    """Logits of a torchvision model in evaluation mode."""
    model = load_model(given, path, shapes).eval()
    (images,) = read(given["batch"], given["batchShapes"])

    def once():
        with torch.no_grad():
            return [model(images)]

    return once


def training_step(step, path, shapes):
    """A step of AdamW, for a torchvision model; gives the loss of the step."""
    model = load_model(step, path, shapes).train()
    images, targets = read(step["batch"], step["batchShapes"])
    loss_of = {"bce": F.binary_cross_entropy_with_logits, "cross-entropy": F.cross_entropy}[step["loss"]]
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": step["weightDecay"]}, {"params": others, "weight_decay": 0}],
        lr=step["learningRate"],
    )

    def once():
        optimizer.zero_grad()
        loss = loss_of(model(images), targets)
        loss.backward()
        optimizer.step()
        return [loss.detach().reshape(1)]

    return once


def prepare(work):
    if "step" in work:
        return training_step(work["step"], work["operands"], work["shapes"])
    if "forward" in work:
        return forward_pass(work["forward"], work["operands"], work["shapes"])
    return expression(work["expression"], work["operands"], work["shapes"])


def main():
    torch.set_num_threads(os.cpu_count() or 1)
    if DEVICE == "cuda":
        # the others compute in f32, and PyTorch would round a convolution's operands to 10 bits
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
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
                if DEVICE == "cuda":
                    torch.cuda.synchronize()
                answer = {"done": True}
            else:
                arrays = [result.detach().contiguous().cpu().numpy().astype(numpy.float32) for result in results]
                with open(message["results"], "wb") as file:
                    for array in arrays:
                        array.tofile(file)
                answer = {"sizes": [int(array.size) for array in arrays]}
        except Exception as error:  # the other side decides what it means
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if DEVICE == "cuda" and not torch.cuda.is_available():
    print(json.dumps({"error": "PyTorch finds no CUDA device"}), flush=True)
    sys.exit(1)
named = f", {torch.cuda.get_device_name(0)}" if DEVICE == "cuda" else ""
print(json.dumps({"version": torch.__version__ + named}), flush=True)
main()
