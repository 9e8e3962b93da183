"""DICOM files and the grey values that pydicom reads in them -> dicom.json.gz.

The pixels are computed, and the persons, numbers and dates are made up: the test searches every message for them. pydicom
writes the uncompressed files; GDCM's gdcmconv and DCMTK's dcmcjpeg compress them. Compressed ones are read by pydicom with
GDCM. Needs python3-pydicom, python3-gdcm, libgdcm-tools and dcmtk, else the file stays.

Values are given as the decoder gives them: pydicom's, rescaled, moved and divided so that the smallest and the largest
that the bits stored allow become 0 and 2^bits - 1, and turned round for MONOCHROME1. `shown` is what pydicom's
apply_windowing makes of them, in [0, 1], turned round likewise.
"""

import base64
import io
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
from golden_files import write_json  # noqa: E402

NAME = "Ztestov^Quirinius"
PATIENT = "PID-ZQ4711"
BORN = "19010203"
UID = "1.2.826.0.1.3680043.8.498.471147114711"
ACCESSION = "ACC-ZQ0815"
IDENTIFIERS = ["Ztestov", "Quirinius", PATIENT, "ZQ4711", BORN, UID, "471147114711", ACCESSION, "ZQ0815", "Klinik Nirgendwo"]


def picture(height, width, bits):
    y, x = np.mgrid[0:height, 0:width]
    smooth = (np.sin(x / 5) + np.cos(y / 4) + 2) / 4 * (2**bits - 1)
    grain = (x * 7919 + y * 104729) % max(2, 2**bits // 16)
    return np.clip(smooth * 0.95 + grain, 0, 2**bits - 1).astype(np.int64)


def dataset(values, bits, *, allocated=16, signed=False, high_bit=None, photometric="MONOCHROME2", syntax=None, **more):
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.sequence import Sequence
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    syntax = {None: ExplicitVRLittleEndian, "implicit": ImplicitVRLittleEndian, "big": ExplicitVRBigEndian}[syntax]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = UID
    meta.TransferSyntaxUID = syntax
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.is_little_endian = syntax != ExplicitVRBigEndian
    ds.is_implicit_VR = syntax == ImplicitVRLittleEndian
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = meta.MediaStorageSOPClassUID
    ds.SOPInstanceUID = ds.StudyInstanceUID = ds.SeriesInstanceUID = UID
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = NAME, PATIENT, BORN
    ds.AccessionNumber, ds.InstitutionName = ACCESSION, "Klinik Nirgendwo"
    icon = type(ds)("", {}, preamble=None)
    icon.Rows = icon.Columns = 2
    icon.BitsAllocated = icon.BitsStored = 8
    icon.HighBit, icon.PixelRepresentation, icon.SamplesPerPixel = 7, 0, 1
    icon.PhotometricInterpretation = "MONOCHROME2"
    icon.PixelData = b"\1\2\3\4"
    icon["PixelData"].VR = "OB"
    ds.IconImageSequence = Sequence([icon])
    if syntax == ExplicitVRLittleEndian:
        ds["IconImageSequence"].is_undefined_length = True
    ds.Rows, ds.Columns = values.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, photometric
    ds.BitsAllocated, ds.BitsStored = allocated, bits
    ds.HighBit = bits - 1 if high_bit is None else high_bit
    ds.PixelRepresentation = int(signed)
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    dtype = np.dtype(f"{'i' if signed else 'u'}{allocated // 8}").newbyteorder("<" if ds.is_little_endian else ">")
    ds.PixelData = values.astype(dtype).tobytes() + (b"\0" if values.size * allocated // 8 % 2 else b"")
    ds["PixelData"].VR = "OB" if allocated == 8 else "OW"
    return ds


def written(ds):
    stream = io.BytesIO()
    ds.save_as(stream, write_like_original=False)
    return stream.getvalue()


def converted(data, *command):
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before.dcm"), Path(folder, "after.dcm")
        before.write_bytes(data)
        subprocess.run([*command, before, after], check=True, capture_output=True)
        return after.read_bytes()


def answers(data):
    """What pydicom makes of a file."""
    import pydicom
    from pydicom.pixel_data_handlers.util import apply_modality_lut, apply_windowing

    ds = pydicom.dcmread(io.BytesIO(data), force=True)
    if not hasattr(ds.file_meta, "TransferSyntaxUID"):
        ds.file_meta.TransferSyntaxUID = (
            pydicom.uid.ImplicitVRLittleEndian if ds.is_implicit_VR else pydicom.uid.ExplicitVRLittleEndian
        )
    rescaled = np.asarray(apply_modality_lut(ds.pixel_array, ds), dtype=np.float64)
    slope, intercept = float(ds.get("RescaleSlope", 1)), float(ds.get("RescaleIntercept", 0))
    bits, signed = ds.BitsStored, ds.PixelRepresentation
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    least = min(slope * end + intercept for end in ends)
    grey = np.rint((rescaled - least) / abs(slope)).astype(np.int64)
    shown = None
    if "WindowCenter" in ds:
        low, high = (slope * end + intercept for end in ends)
        shown = (apply_windowing(rescaled, ds) - low) / (high - low)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        grey = 2**bits - 1 - grey
        shown = None if shown is None else 1 - shown
    return grey, bits, shown


def case(name, data, grey=None):
    found, bits, shown = answers(data)
    if grey is not None:
        found = grey
    height, width = found.shape
    return {
        "name": name,
        "data": base64.b64encode(data).decode(),
        "height": height,
        "width": width,
        "maximum": 2**bits - 1,
        "grey": found.ravel(),
        "shown": None if shown is None else np.round(shown.ravel(), 7),
    }


def uncompressed():
    twelve = picture(13, 11, 12)
    yield case("12 of 16 bits", written(dataset(twelve, 12)))
    yield case("MONOCHROME1", written(dataset(twelve, 12, photometric="MONOCHROME1")))
    yield case("16 bits", written(dataset(picture(9, 14, 16), 16)))
    yield case("10 bits, implicit", written(dataset(picture(9, 14, 10), 10, syntax="implicit")))
    yield case("8 bits, odd length", written(dataset(picture(7, 9, 8), 8, allocated=8, syntax="implicit")))
    yield case("6 of 8 bits", written(dataset(picture(6, 9, 6), 6, allocated=8)))
    yield case("big-endian", written(dataset(twelve, 12, syntax="big")))
    signed = picture(10, 10, 12) - 2048
    yield case("signed", written(dataset(signed, 12, signed=True)))
    yield case("signed 16, rescaled", written(dataset(picture(5, 6, 16) - 32768, 16, signed=True, RescaleSlope="0.5", RescaleIntercept="-1000")))
    yield case("negative slope", written(dataset(twelve, 12, RescaleSlope="-1", RescaleIntercept="4095")))
    yield case("negative slope, MONOCHROME1", written(dataset(twelve, 12, photometric="MONOCHROME1", RescaleSlope="-2", RescaleIntercept="10")))
    # pydicom takes the whole cell: its answer is replaced by the twelve bits that the header means
    yield case("high bit 15, others in the low bits", written(dataset(twelve * 16 + 5, 12, high_bit=15)), twelve)
    yield case("other bits above the stored ones", written(dataset(twelve + 0x5000, 12)), twelve)
    bare = dataset(twelve, 12)
    for name, syntax in (("explicit", None), ("implicit", "implicit")):
        ds = dataset(twelve, 12, syntax=syntax)
        stream = io.BytesIO()
        ds.preamble, ds.file_meta = None, type(bare.file_meta)()
        ds.save_as(stream, write_like_original=True)
        yield case(f"without preamble, {name}", stream.getvalue())


def windows():
    twelve = picture(13, 11, 12)
    linear = {"WindowCenter": "2000", "WindowWidth": "1500"}
    yield case("window", written(dataset(twelve, 12, **linear)))
    yield case("window, exact", written(dataset(twelve, 12, **linear, VOILUTFunction="LINEAR_EXACT")))
    yield case("window, MONOCHROME1", written(dataset(twelve, 12, photometric="MONOCHROME1", **linear)))
    several = {"WindowCenter": ["700.5", "2000"], "WindowWidth": ["900", "3000"]}
    yield case("several windows, rescaled", written(dataset(twelve, 12, RescaleSlope="0.5", RescaleIntercept="-100", **several)))
    signed = dataset(picture(10, 10, 12) - 2048, 12, signed=True, WindowCenter="40", WindowWidth="400", RescaleSlope="1", RescaleIntercept="0")
    yield case("window, signed", written(signed))
    wide = {"WindowCenter": "2047.5", "WindowWidth": "9000"}
    yield case("window wider than the values", written(dataset(twelve, 12, photometric="MONOCHROME1", **wide)))


def compressed():
    sizes = {8: picture(33, 40, 8), 12: picture(40, 33, 12), 16: picture(21, 22, 16)}
    for bits, values in sizes.items():
        data = written(dataset(values, bits, allocated=8 if bits == 8 else 16, photometric="MONOCHROME1" if bits == 12 else "MONOCHROME2"))
        for name, option in (("RLE", "--rle"), ("JPEG lossless", "--jpeg"), ("JPEG-LS", "--jpegls"), ("JPEG 2000", "--j2k")):
            yield case(f"{name}, {bits} bits", converted(data, "gdcmconv", option))
        for predictor in range(1, 8):
            yield case(f"JPEG lossless, {bits} bits, predictor {predictor}", converted(data, "dcmcjpeg", "+el", "+sv", str(predictor)))
    twelve = written(dataset(sizes[12], 12))
    yield case("JPEG lossless, point transform 2", converted(twelve, "dcmcjpeg", "+el", "+sv", "4", "+pt", "2"))
    yield case("JPEG-LS, near-lossless", converted(twelve, "dcmcjpls", "+un", "+en", "+md", "3"))
    yield case("JPEG 2000, lossy", renamed(converted(twelve, "gdcmconv", "--j2k", "--lossy", "-q", "40")))
    eight = written(dataset(sizes[8], 8, allocated=8))
    yield case("JPEG baseline", converted(eight, "dcmcjpeg", "+un", "+eb", "+q", "85"))
    signed = written(dataset(sizes[12] - 2048, 12, signed=True))
    for name, option in (("RLE", "--rle"), ("JPEG lossless", "--jpeg"), ("JPEG-LS", "--jpegls"), ("JPEG 2000", "--j2k")):
        yield case(f"{name}, signed", converted(signed, "gdcmconv", option))
    yield case("JPEG lossless, several pieces", in_pieces(converted(twelve, "gdcmconv", "--jpeg")))


def renamed(data):
    """GDCM gives lossy files another identifier each time."""
    import pydicom

    ds = pydicom.dcmread(io.BytesIO(data))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID
    return written(ds)


def in_pieces(data):
    import pydicom
    from pydicom.encaps import encapsulate, generate_pixel_data_frame

    ds = pydicom.dcmread(io.BytesIO(data))
    ds.PixelData = encapsulate(list(generate_pixel_data_frame(ds.PixelData, 1)), fragments_per_frame=3)
    return written(ds)


def refused():
    """Files that must be refused by name."""
    from pydicom.encaps import encapsulate
    from pydicom.sequence import Sequence

    eight = picture(8, 8, 8)
    colour = dataset(np.repeat(eight, 3, axis=1), 8, allocated=8)
    colour.Columns, colour.SamplesPerPixel, colour.PhotometricInterpretation, colour.PlanarConfiguration = 8, 3, "RGB", 0
    yield "colour (RGB)", written(colour)
    frames = dataset(np.tile(eight, (2, 1)), 8, allocated=8)
    frames.Rows, frames.NumberOfFrames = 8, 2
    yield "several frames", written(frames)
    yield "JPEG of 12 bits", converted(written(dataset(picture(16, 16, 12), 12)), "dcmcjpeg", "+un", "+ee")
    yield "Deflated Explicit VR Little Endian", converted(written(dataset(eight, 8, allocated=8)), "dcmconv", "+td")
    plain = written(dataset(eight, 8, allocated=8))
    films = dataset(eight, 8, allocated=8)
    films.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    films.PixelData = encapsulate([films.PixelData])
    yield "MPEG-4 AVC/H.264", written(films)
    yield "an unknown transfer syntax", plain.replace(b"1.2.840.10008.1.2.1\0", f"1.2.840.10008.1.2.{BORN}"[:20].encode())
    yield "an unknown transfer syntax", plain.replace(b"1.2.840.10008.1.2.1\0", f"{PATIENT}^{BORN}"[:20].encode().ljust(20))
    palette = dataset(eight, 8, allocated=8, photometric="PALETTE COLOR")
    yield "colour (PALETTE COLOR)", written(palette)
    lut = dataset(eight, 8, allocated=8)
    item = type(lut)("", {}, preamble=None)
    item.LUTDescriptor, item.ModalityLUTType, item.LUTData = [4, 0, 16], "US", [0, 1, 2, 3]
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    lut.ModalityLUTSequence = Sequence([item])
    yield "a Modality LUT Sequence", written(lut)
    report = dataset(eight, 8)
    del report.PixelData
    yield "holds no picture", written(report)
    deep = dataset(eight, 8)
    deep.BitsAllocated, deep.BitsStored, deep.HighBit = 32, 32, 31
    yield "32 bits allocated", written(deep)


def main():
    missing = [tool for tool in ("gdcmconv", "dcmcjpeg", "dcmcjpls", "dcmconv") if shutil.which(tool) is None]
    try:
        import gdcm  # noqa: F401
        import pydicom  # noqa: F401
    except ImportError as error:
        missing.append(str(error))
    if missing:
        print(f"dicom.json.gz stays as it is: {', '.join(missing)}")
        return
    warnings.simplefilter("ignore")
    files = [*uncompressed(), *windows(), *compressed()]
    refusals = [{"reason": reason, "data": base64.b64encode(data).decode()} for reason, data in refused()]
    write_json("dicom.json.gz", {"identifiers": IDENTIFIERS, "files": files, "refused": refusals})


if __name__ == "__main__":
    main()
