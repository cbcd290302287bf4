"""Named arrays as one file: a .npz of the same bytes for the same arrays, read back without running anything in it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from domain.errors import InvalidInput

KINDS = "biuf"
"""Kinds of numbers that are stored: truth values, whole numbers, floats."""

_SUFFIX = ".npy"
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_READABLE = 0o644 << 16
_ENCRYPTED = 0x1


def save_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """Write the arrays to `path`, sorted by name, uncompressed and without times: equal arrays give equal bytes.

    Raises `InvalidInput` for an array that holds anything but numbers.
    """
    path.write_bytes(_written(arrays))


def _written(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            array = np.asarray(arrays[name])
            if array.dtype.kind not in KINDS:
                raise InvalidInput(f"array {name} holds {array.dtype}; only numbers are stored")
            stored = array.astype(array.dtype.newbyteorder("<"), order="C")
            member = BytesIO()
            npy.write_array(member, stored, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(name + _SUFFIX, _NO_TIME)
            entry.create_system, entry.external_attr = _UNIX, _READABLE
            archive.writestr(entry, member.getvalue())
    return content.getvalue()


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays that `save_arrays` wrote, read-only. Raises `InvalidInput` when the file is anything else."""
    try:
        content = path.read_bytes()
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            if len(set(names)) != len(names) or not all(name.endswith(_SUFFIX) for name in names):
                raise InvalidInput(f"the members of {path.name} are not arrays, each there once")
            for member in members:
                if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & _ENCRYPTED:
                    raise InvalidInput(f"member {member.filename} of {path.name} is compressed or encrypted")
            arrays = {member.filename.removesuffix(_SUFFIX): _array(archive.read(member)) for member in members}
        if _written(arrays) != content:  # a damaged directory can hide a member without a word
            raise InvalidInput(f"{path.name} holds more than the arrays that can be read from it")
        return arrays
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise InvalidInput(f"{path.name} cannot be read as an archive of arrays: {error}") from error


def _array(content: bytes) -> NDArray[Any]:
    """One .npy of numbers; raises `ValueError` for anything else, without allocating what a header merely claims."""
    stream = BytesIO(content)
    if npy.read_magic(stream) != (1, 0):
        raise ValueError("an array is of an unknown format version")
    shape, fortran, dtype = npy.read_array_header_1_0(stream)
    if fortran or dtype.kind not in KINDS or min(shape, default=0) < 0:
        raise ValueError(f"an array of {dtype} is not one that is stored here")
    return np.frombuffer(stream.read(), dtype).reshape(shape)
