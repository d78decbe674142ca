"""The blocks of a manifest that name clinical tables: patients, samples, long tables."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from immunosarc.loaders._declared import (
    constant_values,
    known_delimiter,
    known_rules,
    plain_name,
    recodings,
    row_values,
    sha256_of_file,
)

__all__ = ["Block", "ManifestPart", "PatientsBlock", "Replicates", "SamplesBlock", "TableBlock", "TimeUnit"]

TimeUnit = Literal["days", "weeks", "months", "years"]


class ManifestPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Replicates(ManifestPart):
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


class Block(ManifestPart):
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
    sha256: Annotated[str, AfterValidator(sha256_of_file)] | None = None
    url: str | None = None
    delimiter: Annotated[str, AfterValidator(known_delimiter)] | None = None
    sheet: str | None = None
    missing: list[str] = []
    row_names: Annotated[str, AfterValidator(plain_name)] | None = None


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
    distinct : bool
        The file has a row for each cell or clonotype: rows that agree in every column that the block names
        are read once. Rows that do not agree stay, and are told apart as everywhere.
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
    recode: Annotated[dict[str, dict[str, Any]], AfterValidator(recodings)] = {}
    constants: Annotated[dict[str, Any], AfterValidator(constant_values)] = {}
    transform: Annotated[dict[str, str], AfterValidator(known_rules)] = {}
    day_one: str | None = None
    keep: Annotated[dict[str, Any], AfterValidator(row_values)] = {}
    drop: Annotated[dict[str, Any], AfterValidator(row_values)] = {}
    comment: Annotated[str, AfterValidator(plain_name)] | None = None
    dictionary: str | None = None
    first_dose: Annotated[dict[str, Any], AfterValidator(row_values)] = {}
    distinct: bool = False
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
