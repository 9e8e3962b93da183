"""Files as torch.save writes them, and the tensors that are in them: torch-files/*.pt, torch-files.json.

The reader of src/weights/torch-file must find the same names, dtypes, shapes and values. Values of half and bfloat16
tensors are kept as their bit patterns, those of int64 as texts.
"""

import collections
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch  # noqa: E402
from golden_files import HERE, write_json  # noqa: E402

FOLDER = HERE / "torch-files"
DTYPES = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def values(tensor):
    flat = tensor.detach().contiguous().reshape(-1)
    if tensor.dtype in (torch.float16, torch.bfloat16):
        return [bits & 0xFFFF for bits in flat.view(torch.int16).tolist()]
    if tensor.dtype == torch.int64:
        return [str(value) for value in flat.tolist()]
    if tensor.dtype == torch.bool:
        return [int(value) for value in flat.tolist()]
    return flat.tolist()


def arange(*shape, dtype=torch.float32, start=0):
    count = 1
    for size in shape:
        count *= size
    return (torch.arange(count, dtype=torch.float64) * 0.5 + start).to(dtype).reshape(shape)


def dtypes():
    result = {name: arange(2, 3, dtype=dtype, start=-1) for dtype, name in DTYPES.items() if name not in ("BOOL", "U8")}
    result["U8"] = arange(3, dtype=torch.uint8, start=250)
    result["BOOL"] = torch.tensor([True, False, True])
    result["int64.large"] = torch.tensor([2**62, -(2**62), -1])
    result["special"] = torch.tensor([float("inf"), -0.0, 1e-45, 3.4e38])
    result["half.special"] = torch.tensor([65504.0, 6e-8, -0.0, float("-inf")], dtype=torch.float16)
    return result


def views():
    base = arange(4, 6)
    cube = arange(2, 3, 4, start=100)
    return {
        "whole": base,
        "transposed": base.t(),
        "row": base[2],
        "column": base[:, 3],
        "block": base[1:3, 2:5],
        "every.second": base[::2, 1::2],
        "expanded": base[:1].expand(3, 6),
        "diagonal": base.diagonal(),
        "permuted": cube.permute(2, 0, 1),
        "tied": cube,
        "windows": arange(10, start=7).unfold(0, 4, 3),
        "channels.last": arange(2, 3, 2, 2).contiguous(memory_format=torch.channels_last),
    }


def empty_and_scalars():
    return {
        "empty": torch.empty(0),
        "empty.matrix": torch.empty(3, 0, 2),
        "empty.slice": arange(5)[5:],
        "scalar": torch.tensor(2.5),
        "scalar.int64": torch.tensor(7),
        "scalar.view": arange(5)[3],
    }


def network():
    return torch.nn.Sequential(
        collections.OrderedDict(
            conv=torch.nn.Conv2d(1, 2, 3),
            norm=torch.nn.BatchNorm2d(2),
            fc=torch.nn.Linear(2, 3),
        )
    )


def training():
    """As training scripts save: the optimizer, numbers and texts beside the model."""
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss = sum(parameter.square().sum() for parameter in model.parameters())
    loss.backward()
    optimizer.step()
    return {
        "epoch": 3,
        "best": 0.125,
        "arch": "tïny",
        "done": True,
        "seed": 2**40,
        "none": None,
        "history": [1.0, 2.0, (3, 4, 5, 6)],
        "state_dict": collections.OrderedDict((f"module.{name}", value) for name, value in model.state_dict().items()),
        "optimizer": optimizer.state_dict(),
    }


def main():
    torch.manual_seed(5)
    FOLDER.mkdir(exist_ok=True)
    trained = training()
    average = {name: value * 0.5 for name, value in network().state_dict().items()}
    shared = arange(82)
    plain = {"a.weight": arange(2, 2), "a.bias": arange(2, start=9)}
    #: file: (what is saved, what of it the reader takes, arguments of torch.save)
    files = {
        "dtypes": (dtypes(), None, {}),
        "views": (views(), None, {}),
        "empty": (empty_and_scalars(), None, {}),
        "network": (network().state_dict(), None, {}),
        "parameters": (dict(network().named_parameters()), None, {}),
        "training": (trained, trained["state_dict"], {}),
        "model-and-ema": ({"ema": average, "model": plain}, plain, {}),
        "model-state-dict": ({"model_state_dict": plain}, plain, {}),
        "ema": ({"step": 1, "ema": {"module": average}}, average, {}),
        "protocol-3": (plain, None, {"pickle_protocol": 3}),
        "protocol-4": (network().state_dict(), None, {"pickle_protocol": 4}),
        "protocol-5": (views(), None, {"pickle_protocol": 5}),
        "many": ({f"block.{i}.weight": shared[i : i + 3] for i in range(80)}, None, {}),
        "legacy": (plain, None, {"_use_new_zipfile_serialization": False}),
    }
    content = {}
    for name, (saved, taken, arguments) in files.items():
        torch.save(saved, FOLDER / f"{name}.pt", **arguments)
        tensors = saved if taken is None else taken
        content[name] = {
            key: {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "values": texts(values(tensor))}
            for key, tensor in tensors.items()
        }
    write_json("torch-files.json", content)
    print(sum(path.stat().st_size for path in FOLDER.iterdir()), "bytes of files")


def texts(numbers):
    """Infinities and negative zeros as texts that JavaScript's Number() takes."""
    special = {"inf": "Infinity", "-inf": "-Infinity", "-0.0": "-0"}
    return [special.get(str(number), number) for number in numbers]


if __name__ == "__main__":
    main()
