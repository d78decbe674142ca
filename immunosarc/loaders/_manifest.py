"""The manifest: which files make up a cohort, and what their columns, codes and units mean."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from immunosarc import schema
from immunosarc.errors import did_you_mean
from immunosarc.loaders._genes import merge_fault
from immunosarc.loaders._rules import RULES

__all__ = [
    "AssayBlock",
    "Block",
    "Manifest",
    "PatientsBlock",
    "Replicates",
    "SamplesBlock",
    "TableBlock",
    "TimeUnit",
]

TimeUnit = Literal["days", "weeks", "months", "years"]
_NF_CORE = (
    (r"gene_counts\.tsv(\.gz)?$", "none"),
    (r"gene_counts_scaled\.tsv(\.gz)?$", "scaled"),
    (r"gene_counts_length_scaled\.tsv(\.gz)?$", "length_scaled"),
)
Plain = str | bool | int | float


def _sha256(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", value):
        raise ValueError(f"{value!r} is not a SHA-256 (64 hexadecimal digits); take it from `sha256sum FILE`")
    return value.lower()


def _delimiter(value: str) -> str:
    if value not in ("\t", ",", ";", "|"):
        raise ValueError(f"{value!r} is not a delimiter; one of tab, ',', ';' and '|' is needed")
    return value


def _unit(value: str) -> str:
    if value not in schema.UNITS:
        raise ValueError(f"{value!r} is not a unit.{did_you_mean(value, schema.UNITS)}")
    return value


def _platform(value: str) -> str:
    if value not in schema.PLATFORMS:
        raise ValueError(f"{value!r} is not a platform.{did_you_mean(value, schema.PLATFORMS)}")
    return value


def _gene_id(value: str) -> str:
    if value not in ("symbol", "ensembl"):
        raise ValueError(f"{value!r} is not known; 'symbol' or 'ensembl' is needed")
    return value


def _row_names(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError(f"{value!r} cannot name a column; give a plain name")
    return value


def _plain_values(value: dict[str, Any]) -> dict[str, Any]:
    for key, one in value.items():
        several = one if isinstance(one, list) else [one]
        if not several or not all(isinstance(item, Plain) or _is_pattern(item) for item in several):
            raise ValueError(
                f"{key!r}: text, a number or true/false is needed, or a list of them, or "
                f"{{ starts_with = ..., ends_with = ... }}; found {one!r}"
            )
    return value


def _is_pattern(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and bool(item)
        and item.keys() <= {"starts_with", "ends_with"}
        and all(isinstance(text, str) and text for text in item.values())
    )


def _constants(value: dict[str, Any]) -> dict[str, Any]:
    for column, one in value.items():
        if not isinstance(one, Plain):
            raise ValueError(f"{column!r}: text, a number or true/false is needed; found {one!r}")
    return value


def _rules(value: dict[str, str]) -> dict[str, str]:
    for column, rule in value.items():
        if rule not in RULES:
            raise ValueError(f"{column}: {rule!r} is not a rule.{did_you_mean(rule, RULES)}")
    return value


def _id_rule(value: str) -> str:
    return _rules({"ids": value})["ids"]


def _recodings(value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    for column, codes in value.items():
        for code, meaning in codes.items():
            if not isinstance(meaning, Plain):
                raise ValueError(f"{column}: code {code!r} needs text, a number or true/false; found {meaning!r}")
    return value


def _assay_names(value: dict[str, Any]) -> dict[str, Any]:
    for name in value:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ValueError(f"{name!r} cannot name an assay; use letters, digits, '_' and '-'")
    return value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Replicates(_Part):
    """How several libraries of one biopsy become one sample.

    Attributes
    ----------
    of : str
        Column of the [samples] file that names the biopsy a library (``sample_id``) belongs to.
        The biopsy's name becomes the sample id.
    rule : {"first", "mean", "sum"}
        ``first`` keeps, of those measured, the first library in the order of the samples file;
        counts are combined by ``sum``, every other unit by ``mean``.
    """

    of: str = Field(description="the column of the samples file that names the biopsy")
    rule: Literal["first", "mean", "sum"] = Field(description="'first', 'mean' or 'sum'")


class Block(_Part):
    """One file of a manifest.

    Attributes
    ----------
    file : str
        Path below the data root, with ``/`` between folders.
    sha256 : str, optional
        The hash of the file as it was when the manifest was written.
    url : str, optional
        Where the file can be fetched.
    delimiter : str, optional
        Needed when the name ends neither in .tsv, .txt, .csv (each also with .gz), .xlsx nor .parquet.
    sheet : str, optional
        The sheet of an Excel workbook; needed when there are several.
    missing : list of str
        Codes that mean "missing"; an empty cell always does.
    row_names : str, optional
        The name that the first column shall have, where R's ``write.table`` wrote none for it, so
        that the header has one cell less than each row.
    """

    file: str = Field(description="the path of a file below the data root")
    sha256: Annotated[str, AfterValidator(_sha256)] | None = None
    url: str | None = None
    delimiter: Annotated[str, AfterValidator(_delimiter)] | None = None
    sheet: str | None = None
    missing: list[str] = []
    row_names: Annotated[str, AfterValidator(_row_names)] | None = None


class TableBlock(Block):
    """A clinical table: patients, samples or a long table.

    Attributes
    ----------
    columns : dict of str to str
        Our name -> column of the file. Without it, the file's columns that carry our names are
        taken, and no others.
    recode : dict of str to dict
        Our name -> {code in the file -> value}. Every code must be listed.
    constants : dict
        Our name -> the value that every row has, where the file has no column for it.
    transform : dict of str to str
        Our name -> a rule of the closed vocabulary (``inverted``, ``objective_response``,
        ``years_to_months``, ``tcga_sample``, ...), applied after ``recode``.
    day_one : str, optional
        Column of the file with the date of the first dose. Columns of study days then hold dates
        (YYYY-MM-DD), and only the study days leave the loader.
    keep : dict
        Column of the file -> value, or list of values, of the rows that stay. A value is text,
        a number, true/false, or ``{ starts_with = "...", ends_with = "..." }``.
    drop : dict
        As ``keep``, for the rows that leave.
    comment : str, optional
        How lines above the header begin that are no rows (``"#"``).
    dictionary : str, optional
        Path of the data dictionary of a REDCap export: codes of radio buttons and drop-down lists become
        their labels before ``recode``, ``keep`` and ``drop`` read them; yes/no, true/false and check
        boxes become 1 and 0.
    first_dose : dict, optional
        Column of the file -> value, or list of values, of the rows that are doses, where times are days
        from another origin than the first dose. The earliest such row of a patient is day 1.
    event_without_time : {"missing"}, optional
        Read an event flag whose time is empty as missing; without it such a row is a mistake.
    cdisc : str, optional
        The file is this SDTM domain or ADaM data set (DM, ADSL, DS, ADRS, ADTTE; AE, ADAE, EX, CM,
        RS, TR): its variables, codes and censoring (``CNSR`` 0 is an event) are read as the standard
        says, and dates become study days by the first dose in DM or ADSL. The other keys of the
        block go before it.
    tumors : str, optional
        Path of the TU domain beside ``cdisc = "TR"``: which lesions are lymph nodes.
    """

    cdisc: str | None = None
    tumors: str | None = None
    columns: dict[str, str] = {}
    recode: Annotated[dict[str, dict[str, Any]], AfterValidator(_recodings)] = {}
    constants: Annotated[dict[str, Any], AfterValidator(_constants)] = {}
    transform: Annotated[dict[str, str], AfterValidator(_rules)] = {}
    day_one: str | None = None
    keep: Annotated[dict[str, Any], AfterValidator(_plain_values)] = {}
    drop: Annotated[dict[str, Any], AfterValidator(_plain_values)] = {}
    comment: Annotated[str, AfterValidator(_row_names)] | None = None
    dictionary: str | None = None
    first_dose: Annotated[dict[str, Any], AfterValidator(_plain_values)] = {}
    event_without_time: Literal["missing"] | None = None

    @model_validator(mode="after")
    def _one_origin_of_days(self) -> TableBlock:
        if self.first_dose and self.day_one is not None:
            raise ValueError("day_one and first_dose both say which day is the first; keep one")
        return self


class PatientsBlock(TableBlock):
    """The table of patients.

    Attributes
    ----------
    also : list of TableBlock
        Further files with columns of patients, joined by ``patient_id``: a trial's export keeps
        responses and times in files of their own. No column may come from two files.
    """

    also: list[TableBlock] = []


class SamplesBlock(TableBlock):
    """The table of samples, or of libraries.

    Attributes
    ----------
    replicates : Replicates, optional
        Which libraries are one biopsy, and how an assay combines them.
    """

    replicates: Replicates | None = None


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
    replicates : Replicates, optional
        Overrides the rule of [samples] for this assay.
    features : list of str
        Columns of a table with one row per sample that holds other things too; by default every
        column is a feature. Needs ``id_column`` and ``orientation = "samples_by_genes"``.
    id_column : str, optional
        The column that names the sample, together with ``features``.
    id_rule : str, optional
        A rule of ``transform`` (``tcga_sample``) that makes sample ids of that column.
    keep, drop : dict
        Rows that stay or leave, together with ``features``; see :class:`TableBlock`.
    """

    unit: Annotated[str, AfterValidator(_unit)] = Field(description=f"one of {', '.join(schema.UNITS)}")
    orientation: Literal["genes_by_samples", "samples_by_genes"] = Field(
        description="'genes_by_samples' or 'samples_by_genes'"
    )
    gene_id: Annotated[str, AfterValidator(_gene_id)] = Field(description="'symbol' or 'ensembl'")
    symbol_column: str | None = None
    gene_map: str | None = None
    repair_symbols: bool = False
    duplicates: str | None = None
    layer: str | None = None
    sample_prefix: str | None = None
    r_names: bool = False
    ignore_columns: list[str] = []
    format: Literal["salmon"] | None = None
    transcript_map: str | None = None
    round_counts: bool = False
    counts_scaling: Literal["none", "scaled", "length_scaled"] | None = None
    platform: Annotated[str, AfterValidator(_platform)] | None = None
    pseudocount: float | None = None
    gene_lengths: str | None = None
    replicates: Replicates | None = None
    features: list[str] = []
    id_column: str | None = None
    id_rule: Annotated[str, AfterValidator(_id_rule)] | None = None
    keep: Annotated[dict[str, Any], AfterValidator(_plain_values)] = {}
    drop: Annotated[dict[str, Any], AfterValidator(_plain_values)] = {}

    @model_validator(mode="after")
    def _features_have_an_id(self) -> AssayBlock:
        if bool(self.features) != (self.id_column is not None):
            raise ValueError("features and id_column go together: which columns, and which one names the sample")
        if self.features and self.orientation != "samples_by_genes":
            raise ValueError("features are columns, so each row is a sample: orientation = 'samples_by_genes'")
        if not self.features and (self.keep or self.drop or self.id_rule):
            raise ValueError("keep, drop and id_rule need features and id_column: the table of which rows leave")
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


