"""How golden files are written: compact, the same bytes each time, NaN as null, gzip where it pays."""

import gzip
import json
import math
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent


def plain(value, digits):
    """Numpy and torch values as JSON's; NaN becomes null. Floats keep `digits` significant digits, or all of them."""
    if isinstance(value, dict):
        return {key: plain(item, digits) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item, digits) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            raise ValueError("JSON has no infinity")
        if value == 0:
            return value if math.copysign(1, value) < 0 else 0
        if digits is not None:
            value = float(f"{value:.{digits}g}")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value


def write_json(name, content, digits=None):
    """Writes test/golden/NAME; a name ending in .gz is compressed, without a time stamp."""
    text = json.dumps(plain(content, digits), separators=(",", ":"), allow_nan=False) + "\n"
    data = text.encode()
    if name.endswith(".gz"):
        data = gzip.compress(data, 9, mtime=0)
    (HERE / name).write_bytes(data)
    print(f"{name}: {len(data):,} bytes")
