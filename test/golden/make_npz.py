"""numpy's .npz files and what is in them -> npz.json.gz: MedMNIST's layouts, every type of number, what must be refused."""

import base64
import io
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
from golden_files import write_json  # noqa: E402

TYPES = ["|b1", "|u1", "|i1", "<u2", ">u2", "<i2", ">i2", "<u4", ">i4", "<i8", ">i8", "<u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]


def packed(save, arrays):
    stream = io.BytesIO()
    save(stream, **arrays)
    return base64.b64encode(stream.getvalue()).decode()


def pictures(count, *shape, dtype=np.uint8):
    i = np.arange(count * int(np.prod(shape)), dtype=np.uint64)
    return ((i * 7919 + i // 13 * 104729) % np.iinfo(dtype).max).astype(dtype).reshape(count, *shape)


def medmnist(labels, *shape, dtype=np.uint8):
    arrays = {}
    for part, count in (("train", 12), ("val", 5), ("test", 6)):
        arrays[f"{part}_images"] = pictures(count + len(part), *shape, dtype=dtype)[len(part):]
        arrays[f"{part}_labels"] = labels(count)
    return arrays


def multi_label(count):
    return ((np.arange(count * 3) * 5 % 7) < 3).astype(np.uint8).reshape(count, 3)


def class_numbers(count):
    return (np.arange(count) * 3 % 4).astype(np.int64).reshape(count, 1)


def data_set(name, save, arrays):
    return {
        "name": name,
        # an array that nobody asked for, named as no message must say
        "data": packed(save, {**arrays, "Ztestov^Quirinius": np.array(["PID-ZQ4711"])}),
        "arrays": {key: {"shape": list(value.shape), "values": value.astype(np.int64).ravel()} for key, value in arrays.items()},
    }


def numbers():
    arrays = {}
    for name in TYPES:
        dtype = np.dtype(name)
        values = [0, 1, 1, 0, 1] if dtype.kind == "b" else [0, 1, 2, 100, 127]
        if dtype.kind == "i":
            values += [-1, -128, np.iinfo(dtype).max if dtype.itemsize < 8 else 2**52]
        if dtype.kind == "u":
            values += [255, np.iinfo(dtype).max if dtype.itemsize < 8 else 2**53]
        if dtype.kind == "f":
            values += [-0.5, 65504, 6e-8, 1 / 3]
        arrays[f"{dtype.kind}{dtype.itemsize}{'be' if name[0] == '>' else ''}"] = np.array(values).astype(dtype)
    arrays["scalar"] = np.float64(7)
    arrays["empty"] = np.zeros((0, 4), dtype=np.int32)
    arrays["cube"] = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    return arrays


def by_version(version):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, np.arange(5, dtype=np.int32), version=version)
    return base64.b64encode(stream.getvalue()).decode()


REFUSED = {
    "Fortran order": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "Python objects": np.array([{}, None], dtype=object),
    "another type (complex)": np.array([1j]),
    "another type (text)": np.array(["abc"]),
    "another type (fields)": np.zeros(2, dtype=[("x", "<i4"), ("y", "<f4")]),
    "another type (dates)": np.array(["2020-01-01"], dtype="datetime64[D]"),
}


def main():
    exact = numbers()
    write_json(
        "npz.json.gz",
        {
            "dataSets": [
                data_set("several labels, deflated", np.savez_compressed, medmnist(multi_label, 8, 9)),
                data_set("class numbers, stored, colour", np.savez, medmnist(class_numbers, 6, 7, 3)),
                data_set("class numbers, 16 bits", np.savez_compressed, medmnist(class_numbers, 5, 8, dtype=np.dtype(">u2"))),
            ],
            "numbers": {
                "data": packed(np.savez, exact),
                "arrays": {key: {"shape": list(np.shape(value)), "values": np.ravel(value).tolist()} for key, value in exact.items()},
            },
            "versions": [{"version": list(version), "data": by_version(version)} for version in ((1, 0), (2, 0), (3, 0))],
            "refused": [{"name": name, "data": packed(np.savez, {"a": array})} for name, array in REFUSED.items()],
        },
    )


if __name__ == "__main__":
    main()
