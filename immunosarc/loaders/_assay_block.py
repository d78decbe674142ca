"""The block of a manifest that names an assay, and which of its keys go together."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from immunosarc import schema
from immunosarc.loaders._blocks import Block, Replicates
from immunosarc.loaders._declared import known_gene_id, known_platform, known_rule, known_unit, row_values
from immunosarc.loaders._genes import merge_fault

__all__ = ["AssayBlock"]

_NF_CORE = (
    (r"gene_counts\.tsv(\.gz)?$", "none"),
    (r"gene_counts_scaled\.tsv(\.gz)?$", "scaled"),
    (r"gene_counts_length_scaled\.tsv(\.gz)?$", "length_scaled"),
)


class AssayBlock(Block):
    """A table of measurements, genes by samples or samples by genes.

    An .h5ad file needs ``sha256``, so that a damaged one never reaches the library that reads it.

    Attributes
    ----------
    unit : str
        One of ``schema.UNITS``.
    orientation : {"genes_by_samples", "samples_by_genes"}
        Which of the two names the rows.
    gene_id : {"symbol", "ensembl"}
        How features are named. Versions of Ensembl ids are cut off; their symbols come from
        ``symbol_column`` or ``gene_map``, and a gene without one keeps its id.
    symbol_column : str, optional
        Column of a genes-by-samples file, or of the ``var`` of an .h5ad file, that holds the symbols
        beside the ids (``gene_name``).
    gene_map : str, optional
        Path of a table with the columns ``gene_id`` and ``gene_name``.
    repair_symbols : bool
        Replace older names and spreadsheet dates where that is safe; see ``repair_genes``.
    duplicates : {"sum", "mean", "highest_mean"}, optional
        How rows of the same gene are merged; without it they are refused.
    layer : str, optional
        The layer of an .h5ad file to read instead of ``X``.
    sample_prefix : str, optional
        What a program put before each sample name and the samples table does not have.
    r_names : bool
        Sample names went through R (``12-04`` became ``X12.04``): each is the sample of which R
        makes that name; a name that two samples can stand behind is refused.
    ignore_columns : list of str
        Columns of text beside the gene names that are not read (``Entrez_Gene_Id``).
    format : {"salmon"}, optional
        ``file`` is a folder with ``SAMPLE/quant.sf``; needs ``transcript_map``, a unit of ``tpm`` or
        ``counts`` and ``orientation = "samples_by_genes"``. ``symbol_column`` is then one of the map.
    transcript_map : str, optional
        Path of a table with the columns ``transcript_id`` and ``gene_id`` (for Ensembl ids) or
        ``gene_name`` (for symbols).
    round_counts : bool
        Round the estimated counts of salmon and RSEM to whole numbers.
    counts_scaling : {"none", "scaled", "length_scaled"}, optional
        Whether counts are reads, or were made of TPM by tximport; needed for files that are named as
        those of nf-core/rnaseq (``gene_counts.tsv``, ``gene_counts_scaled.tsv``,
        ``gene_counts_length_scaled.tsv``). Scaled counts take no ``gene_lengths``.
    platform : str, optional
        One of ``schema.PLATFORMS``.
    pseudocount : float, optional
        What was added before the logarithm; needed for unit ``"log2"``.
    gene_lengths : str, optional
        Path of a table of gene lengths in bases, genes in rows: one column, or one for each library. They
        are kept as ``var["gene_length"]`` or ``layers["gene_length"]``.
    cell_profiles : str, optional
        Path of a tab-separated table of genes by pure cell types, linear (TIL10 of quanTIseq): a run then gives
        fractions of cell types. None is shipped: the common ones are not free to redistribute.
    mrna_scaling : str, optional
        Path of a table of cell type and mRNA content, without header, that belongs to ``cell_profiles``.
    replicates : Replicates, optional
        Overrides the rule of [samples] for this assay.
    features : list of str
        Columns of a table with one row per sample that holds other things too; by default every
        column is a feature. Needs ``id_column`` and ``orientation = "samples_by_genes"``.
    id_column : str, optional
        The column that names the sample, together with ``features``.
    id_rule : str, optional
        A rule of ``transform`` (``tcga_sample``) that makes sample ids of that column.
    sample_at : {"pre", "on", "post"}, optional
        ``id_column`` names patients, not samples: each row is of the patient's sample of this timepoint, of a
        tumor where samples say what they are. Rows of patients without one leave, and are recorded.
    keep, drop : dict
        Rows that stay or leave, together with ``features``; see :class:`TableBlock`.
    """

    unit: Annotated[str, AfterValidator(known_unit)] = Field(description=f"one of {', '.join(schema.UNITS)}")
    orientation: Literal["genes_by_samples", "samples_by_genes"] = Field(
        description="'genes_by_samples' or 'samples_by_genes'"
    )
    gene_id: Annotated[str, AfterValidator(known_gene_id)] = Field(description="'symbol' or 'ensembl'")
    symbol_column: str | None = None
    gene_map: str | None = None
    repair_symbols: bool = False
    duplicates: str | None = None
    layer: str | None = None
    sample_prefix: str | None = None
    r_names: bool = False
    ignore_columns: list[str] = Field(default_factory=list)
    format: Literal["salmon"] | None = None
    transcript_map: str | None = None
    round_counts: bool = False
    counts_scaling: Literal["none", "scaled", "length_scaled"] | None = None
    platform: Annotated[str, AfterValidator(known_platform)] | None = None
    pseudocount: float | None = None
    gene_lengths: str | None = None
    cell_profiles: str | None = None
    mrna_scaling: str | None = None
    replicates: Replicates | None = None
    features: list[str] = Field(default_factory=list)
    id_column: str | None = None
    id_rule: Annotated[str, AfterValidator(known_rule)] | None = None
    sample_at: Literal["pre", "on", "post"] | None = None
    keep: Annotated[dict[str, Any], AfterValidator(row_values)] = Field(default_factory=dict)
    drop: Annotated[dict[str, Any], AfterValidator(row_values)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _features_have_an_id(self) -> AssayBlock:
        if bool(self.features) != (self.id_column is not None):
            raise ValueError("features and id_column go together: which columns, and which one names the sample")
        if self.features and self.orientation != "samples_by_genes":
            raise ValueError("features are columns, so each row is a sample: orientation = 'samples_by_genes'")
        if not self.features and (self.keep or self.drop or self.id_rule or self.sample_at):
            raise ValueError(
                "keep, drop, id_rule and sample_at need features and id_column: the table whose rows are meant"
            )
        return self

    @model_validator(mode="after")
    def _profiles_meet_expression(self) -> AssayBlock:
        if self.mrna_scaling and not self.cell_profiles:
            raise ValueError("mrna_scaling belongs to cell_profiles: name both")
        if self.cell_profiles and self.unit in ("score", "fraction"):
            raise ValueError(f"cell_profiles are for expression, and the unit is {self.unit!r}; remove them")
        return self

    @model_validator(mode="after")
    def _genes_have_symbols(self) -> AssayBlock:
        if self.gene_id == "ensembl" and (self.symbol_column is None) == (self.gene_map is None):
            raise ValueError("gene_id = 'ensembl' needs either symbol_column or gene_map, which give the symbols")
        if self.gene_id == "symbol" and (self.symbol_column or self.gene_map):
            raise ValueError("symbol_column and gene_map belong to gene_id = 'ensembl'")
        h5ad = self.file.endswith(".h5ad")
        if self.symbol_column and self.orientation != "genes_by_samples" and not (h5ad or self.format):
            raise ValueError("symbol_column needs orientation = 'genes_by_samples'; use gene_map")
        if h5ad and self.orientation != "samples_by_genes":
            raise ValueError("the rows of an .h5ad file are samples: orientation = 'samples_by_genes'")
        if h5ad and self.sha256 is None:
            raise ValueError("an .h5ad file needs sha256: a damaged one can hang the library that reads it")
        if self.layer and not h5ad:
            raise ValueError("layer is for .h5ad files")
        if self.features and h5ad:
            raise ValueError("features and id_column are for tables, not for .h5ad files")
        if self.duplicates is not None and (fault := merge_fault(self.duplicates, self.unit)):
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _salmon_has_a_map(self) -> AssayBlock:
        if (self.format == "salmon") != (self.transcript_map is not None):
            raise ValueError("format = 'salmon' and transcript_map go together: which transcripts are one gene")
        if self.format is None:
            return self
        if self.unit not in ("tpm", "counts"):
            raise ValueError(f"quant.sf files hold TPM and reads: unit = 'tpm' or 'counts', found {self.unit!r}")
        if self.orientation != "samples_by_genes":
            raise ValueError("each quant.sf file is one sample: orientation = 'samples_by_genes'")
        idle = [
            name
            for name in ("gene_lengths", "gene_map", "id_column", "layer", "sheet", "row_names")
            if getattr(self, name)
        ]
        if idle or self.missing or self.ignore_columns:
            named = idle or [name for name in ("missing", "ignore_columns") if getattr(self, name)]
            raise ValueError(f"{', '.join(named)} cannot stand with format = 'salmon'; remove it")
        return self

    @model_validator(mode="after")
    def _counts_say_their_scaling(self) -> AssayBlock:
        if self.unit != "counts" and (self.round_counts or self.counts_scaling):
            raise ValueError("round_counts and counts_scaling are for unit = 'counts'")
        named = next((scaling for ending, scaling in _NF_CORE if re.search(ending, self.file)), None)
        if self.unit == "counts" and named is not None and self.counts_scaling != named:
            raise ValueError(
                f"a file of this name holds counts of scaling {named!r} (nf-core/rnaseq): declare "
                f"counts_scaling = '{named}', or rename a file that is something else"
            )
        if named is not None and self.unit == "tpm":
            raise ValueError("a file of this name holds counts (nf-core/rnaseq); TPM are in gene_tpm.tsv")
        if self.counts_scaling in ("scaled", "length_scaled") and self.gene_lengths:
            raise ValueError(
                f"{self.counts_scaling!r} counts were made of TPM, so that lengths would be used twice; "
                "take the TPM file, or unscaled counts with gene_lengths"
            )
        return self

    @model_validator(mode="after")
    def _logs_say_their_pseudocount(self) -> AssayBlock:
        if self.unit == "log2" and self.pseudocount is None:
            raise ValueError("unit = 'log2' needs pseudocount = ...: what was added before the logarithm")
        added = 1.0 if self.unit.startswith("log2_") else None
        if self.unit != "log2" and self.pseudocount not in (None, added):
            raise ValueError(
                f"unit = {self.unit!r} is {schema.UNITS[self.unit]} and takes no pseudocount of "
                f"{self.pseudocount:g}; for another one declare unit = 'log2'"
            )
        return self
