"""PyTorch's float64 answers for single ops, forward and backward -> ops.json.gz.

Layouts are ours: images [n, h, w, c], convolution weights [kh, kw, c / groups, o], matrices as they are. Inputs are
multiples of 1/64, so float32 holds them exactly. Each case has attributes, inputs, outputs, the gradient arriving at
each output and the gradients leaving at each differentiable input.
"""

import numpy as np
import torch
import torch.nn.functional as F
from golden_files import write_json

random = np.random.default_rng(20260213)


def draw(*shape, scale=2.0):
    """Multiples of 1/64 in [-scale, scale]."""
    steps = int(scale * 64)
    return torch.tensor(random.integers(-steps, steps + 1, shape) / 64, dtype=torch.float64)


def array(tensor):
    return {"shape": list(tensor.shape), "data": tensor.detach().reshape(-1)}


def to_nhwc(x):
    return x.permute(0, 2, 3, 1)


def to_nchw(x):
    return x.permute(0, 3, 1, 2)


def to_oihw(w):
    return w.permute(3, 2, 0, 1)


CASES = []


def case(op, name, attributes, inputs, function, constants=()):
    """Runs function(**inputs) -> outputs by name, and back from random gradients at the differentiable outputs."""
    leaves = {key: value.clone().requires_grad_(key not in constants) for key, value in inputs.items()}
    outputs = function(**leaves)
    arriving = {key: draw(*value.shape) for key, value in outputs.items() if value.requires_grad}
    total = sum((outputs[key] * arriving[key]).sum() for key in arriving)
    total.backward()
    CASES.append(
        {
            "op": op,
            "name": name,
            "attributes": attributes,
            "inputs": {key: array(value) for key, value in inputs.items()},
            "outputs": {key: array(value) for key, value in outputs.items()},
            "outputGradients": {key: array(value) for key, value in arriving.items()},
            "gradients": {key: array(leaf.grad) for key, leaf in leaves.items() if leaf.grad is not None},
        }
    )


def conv(name, x, w, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1, bias=False):
    top, bottom, left, right = padding
    attributes = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}

    def run(x, w, b=None):
        padded = F.pad(to_nchw(x), (left, right, top, bottom))
        return {"y": to_nhwc(F.conv2d(padded, to_oihw(w), b, stride, 0, dilation, groups))}

    inputs = {"x": draw(*x), "w": draw(*w, scale=1.0)}
    if bias:
        inputs["b"] = draw(w[3])
    case("conv2d", name, attributes, inputs, run)


def convolutions():
    conv("1x1", (2, 5, 3, 4), (1, 1, 4, 6))
    conv("1x1 stride 2", (1, 5, 7, 3), (1, 1, 3, 5), stride=(2, 2))
    conv("3x3 same", (2, 7, 5, 3), (3, 3, 3, 4), padding=(1, 1, 1, 1), bias=True)
    conv("3x3 stride 2, even size", (1, 8, 6, 4), (3, 3, 4, 4), stride=(2, 2), padding=(1, 1, 1, 1))
    conv("7x7 stride 2, one channel in", (1, 13, 11, 1), (7, 7, 1, 3), stride=(2, 2), padding=(3, 3, 3, 3))
    conv("dilated", (1, 9, 10, 2), (3, 3, 2, 3), padding=(2, 2, 2, 2), dilation=(2, 2))
    conv("dilated, strided, unequal axes", (1, 11, 9, 2), (3, 2, 2, 3), (2, 1), (2, 2, 1, 1), (3, 2))
    conv("four different sides", (1, 5, 6, 2), (3, 4, 2, 2), (1, 2), (0, 2, 3, 1))
    conv("two groups", (2, 5, 5, 6), (3, 3, 3, 4), padding=(1, 1, 1, 1), groups=2)
    conv("depthwise", (1, 9, 8, 5), (7, 7, 1, 5), padding=(3, 3, 3, 3), groups=5, bias=True)
    conv("depthwise, two filters a channel", (1, 6, 5, 3), (3, 3, 1, 6), (2, 2), (1, 1, 1, 1), groups=3)
    conv("kernel as large as the image", (3, 4, 3, 2), (4, 3, 2, 5))
    conv("kernel larger than the image", (1, 2, 2, 2), (5, 5, 2, 2), padding=(2, 2, 2, 2))
    conv("stride larger than the kernel", (1, 9, 9, 2), (2, 2, 2, 2), stride=(3, 4))


def matrices():
    for transpose_a in (False, True):
        for transpose_b in (False, True):
            a, b = (5, 7), (7, 3)
            case(
                "matmul",
                f"transposeA {transpose_a}, transposeB {transpose_b}",
                {"transposeA": transpose_a, "transposeB": transpose_b},
                {"a": draw(*(a[::-1] if transpose_a else a)), "b": draw(*(b[::-1] if transpose_b else b))},
                lambda a, b: {"y": (a.T if transpose_a else a) @ (b.T if transpose_b else b)},
            )


