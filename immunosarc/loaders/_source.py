"""From a path below the data root to clean UTF-8 text, its hash, or the reason why not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from immunosarc.errors import DataFileError, ManifestError
from immunosarc.loaders._blocks import Block, TableBlock
from immunosarc.loaders._fault import Fault, nearest
from immunosarc.loaders._parquet import parquet_text
from immunosarc.loaders._privacy import Gate
from immunosarc.loaders._sas import SAS_FORMATS, sas_text
from immunosarc.loaders._unpacking import gunzipped
from immunosarc.loaders._workbook import sheet_text

__all__ = ["FolderTexts", "Source", "TextFile", "clean_text"]

_DELIMITERS = {".tsv": "\t", ".txt": "\t", ".maf": "\t", ".csv": ",", ".xlsx": "\t", ".parquet": "\t"}
_DELIMITERS |= dict.fromkeys(SAS_FORMATS, "\t")
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class TextFile:
    r"""A file as read: its text in UTF-8 with ``\n`` line ends, from the line of its header on."""

    file: str
    text: bytes
    delimiter: str
    head: int = 1
    gate: Gate = field(default_factory=Gate)


@dataclass(frozen=True)
class FolderTexts:
    """The files of one name in the folders of a folder.

    Attributes
    ----------
    files : dict of str to TextFile
        By the name of their folder, sorted.
    without : tuple of str
        Folders that have no such file.
    """

    files: dict[str, TextFile]
    without: tuple[str, ...]


@dataclass
class Source:
    """The files below one data root; each is read and hashed once.

    Attributes
    ----------
    root : Path
        No path leaves this folder, symbolic links included.
    gate : Gate
        What the user lets through by name.
    files : dict
        What was read: ``{file: {"sha256": ..., "status": "pinned" or "unpinned"}}``.
    """

    root: Path
    gate: Gate = field(default_factory=Gate)
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    _texts: dict[tuple[str, str | None], bytes | None] = field(default_factory=dict)

    def open(self, block: Block, where: str, faults: list[Fault]) -> TextFile | None:
        """Return the text of a block's file; None when there is none, and why is added."""

        def fault(kind: type[DataFileError | ManifestError], what: str) -> None:
            faults.append(Fault(kind, f"{block.file}: {what}"))

        delimiter = block.delimiter or _DELIMITERS.get(Path(block.file.removesuffix(".gz")).suffix)
        if delimiter is None:
            fault(
                ManifestError,
                f"the name ends in none of {', '.join(_DELIMITERS)}; say {where} delimiter = ... "
                "(a tab, ',', ';' or '|')",
            )
        if block.sheet is not None and Path(block.file).suffix != ".xlsx":
            fault(ManifestError, f"{where} sheet is for Excel workbooks (.xlsx); remove it, or name the workbook")
        if block.row_names is not None and Path(block.file).suffix in (".xlsx", ".parquet"):
            fault(ManifestError, f"{where} row_names is for text tables that R wrote; remove it")
        wanted = (block.file, block.sheet)
        if wanted not in self._texts:
            self._texts[wanted] = self._read(block, lambda what: fault(DataFileError, what))
        text = self._texts[wanted]
        if block.file in self.files:
            self._compare(block, lambda what: fault(DataFileError, what))
        if text is None or delimiter is None:
            return None
        comment = block.comment if isinstance(block, TableBlock) else None
        head, text = _below_comments(text, comment)
        if not text.strip():
            fault(DataFileError, f"every line begins with {comment!r}, as comment says; rows are needed")
            return None
        if block.row_names is not None:
            text = _named_first_column(text, block.row_names, delimiter)
        return TextFile(block.file, text, delimiter, head, self.gate)

    def open_folder(
        self, block: Block, names: tuple[str, ...], where: str, faults: list[Fault]
    ) -> FolderTexts | None:
        """Return the file of one of these names in each folder of a block's folder.

        The hash of a folder is that of the lines ``HASH  FOLDER/NAME``, sorted by path.
        """

        def fault(what: str) -> None:
            faults.append(Fault(DataFileError, f"{block.file}: {what}"))

        folder = self.target(block.file, fault)
        if folder is None:
            return None
        if not folder.is_dir():
            fault(f"is not a folder below the data root; give the folder that holds SAMPLE/{names[0]}")
            return None
        inside = sorted(one for one in folder.iterdir() if one.is_dir())
        found = {one.name: [name for name in names if (one / name).exists()][:1] for one in inside}
        start = block.file.rstrip("/")
        paths = {name: f"{start}/{name}/{file[0]}" for name, file in found.items() if file}
        if not paths:
            fault(f"no folder in it holds {names[0]}; give the folder that holds SAMPLE/{names[0]}")
            return None
        texts = {name: self.open(Block(file=path, delimiter="\t"), where, faults) for name, path in paths.items()}
        self._compare_folder(block, list(paths.values()), fault)
        files = {name: text for name, text in texts.items() if text is not None}
        return FolderTexts(files, tuple(name for name in found if name not in paths)) if files else None

    def _compare_folder(self, block: Block, paths: list[str], fault: Callable[[str], None]) -> None:
        if not all(path in self.files for path in paths):
            return
        lines = "".join(f"{self.files[path]['sha256']}  {path}\n" for path in sorted(paths))
        self.files[block.file] = {"sha256": hashlib.sha256(lines.encode()).hexdigest(), "status": "unpinned"}
        self._compare(block, fault)
        for path in paths:
            self.files[path]["status"] = self.files[block.file]["status"]

    def locate(self, block: Block, faults: list[Fault]) -> Path | None:
        """Return where a file of numbers lies, hashed and compared; None when it cannot be read."""

        def fault(what: str) -> None:
            faults.append(Fault(DataFileError, f"{block.file}: {what}"))

        path = self._resolve(block.file, fault)
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as failure:
            fault(f"cannot be read ({failure.strerror}); check the permissions of the file")
            return None
        self.files.setdefault(block.file, {"sha256": digest, "status": "unpinned"})
        before = len(faults)
        self._compare(block, fault)
        return None if len(faults) > before else path

    def files_ending(self, folder: str, ending: str, faults: list[Fault]) -> list[str]:
        """Return the files of a folder whose names end so, sorted; none when there is none, and why is told."""

        def fault(what: str) -> None:
            faults.append(Fault(DataFileError, f"{folder}: {what}"))

        path = self.target(folder, fault)
        if path is None:
            return []
        if not path.is_dir():
            fault("is not a folder below the data root; give the folder that holds the files")
            return []
        names = sorted(one.name for one in path.iterdir() if one.is_file() and one.name.endswith(ending))
        if not names:
            fault(f"no file in it ends in {ending!r}; correct ending")
        return [f"{folder.rstrip('/')}/{name}" for name in names]

    def compare_files(self, block: Block, paths: list[str], faults: list[Fault]) -> None:
        """Hash the files of a folder together, once each was read, and compare that with the manifest."""
        self._compare_folder(
            block, paths, lambda what: faults.append(Fault(DataFileError, f"{block.file}: {what}"))
        )

    def let_go(self, block: Block) -> None:
        """Let the text of one file go, where many are read one after the other."""
        self._texts.pop((block.file, block.sheet), None)

    def forget(self) -> None:
        """Let the texts go once they are parsed."""
        self._texts.clear()

    def _read(self, block: Block, fault: Callable[[str], None]) -> bytes | None:
        path = self._resolve(block.file, fault)
        if path is None:
            return None
        try:
            data = path.read_bytes()
        except OSError as failure:
            fault(f"cannot be read ({failure.strerror}); check the permissions of the file")
            return None
        self.files[block.file] = {"sha256": hashlib.sha256(data).hexdigest(), "status": "unpinned"}
        suffix = Path(block.file).suffix
        if suffix in (".xlsx", ".parquet"):
            workbook = suffix == ".xlsx"
            text = sheet_text(data, block.sheet, fault) if workbook else parquet_text(data, fault)
            return None if text is None else clean_text(text, fault)
        if (form := SAS_FORMATS.get(suffix)) is not None:
            text = sas_text(data, form, fault)
            return None if text is None else clean_text(text, fault)
        return clean_text(data, fault)

    def target(self, file: str, fault: Callable[[str], None]) -> Path | None:
        """Return where a file lies or would lie; None when that is not below the data root, and why is told."""
        outside = "the path leaves the data root; give a path below it, with '/' between folders"
        if "\\" in file or not file.isprintable() or Path(file).is_absolute():
            fault(outside)
            return None
        try:
            root = self.root.resolve()
            path = (root / file).resolve()
            if path.is_relative_to(root) and path != root:
                return path
            fault(outside)
        except (OSError, ValueError, RuntimeError) as failure:
            fault(f"the path cannot be followed ({failure}); check it and the links on the way")
        return None

    def _resolve(self, file: str, fault: Callable[[str], None]) -> Path | None:
        path = self.target(file, fault)
        if path is None:
            return None
        try:
            if path.is_file():
                return path
            fault(_absent(path, self.root.resolve()))
        except (OSError, ValueError, RuntimeError) as failure:
            fault(f"the path cannot be followed ({failure}); check it and the links on the way")
        return None

    def _compare(self, block: Block, fault: Callable[[str], None]) -> None:
        found = self.files[block.file]
        if block.sha256 is None:
            return
        if block.sha256 == found["sha256"]:
            found["status"] = "pinned"
            return
        fault(
            f"SHA-256 is {found['sha256']}, the manifest expects {block.sha256}: the file was altered, or the "
            "manifest is of another release. Fetch the file again, or pin the new hash once you know why"
        )


