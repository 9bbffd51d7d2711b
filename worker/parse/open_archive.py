"""Archives of files: zip and tar. Members keep their paths; nothing is ever written to a disk."""

from __future__ import annotations

import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from worker.errors import Rejected
from worker.model import Document
from worker.parse.open_broken_zip import salvage_zip
from worker.parse.unpacking import Budget, Part, is_system_file, member_of, pieces_of

_ENCRYPTED = 0x1
"""Bit 0 of a zip member's flags (APPNOTE.TXT 4.4.4)."""
_TAR_HEADER_BYTES = 1_000_000
"""Largest extended header of a tar member (long names, pax records): Python reads it into memory at once."""
_EXTENDED_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


def open_zip(document: Document, stream: BinaryIO, budget: Budget) -> Iterator[Part]:
    """A zip archive -> its files. One whose directory is lost is read from its beginning, as far as it goes."""
    seekable = stream if stream.seekable() else _in_memory(stream, budget)
    try:
        archive = zipfile.ZipFile(seekable)
        members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        seekable.seek(0)
        yield from salvage_zip(document, seekable, budget)
        raise Rejected("truncated_container", f"no zip directory: {error}") from error
    for info in members:
        if not info.is_dir() and not is_system_file(info.filename):
            yield _zip_part(member_of(document, info.filename), archive, info, budget)


def _zip_part(member: Document, archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Part:
    if info.flag_bits & _ENCRYPTED:
        return Part(member, problem=Rejected("encrypted_member"))
    if stat.S_ISLNK(info.external_attr >> 16):
        return Part(member, problem=Rejected("skipped_member", "a symbolic link"))
    return Part(member, _zip_pieces(archive, info, budget))


def _zip_pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Iterator[bytes]:
    unpacked = 0
    try:
        with archive.open(info) as source:
            for piece in pieces_of(source):  # type: ignore[arg-type]  # it reads bytes like any stream
                unpacked += len(piece)
                budget.take_bytes(len(piece), unpacked, info.compress_size)
                yield piece
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
        raise Rejected("truncated_container", f"damaged after {unpacked} bytes: {error}") from error
    except (NotImplementedError, RuntimeError) as error:
        raise Rejected("unsupported_format", f"compressed in a way that cannot be read: {error}") from error


def _in_memory(stream: BinaryIO, budget: Budget) -> BinaryIO:
    """A zip inside another container: its directory is at its end, so all of it is needed."""
    content = stream.read(budget.limits.member_bytes + 1)
    if len(content) > budget.limits.member_bytes:
        raise Rejected("too_large", f"an archive in another of more than {budget.limits.member_bytes} bytes")
    return io.BytesIO(content)


class _TarInfo(tarfile.TarInfo):
    """A member's header that does not make Python read gigabytes of extended headers."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _TarInfo:
        info = super().frombuf(buf, encoding, errors)
        if info.type in _EXTENDED_HEADERS and info.size > _TAR_HEADER_BYTES:
            raise tarfile.ReadError(f"an extended header of {info.size} bytes")
        return info


def open_tar(document: Document, stream: BinaryIO, _budget: Budget) -> Iterator[Part]:
    """A tar archive -> its files, read from its beginning without going back."""
    try:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_TarInfo, errorlevel=0) as archive:
            for info in archive:
                if not info.isdir() and not is_system_file(info.name):
                    yield _tar_part(member_of(document, info.name), archive, info)
                archive.members = []  # type: ignore[attr-defined]  # it would remember a million of them
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise Rejected("truncated_container", f"damaged: {error}") from error


def _tar_part(member: Document, archive: tarfile.TarFile, info: tarfile.TarInfo) -> Part:
    if not info.isreg() or info.issparse():
        return Part(member, problem=Rejected("skipped_member", "no regular file"))
    return Part(member, _tar_pieces(archive, info))


def _tar_pieces(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[bytes]:
    read = 0
    try:
        source = archive.extractfile(info)
        while source is not None and (piece := source.read(min(64 * 1024, max(info.size - read, 1)))):
            read += len(piece)
            yield piece
    except (tarfile.TarError, EOFError) as error:
        raise Rejected("truncated_container", f"ends early, after {read} of {info.size} bytes") from error