def normalisations():
    for name, shape in (("image", (2, 3, 5, 4)), ("one position", (5, 1, 1, 3)), ("offset 100", (2, 3, 3, 2))):
        momentum, eps, c = 0.1, 1e-5, shape[3]
        mean, variance = draw(c), draw(c).abs() + 0.5

        def train(x, gamma, beta):
            # batch_norm updates these in place: the outputs are what they become.
            running_mean, running_variance = mean.clone(), variance.clone()
            y = F.batch_norm(to_nchw(x), running_mean, running_variance, gamma, beta, True, momentum, eps)
            return {"y": to_nhwc(y), "runningMean": running_mean, "runningVariance": running_variance}

        def evaluate(x, gamma, beta):
            return {"y": to_nhwc(F.batch_norm(to_nchw(x), mean, variance, gamma, beta, False, momentum, eps))}

        x = draw(*shape) + (100 if name == "offset 100" else 0)
        inputs = {"x": x, "gamma": draw(c), "beta": draw(c)}
        attributes = {"epsilon": eps, "momentum": momentum, "runningMean": mean, "runningVariance": variance}
        case("batchNorm", name, attributes, inputs, train)
        case("batchNormInference", name, attributes, inputs, evaluate)
    for name, shape in (("image", (2, 3, 2, 5)), ("tokens", (4, 7)), ("one row", (1, 9))):
        c, eps = shape[-1], 1e-6
        case(
            "layerNorm",
            name,
            {"epsilon": eps},
            {"x": draw(*shape), "gamma": draw(c), "beta": draw(c)},
            lambda x, gamma, beta: {"y": F.layer_norm(x, (c,), gamma, beta, eps)},
        )


def activations():
    x = torch.cat([draw(4, 9, scale=8.0), torch.tensor([[0.0, -0.0, 20, -20, 60, -60, 1, -1, 0.5]]).double()])
    functions = {
        "relu": F.relu,
        "sigmoid": torch.sigmoid,
        "gelu": lambda v: F.gelu(v),
        "geluTanh": lambda v: F.gelu(v, approximate="tanh"),
        "softmax": lambda v: F.softmax(v, -1),
    }
    for op, function in functions.items():
        case(op, "-60 to 60", {}, {"x": x}, lambda x: {"y": function(x)})


def pooling():
    def pool(op, name, shape, kernel, stride, padding, function, step=64, **more):
        attributes = {"kernel": kernel, "stride": stride, "padding": [padding[0]] * 2 + [padding[1]] * 2, **more}
        x = torch.round(draw(*shape) * step) / step
        case(op, name, attributes, {"x": x}, lambda x: {"y": to_nhwc(function(to_nchw(x)))})

    def max_pool(name, shape, kernel, stride, padding, step=64):
        run = lambda x: F.max_pool2d(x, kernel, stride, padding)
        pool("maxPool", name, shape, kernel, stride, padding, run, step)

    def avg_pool(name, shape, kernel, stride, padding, include, ceil=False):
        run = lambda x: F.avg_pool2d(x, kernel, stride, padding, ceil, include)
        pool("avgPool", name, shape, kernel, stride, padding, run, countIncludePad=include, ceilMode=ceil)

    max_pool("ResNet's stem", (1, 9, 12, 3), (3, 3), (2, 2), (1, 1))
    max_pool("no overlap", (2, 6, 4, 2), (2, 2), (2, 2), (0, 0))
    max_pool("a row and a column left over", (1, 7, 9, 2), (2, 2), (2, 2), (0, 0))
    max_pool("unequal axes", (1, 7, 8, 2), (3, 2), (1, 3), (1, 0))
    # PyTorch sends the gradient of a tie to the first of the window in row-major order.
    max_pool("ties", (1, 7, 7, 2), (3, 3), (2, 2), (1, 1), step=0.5)
    for include in (True, False):
        avg_pool(f"padded, counting padding: {include}", (2, 7, 6, 3), (3, 3), (2, 2), (1, 1), include)
        avg_pool(f"unequal axes, counting padding: {include}", (1, 5, 9, 2), (2, 4), (1, 3), (1, 2), include)
        avg_pool(f"ceil mode, counting padding: {include}", (1, 6, 9, 2), (3, 3), (2, 4), (1, 1), include, ceil=True)
    avg_pool("ResNet-D's", (2, 7, 4, 4), (2, 2), (2, 2), (0, 0), False, ceil=True)
    case("globalAvgPool", "odd size", {}, {"x": draw(3, 5, 3, 4)}, lambda x: {"y": x.mean((1, 2))})


def main():
    convolutions()
    matrices()
    normalisations()
    activations()
    pooling()
    write_json("ops.json.gz", {"cases": CASES}, digits=12)


if __name__ == "__main__":
    main()