def _below_comments(text: bytes, comment: str | None) -> tuple[int, bytes]:
    """Return the line of the header, and the text from there on."""
    head, at = 1, 0
    while comment is not None and text.startswith(comment.encode(), at):
        end = text.find(b"\n", at)
        head, at = head + 1, len(text) if end < 0 else end + 1
    return head, text[at:] if at else text


def _named_first_column(text: bytes, name: str, delimiter: str) -> bytes:
    """Return a text with a name put before its first line."""
    quoted = '"' + name.replace('"', '""') + '"' if delimiter in name or '"' in name else name
    return quoted.encode() + delimiter.encode() + text


def _absent(path: Path, root: Path) -> str:
    if path.exists():
        return "is not a file; give the path of a file"
    if not root.is_dir():
        return f"the data root {root} is not a folder; check data_root"
    near = [one.name for one in path.parent.iterdir() if one.is_file()] if path.parent.is_dir() else []
    hint = nearest(path.name, near)
    return f"is missing below the data root {root}; check the path and data_root.{hint}"


def clean_text(data: bytes, fault: Callable[[str], None]) -> bytes | None:
    r"""Return bytes as UTF-8 text without byte order mark and with ``\n`` line ends.

    gzip is recognized by its first bytes. UTF-16 is read where a byte order mark says so;
    every other encoding is refused, because guessing one can change names.
    """
    if data[:2] == b"\x1f\x8b":
        unpacked = gunzipped(data, fault)
        if unpacked is None:
            return None
        data = unpacked
    if data[:4] == _OLD_EXCEL:
        fault("this is an old Excel workbook (.xls); save it as .xlsx, or the sheet as tab-separated text (.tsv)")
        return None
    if data[:4] == b"PK\x03\x04":
        fault("this is a zip archive or an Excel workbook; save the sheet as tab-separated text (.tsv)")
        return None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            data = data.decode("utf-16").encode("utf-8")
        except UnicodeError as failure:
            fault(f"begins as UTF-16 but does not go on so ({failure}); save it as UTF-8")
            return None
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data if _is_text(data, fault) else None


def _is_text(data: bytes, fault: Callable[[str], None]) -> bool:
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        fault(f"line {line} holds a NUL byte, so this is not a text file, or a damaged one; export it again")
        return False
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as failure:
            line = data.count(b"\n", 0, failure.start) + 1
            fault(
                f"line {line} holds byte 0x{data[failure.start]:02X}, which is not UTF-8 (often Latin-1 or "
                "Windows-1252); save the file as UTF-8"
            )
            return False
    if not data.strip():
        fault("the file is empty; a header line and rows are needed")
        return False
    return True
