"""Files -> Cohort: manifests, text tables, and every reason why a file cannot be read as declared."""

from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._blocks import Block, PatientsBlock, Replicates, SamplesBlock, TableBlock
from immunosarc.loaders._draft import draft_manifest
from immunosarc.loaders._fetch import fetch_files
from immunosarc.loaders._genes import repair_genes
from immunosarc.loaders._imaging_block import CellMarker, ImageFile, ImagingBlock
from immunosarc.loaders._load import ManifestCheck, check_manifest, load_cohort
from immunosarc.loaders._long_block import LongTableBlock
from immunosarc.loaders._manifest import Manifest
from immunosarc.loaders._parse import read_manifest
from immunosarc.loaders._single_cell_block import CellFile, SingleCellBlock

__all__ = [
    "AssayBlock",
    "Block",
    "CellFile",
    "CellMarker",
    "ImageFile",
    "ImagingBlock",
    "LongTableBlock",
    "Manifest",
    "ManifestCheck",
    "PatientsBlock",
    "Replicates",
    "SamplesBlock",
    "SingleCellBlock",
    "TableBlock",
    "check_manifest",
    "draft_manifest",
    "fetch_files",
    "load_cohort",
    "read_manifest",
    "repair_genes",
]