class Manifest(_Part):
    """What a cohort's files are and what they mean; nothing in them is guessed.

    Attributes
    ----------
    name : str
        Short name of the cohort.
    title, citation, license, source : str
        For the report and for those who use the data.
    time_unit : {"days", "weeks", "months", "years"}, optional
        Of ``pfs_time`` and ``os_time``; a week has 7 days, a month 30.4375, a year 365.25.
    caveats : list of str
        What a reader of the results has to know.
    patients : PatientsBlock
    samples : SamplesBlock, optional
        The clinical tables; ``samples`` is needed for assays.
    assays : dict of str to AssayBlock
        Measurements, by the name they get in the cohort.
    tables : dict of str to TableBlock
        Long tables, by the names of ``schema.LONG_TABLES``.
    plan : dict
        The analysis plan, kept as it is.

    Examples
    --------
    >>> manifest = Manifest(name="toy", patients=PatientsBlock(file="clinical.tsv"))
    >>> manifest.patients.file
    'clinical.tsv'
    """

    name: str = Field(description="a short name of the cohort")
    title: str = ""
    citation: str = ""
    license: str = ""
    source: str = ""
    time_unit: TimeUnit | None = None
    caveats: list[str] = []
    patients: PatientsBlock = Field(description="a table with file, columns, ...")
    samples: SamplesBlock | None = None
    assays: Annotated[dict[str, AssayBlock], AfterValidator(_assay_names)] = {}
    tables: dict[str, TableBlock] = {}
    plan: dict[str, Any] = {}
