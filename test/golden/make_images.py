"""PIL's and PyTorch's answers on decoding and antialiased bilinear resizing of small pictures -> images.json.

The pictures that are resized come from integer arithmetic that the test repeats, so only the answers are stored, and
nothing is written unless PIL's BILINEAR on mode F and PyTorch's interpolate(antialias=True) agree. The files that are
decoded are PIL's own, in each of its modes, with gamma, profile and orientation tags that must change nothing.
"""

import base64
import io

import numpy as np
import torch
from golden_files import write_json
from PIL import Image, ImageCms, PngImagePlugin

SIZES = [
    ((8, 8), (4, 4)),
    ((10, 7), (3, 5)),
    ((7, 10), (13, 4)),
    ((5, 5), (11, 9)),
    ((64, 48), (17, 31)),
    ((33, 100), (7, 7)),
    ((1, 9), (4, 3)),
    ((9, 1), (2, 5)),
    ((1, 1), (3, 3)),
    ((12, 12), (12, 12)),
    ((200, 150), (24, 24)),
]


def picture(height, width):
    """value(y, x) = ((y·width + x)·7919 + y·x·31) mod 65536"""
    y, x = np.mgrid[0:height, 0:width]
    return ((y * width + x) * 7919 + y * x * 31) % 65536


def resized(size, to):
    values = (picture(*size) / 65535).astype(np.float32)
    pil = np.asarray(Image.fromarray(values, mode="F").resize(to[::-1], Image.BILINEAR))
    by_torch = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], size=to, mode="bilinear", align_corners=False, antialias=True
    )[0, 0].numpy()
    if np.abs(pil - by_torch).max() > 2e-6:
        raise AssertionError(f"PIL and PyTorch disagree on {size} -> {to}")
    return {"from": size, "to": to, "values": pil.ravel()}


def encoded(name, image, grey, **options):
    stream = io.BytesIO()
    image.save(stream, **options)
    height, width = grey.shape
    data = base64.b64encode(stream.getvalue()).decode()
    return {"name": name, "data": data, "height": height, "width": width, "grey": grey.ravel()}


def gamma_tag():
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", (100000).to_bytes(4, "big"))
    return chunks


def files():
    rng = np.random.default_rng(0)
    height, width = 6, 5
    eight = rng.integers(0, 256, (height, width), dtype=np.uint8)
    colour = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    alpha = rng.integers(0, 256, (height, width, 1), dtype=np.uint8)
    deep = picture(height, width).astype(np.uint16)
    grey = Image.fromarray(eight)
    rgb = Image.fromarray(colour)
    rgba = Image.fromarray(np.concatenate([colour, alpha], 2))
    grey_alpha = Image.merge("LA", [grey, Image.fromarray(alpha[..., 0])])
    palette = rgb.quantize(8)
    bits = grey.point(lambda v: 255 * (v > 127)).convert("1")
    luma = np.asarray(rgb.convert("L"))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")
    smooth = Image.fromarray(np.add.outer(np.arange(16) * 8, np.arange(16) * 7).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        encoded("grey 8 bit", grey, eight, format="png"),
        encoded("grey 16 bit", Image.fromarray(deep), deep, format="png"),
        encoded("grey with alpha", grey_alpha, eight, format="png"),
        encoded("1 bit", bits, np.asarray(bits.convert("L")), format="png"),
        encoded("palette", palette, np.asarray(palette.convert("L")), format="png"),
        encoded("RGB", rgb, luma, format="png"),
        encoded("RGBA", rgba, luma, format="png"),
        encoded("RGB, gamma 1", rgb, luma, format="png", pnginfo=gamma_tag()),
        encoded("grey 16 bit, gamma 1", Image.fromarray(deep), deep, format="png", pnginfo=gamma_tag()),
        encoded("RGB, profile with red and blue swapped", rgb, luma, format="png", icc_profile=swapped),
        encoded("JPEG turned by its EXIF tag", smooth, jpeg_grey(smooth, exif), format="jpeg", quality=95, exif=exif),
    ]


def jpeg_grey(image, exif):
    stream = io.BytesIO()
    image.save(stream, format="jpeg", quality=95, exif=exif)
    return np.asarray(Image.open(stream))


if __name__ == "__main__":
    write_json("images.json", {"resize": [resized(*sizes) for sizes in SIZES], "files": files()}, digits=9)
