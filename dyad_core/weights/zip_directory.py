"""The records of an uncompressed zip archive, as ``torch.save`` writes it, checked against the file's size.

The directory's own size is read first, so that a lying one costs no memory; compressed records (zip bombs),
records that overlap or leave the file, and names that come twice are refused.
"""

from __future__ import annotations

import struct
import zipfile

from dyad_core.weights.entries import MAX_TENSORS
from dyad_core.weights.source import MAX_HEADER_BYTES, Source, readable_bytes, refuse

__all__ = ["zip_records"]

END = struct.Struct("<4s4H2LH")
END_64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR_BYTES = 20
FULL = (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
"""Number, size and place of the directory where the short record leaves them to the long one."""

LOCAL = struct.Struct("<4s5H3L2H")

DAMAGED = "the archive is damaged or written to deceive: save it again with torch.save"
RECORDS = MAX_TENSORS + 100


def zip_records(source: Source) -> dict[str, tuple[int, int]]:
    """Where each record's bytes lie: name → (start, size).

    Raises:
        SpecError: for anything but plain stored records, each inside the file and apart from the others.
    """
    directory_start = _check_directory(source)
    try:
        with zipfile.ZipFile(source.file) as archive:
            infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OSError) as error:
        refuse("file", f"its zip directory must be readable: {error}", source.label, DAMAGED)
    found: dict[str, tuple[int, int]] = {}
    end = 0
    for info in infos:
        name = info.orig_filename
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1:
            rule = f"record {name[:80]!r} must be stored as it is, neither compressed nor encrypted, as torch.save does"
            received = f"{info.compress_size:,} bytes for {info.file_size:,}"
            refuse("file", rule, received, "unpack it, or save it again with torch.save")
        if name in found:
            refuse("file", "its records must have different names", name[:80], DAMAGED)
        start = _data_start(source, info)
        if info.header_offset < end or start + info.file_size > directory_start:
            rule = f"record {name[:80]!r} must lie inside the archive and overlap no other"
            refuse("file", rule, f"bytes {info.header_offset:,} to {start + info.file_size:,}", DAMAGED)
        found[name], end = (start, info.file_size), start + info.file_size
    return found


def _check_directory(source: Source) -> int:
    """Where the directory begins, after its size and number of records were found within bounds."""
    start = source.size - END.size
    if start < 0:
        refuse("file", "ends inside its zip directory", readable_bytes(source.size), DAMAGED)
    magic, *_, records, size, offset, comment = END.unpack(source.read(start, END.size))
    if magic != b"PK\x05\x06" or comment:
        refuse("file", "must end with a zip directory and no comment", source.label, "the file is cut off or damaged")
    start_64 = start - LOCATOR_BYTES - END_64.size
    if start_64 >= 0 and source.read(start - LOCATOR_BYTES, 4) == b"PK\x06\x07":
        short = (records, size, offset)
        magic, *_, records, size, offset = END_64.unpack(source.read(start_64, END_64.size))
        pointed = int.from_bytes(source.read(start - LOCATOR_BYTES + 8, 8), "little")
        if magic != b"PK\x06\x06" or pointed != start_64:
            refuse("file", "must end with a zip directory", source.label, DAMAGED)
        # Where they differ, two readers would see two archives: what is checked here must be what torch opens.
        if any(told not in (long, full) for told, long, full in zip(short, (records, size, offset), FULL, strict=True)):
            refuse("file", "must tell the same of its zip directory in both places", f"{short}", DAMAGED)
        start = start_64
    if size > MAX_HEADER_BYTES or records > RECORDS:
        rule = f"its zip directory must have at most {readable_bytes(MAX_HEADER_BYTES)} and {RECORDS:,} records"
        refuse(
            "file", rule, f"{size:,} bytes, {records:,} records", "save the tensor that is wanted in a file of its own"
        )
    if offset + size != start:
        refuse(
            "file", "its zip directory must lie where its end says", f"{offset:,} + {size:,}, not {start:,}", DAMAGED
        )
    return int(offset)


def _data_start(source: Source, info: zipfile.ZipInfo) -> int:
    """Where a record's values begin: behind its own header, which must agree with the directory."""
    magic, _, _, method, *_, name_length, extra_length = LOCAL.unpack(source.read(info.header_offset, LOCAL.size))
    start = info.header_offset + LOCAL.size
    agrees = magic == b"PK\x03\x04" and method == zipfile.ZIP_STORED
    if not agrees or source.read(start, name_length).decode("utf-8", "replace") != info.orig_filename:
        refuse("file", "a record's own header must agree with the zip directory", info.orig_filename[:80], DAMAGED)
    return int(start + name_length + extra_length)
