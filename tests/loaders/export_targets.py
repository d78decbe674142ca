"""Exports of programs, spoilt: salmon, REDCap, cBioPortal, CDISC."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from tests.loaders import test_cbioportal, test_cdisc, test_pipelines, test_redcap
from tests.loaders.targets import Answer, Target, rows_of
from tests.loaders.xport import write_xport


def salmon() -> Target:
    good = {f"salmon/{name}/quant.sf": test_pipelines._quant(name).encode() for name in test_pipelines.QUANT}
    files = good | {"clinical.tsv": test_pipelines.CLINICAL.encode(), "tx2gene.tsv": test_pipelines.MAP.encode()}

    def same(data: bytes, cohort: Answer) -> bool:
        rows = rows_of(data)
        tpm = rows[0].index("TPM")
        return np.isclose(cohort["rna"].X[0].sum(), sum(float(row[tpm]) for row in rows[1:]), rtol=1e-12)

    return Target("salmon/S1/quant.sf", files, test_pipelines.HEAD + test_pipelines.SALMON, same, part="rna")


def redcap(file: str) -> Target:
    files = {"export.csv": test_redcap.EXPORT.encode(), "dictionary.csv": test_redcap.DICTIONARY.encode()}
    manifest = test_redcap.MANIFEST.split("columns")[0].replace('missing = ["Not known"]\n', "") + (
        'columns = { patient_id = "record_id", sex_at_birth = "sex" }\n'
    )
    labels = {"1": "Female", "2": "Male", "9": "Not known"}

    def same(data: bytes, cohort: Answer) -> bool:
        if file != "export.csv":
            return len(cohort.patients) == 3
        rows = rows_of(data, ",")
        name, form, sex = (rows[0].index(one) for one in ("record_id", "redcap_repeat_instrument", "sex"))
        wanted = {row[name]: labels.get(row[sex].strip(), row[sex].strip()) for row in rows[1:] if row[form] == ""}
        return cohort.patients["sex_at_birth"].fillna("").to_dict() == wanted

    return Target(file, files, manifest, same)


FIRST_DOSES = {row.USUBJID: row.RFXSTDTC[:10] for row in test_cdisc.DM.itertuples()}


def gene_map() -> Target:
    target = salmon()

    def same(data: bytes, cohort: Answer) -> bool:
        header, *rows = rows_of(data)
        genes = {row[header.index("gene_name")] for row in rows}
        return set(cohort["rna"].var_names) <= genes and np.allclose(cohort["rna"].X.sum(axis=1), 1e6)

    return Target("tx2gene.tsv", target.files, target.manifest, same, part="rna")


_MISSING = ("", "NA", "[Not Available]", "[Not Applicable]", "[Unknown]", "[Discrepancy]")


def _ages(data: bytes, cohort: Answer) -> bool:
    rows = rows_of(data, comment="#")
    ages = {
        row[rows[0].index("PATIENT_ID")]: row[rows[0].index("AGE")] if "AGE" in rows[0] else "" for row in rows[1:]
    }
    found = cohort.patients.get("age", pd.Series(np.nan, index=cohort.patients.index))
    return set(found.index) == set(ages) and all(
        np.isnan(found[one]) if age.strip() in _MISSING else found[one] == float(age) for one, age in ages.items()
    )


def _pairs(*columns: str, only: Callable[[dict[str, str]], bool] = lambda _: True) -> Callable[..., bool]:
    """Every row of the file is a row of the table, in the first two columns of both."""

    def same(data: bytes, cohort: Answer) -> bool:
        header, *rows = rows_of(data, comment="#")
        named = [dict(zip(header, row, strict=True)) for row in rows]
        wanted = [tuple(row[name] for name in columns[:2]) for row in named if only(row)]
        found = cohort.rows[list(columns[2:])].astype(str)
        return sorted(wanted) == sorted(found.itertuples(index=False, name=None))

    return same


def _expression(data: bytes, cohort: Answer) -> bool:
    header, *rows = rows_of(data)
    samples = [at for at, name in enumerate(header) if name not in ("Hugo_Symbol", "Entrez_Gene_Id")]
    found = cohort["rna"].to_df()
    return list(found.columns) == [row[0] for row in rows] and all(
        np.array_equal(
            found.loc[header[at]],
            [np.nan if row[at].strip() in ("", "NA") else float(row[at]) for row in rows],
            equal_nan=True,
        )
        for at in samples
    )


_STUDY_FILES: dict[str, tuple[str, Callable[..., bool]]] = {
    "data_clinical_patient.txt": ("patients", _ages),
    "data_clinical_sample.txt": ("samples", _pairs("SAMPLE_ID", "PATIENT_ID", "sample_id", "patient_id")),
    "data_timeline_treatment.txt": (
        "medications",
        _pairs(
            *("PATIENT_ID", "AGENT", "patient_id", "drug"),
            only=lambda row: row.get("EVENT_TYPE", "Treatment") in ("TREATMENT", "Treatment"),
        ),
    ),
    "data_mrna_seq_v2_rsem.txt": ("rna", _expression),
    "data_mutations.txt": ("variants", _pairs("Tumor_Sample_Barcode", "Hugo_Symbol", "sample_id", "gene")),
    "meta_mrna.txt": ("rna", lambda _, cohort: len(cohort.patients) == 3),
}


def cbioportal(file: str) -> Target:
    files = {f"study/{name}": text.encode() for name, text in test_cbioportal.STUDY.items()}
    patients = [line.split("\t") for line in test_cbioportal.STUDY["data_clinical_patient.txt"].splitlines()]
    files["study/data_clinical_patient.txt"] = "".join(f"{row[0]}\t{row[2]}\n" for row in patients).encode()
    manifest, (part, same) = test_cbioportal.MANIFEST, _STUDY_FILES[file]
    if part != "medications":
        manifest = manifest.replace('first_dose = { AGENT = "Doxorubicin" }\n', "")
    return Target(f"study/{file}", files, manifest, same, refused=0.1, part=part)


def _bytes(frame: pd.DataFrame, ending: str) -> bytes:
    if ending == "csv":
        return frame.to_csv(index=False).encode()
    if ending == "parquet":
        buffer = io.BytesIO()
        frame.to_parquet(buffer)
        return buffer.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        write_xport(frame, Path(folder) / "one.xpt")
        return (Path(folder) / "one.xpt").read_bytes()


def _diameters(data: bytes, cohort: Answer) -> bool:
    header, *rows = rows_of(data, ",")
    named = [dict(zip(header, row, strict=True)) for row in rows]
    kept = [row for row in named if row["TRTESTCD"] in ("DIAMETER", "TUMSTATE")]
    said = [row.get("TRSTRESN", row["TRSTRESC"]) for row in kept if row["TRTESTCD"] == "DIAMETER"]
    sizes = [float(size) for size in said if size.strip()]
    found = cohort.rows["diameter_mm"]
    return len(cohort.rows) == len(kept) and sorted(found.dropna()) == sorted(sizes)


def _times(data: bytes, cohort: Answer) -> bool:
    header, *rows = rows_of(data, ",")
    named = [dict(zip(header, row, strict=True)) for row in rows]
    wanted = {row["USUBJID"]: row["AVAL"].strip() for row in named if row["PARAMCD"] == "PFS"}
    found = cohort.rows.set_index("patient_id")["pfs_days"]
    return set(found.index) == set(wanted) and all(
        np.isnan(found[one]) if not days else found[one] == float(days) for one, days in wanted.items()
    )


def _some_rows(_: bytes, cohort: Answer) -> bool:
    """Nothing but the reader itself reads these bytes: rows there must be, with their patients."""
    return len(cohort.rows) > 0 and bool(cohort.rows["patient_id"].notna().all())


def cdisc(domain: str, ending: str) -> Target:
    frames = {"dm": test_cdisc.DM, domain: getattr(test_cdisc, domain.upper())}
    files = {f"{name}.{ending}": _bytes(frame, ending) for name, frame in frames.items()}
    manifest = f'name = "toy"\ntime_unit = "days"\n[patients]\nfile = "dm.{ending}"\ncdisc = "DM"\n'
    block = "[[patients.also]]" if domain == "adtte" else "[tables.lesions]"
    manifest += f'{block}\nfile = "{domain}.{ending}"\ncdisc = "{domain.upper()}"\n'
    same = _some_rows if ending != "csv" else _times if domain == "adtte" else _diameters
    part = "also" if domain == "adtte" else "lesions"
    return Target(f"{domain}.{ending}", files, manifest, same, refused=0.2, part=part)
