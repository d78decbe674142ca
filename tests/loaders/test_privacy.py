"""The gate against names, numbers and dates that identify a person."""

from __future__ import annotations

import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import PrivacyError
from immunosarc.loaders._privacy import calendar_dates, identifying, one_of_its_own, revealing

REFUSED = [
    "name", "Name", "NAME", "surname", "Surname", "first name", "FirstName", "firstname", "last_name", "Last.Name",
    "patient_name", "PatientName", "Name of the patient", "subject name", "full_name", "maiden name", "initials",
    "Patient Initials", "date of birth", "DateOfBirth", "date_of_birth", "dob", "DOB", "Pt DOB", "birth date",
    "BirthDate", "birthdate", "birthday", "mrn", "MRN", "hospital_mrn", "medical record", "Medical Record Number",
    "medical_record_no", "ssn", "SSN", "social security number", "address", "Home Address", "zip", "ZIP code",
    "zip_code", "postal code", "phone", "Phone No.", "phone_number", "telephone", "email", "E-mail",
    "email_address",
    "physician name", "next of kin name", "Geburtsdatum",
]  # fmt: skip
ALLOWED = [
    "sample_name", "gene_name", "histology_name", "drug_name", "file_name", "site_name", "Gene.name", "filename",
    "patient_id", "subject_id", "phenotype", "Immune.phenotype", "microphone_free", "zipper", "unnamed",
    "namespace",
    "addressed_by_therapy", "birth_year", "year_of_birth", "age_at_death", "record_id", "medical_center_type",
    "emailed", "initial_dose", "reader", "first_dose_day", "last_alive_day", "ZIP4", "DOBI", "surnamed", "TNAME1",
    "best_overall_response", "hospital", "social_support",
]  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_column_names_that_identify_a_person(name: str) -> None:
    assert identifying([name, "x"]) == [name]


@pytest.mark.parametrize("name", ALLOWED)
def test_column_names_that_do_not(name: str) -> None:
    assert identifying([name]) == []


def test_no_gene_symbol_is_taken_for_a_person(shared) -> None:
    genes = pd.read_csv(shared / "domain" / "gene_aliases.tsv", sep="\t", keep_default_na=False)[
        "approved"
    ].unique()
    assert identifying(genes) == []


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-01", "2024/3/1", "1.3.2024", "03/31/2024", "3/1/24", "01-Mar-2024", "1 March 2024", "12MAR24",
        "Mar 1, 2024", "2024-03-01 08:30", "2024-03-01T08:30:00Z",
    ],
)  # fmt: skip
def test_calendar_dates(text: str) -> None:
    assert calendar_dates(pd.Series([text, "x"]), are_ids=False).tolist() == [True, False]


@pytest.mark.parametrize(
    "text", ["12.5", "1-2", "III-B", "1/2", "2024", "2024-03", "T-01", "3.14.15.9", "-7", "mar", ""]
)
def test_not_calendar_dates(text: str) -> None:
    assert not calendar_dates(pd.Series([text]), are_ids=False).any()


def test_in_ids_only_dates_with_a_full_year_count() -> None:
    ids = pd.Series(["01-02-03", "2019-03-12", "20190312"])
    assert calendar_dates(ids, are_ids=True).tolist() == [False, True, False]


def test_eight_digits_are_dates_when_all_of_a_column_are() -> None:
    assert calendar_dates(pd.Series(["20240131", "", "20231207"]), are_ids=False).tolist() == [True, False, True]
    assert not calendar_dates(pd.Series(["20240131", "20231399"]), are_ids=False).any()


def test_a_clinical_file_with_names_is_refused_even_when_they_are_not_mapped(toy) -> None:
    toy.change("clinical.tsv", "rep\tward", "rep\tPatient Name")
    with pytest.raises(PrivacyError) as caught:
        toy.load()
    message = str(caught.value)
    assert "in/clinical.tsv line 1: column 'Patient Name' identify persons" not in message
    assert "in/clinical.tsv line 1: column 'Patient Name' identifies a person; delete from the file" in message


def test_an_expression_file_is_behind_the_same_gate(toy) -> None:
    toy.change("counts.tsv", "gene\t", "surname\t")
    with pytest.raises(PrivacyError, match=r"in/counts\.tsv line 1: column 'surname'"):
        toy.load()


def test_dates_in_mapped_columns_are_refused_and_not_repeated(toy) -> None:
    toy.change("clinical.tsv", "S4\tP3\tbaseline\t-7", "S4\tP3\tbaseline\t2024-02-29")
    with pytest.raises(PrivacyError) as caught:
        toy.load()
    assert "in/clinical.tsv line 6, column 'day': looks like a calendar date; dates leave as study days" in str(
        caught.value
    )
    assert "2024-02-29" not in str(caught.value)


def test_a_breach_of_privacy_gives_its_class_to_a_mixture(toy) -> None:
    toy.change("clinical.tsv", "rep\tward", "rep\tdob").change("counts.tsv", "\t40", "\t40.5")
    with pytest.raises(PrivacyError, match="2 problem"):
        toy.load()


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("scans/Miller_ct.dcm", "is the name of a file"),
        ("/home/site/P1", "is the name of a file"),
        ("C:\\\\data\\\\P1", "is the name of a file"),
        ("a.miller@clinic.org", "is a mail address"),
        ("123-45-6789", "social security number"),
        ("+1 (555) 010-9999", "telephone number"),
        ("(555) 010-9999", "telephone number"),
        ("555-010-9999", "telephone number"),
        ("seen by Dr. Miller", "names a person with a title"),
        ("Mrs Roe", "names a person with a title"),
        ("the patient told her husband that she felt much better after the third infusion", "is free text"),
        ("x" * 121, "is free text"),
    ],
)
def test_values_that_may_name_a_person_are_refused_and_not_repeated(toy, cell: str, words: str) -> None:
    toy.change("clinical.tsv", "61\t0\t07\nS2", f"61\t0\t{cell}\nS2")
    with pytest.raises(PrivacyError) as caught:
        toy.load()
    message = str(caught.value)
    assert f"in/clinical.tsv line 2, column 'ward': {'looks' if 'looks' in words else ''}" in message
    assert words in message
    assert cell not in message


@pytest.mark.parametrize("name", ["Jane Roe", "Roe, Jane", "Roe,Jane", "María José Núñez"])
def test_an_id_in_the_form_of_a_name_is_refused_and_not_repeated(toy, name: str) -> None:
    toy.change("clinical.tsv", "S4\tP3", f"S4\t{name}")
    with pytest.raises(PrivacyError) as caught:
        toy.load()
    assert "line 6, column 'patient': has the form of a person's name; use study numbers" in str(caught.value)
    assert name not in str(caught.value)


@pytest.mark.parametrize("name", ["P1", "Pt 7", "UCLA-12", "TCGA-3B-A9HI-01", "site A 12", "MGH", "S1_pre"])
def test_study_numbers_are_no_names(name: str) -> None:
    found = revealing(pd.Series([name]), are_ids=True, open_text=False)
    assert [words for mask, words in found if mask.any()] == []


@pytest.mark.parametrize(
    "cell",
    [
        "NON-CR/NON-PD",
        "mg/kg",
        "CD4/CD8",
        "v1.2",
        "stage IV",
        "T2.N1",
        "12-34-56",
        "12-345-6789",
        "+1.5",
        "MS (multiple sclerosis)",
        "DrugX 5 mg",
        "Prof opinion",
        "3.14",
        "Upper abdominal - Kidney (left) | Lower abdominal - Pelvic wall | Other (please specify below)",
    ],
)
def test_values_that_name_nobody_are_let_by(cell: str) -> None:
    assert revealing_of(cell) == []


def revealing_of(cell: str) -> list[str]:
    found = revealing(pd.Series([cell]), are_ids=False, open_text=True)
    return [words.split(";")[0] for mask, words in found if mask.any()]


def test_recoded_and_listed_values_may_be_long(toy) -> None:
    long = "a response that the site wrote down in very many words for whatever reason there was"
    toy.change("clinical.tsv", "S4\tP3\tbaseline\t-7\tNA", f"S4\tP3\tbaseline\t-7\t{long}")
    toy.change(
        "toy.toml",
        "[patients.recode]",
        f'[patients.recode]\nbest_overall_response = {{ PR = "PR", PD = "PD", "{long}" = "SD" }}',
    )
    assert toy.load().patients.loc["P3", "best_overall_response"] == "SD"


def test_a_column_named_for_free_text_is_refused_where_it_is_mapped(toy) -> None:
    toy.change("clinical.tsv", "rep\tward", "rep\tcomments")
    toy.change("toy.toml", 'ward = "ward"', 'ward = "comments"')
    with pytest.raises(PrivacyError, match=r"column 'comments': holds free text by its name"):
        toy.load()
    toy.change("toy.toml", 'ward = "comments"\n', "")
    assert "ward" not in toy.load().patients


def test_a_column_is_let_through_by_name_and_recorded(toy) -> None:
    toy.change("clinical.tsv", "rep\tward", "rep\tward name").change(
        "toy.toml", 'ward = "ward"', 'ward = "ward name"'
    )
    toy.change("clinical.tsv", "61\t0\t07\nS2", "61\t0\twing.txt\nS2").change(
        "clinical.tsv", "F\t61\t0\t07\nS3", "F\t61\t0\twing.txt\nS3"
    )
    with pytest.raises(PrivacyError, match="column 'ward name': is the name of a file"):
        toy.load()
    cohort = ims.load_cohort(toy.manifest, allow_columns=["ward name"])
    assert cohort.patients.loc["P1", "ward"] == "wing.txt"
    assert cohort.provenance["allowed_columns"] == ["ward name"]
    assert ims.check(toy.manifest, allow_columns=("ward name",))  # the toy's plan has a mistake of its own
    with pytest.raises(
        ims.errors.ManifestError, match=r"allow_columns: no column 'wardname' would have been refused"
    ):
        ims.load_cohort(_clean(toy).manifest, allow_columns=["wardname"])
    assert "allowed_columns" not in ims.load_cohort(_clean(toy).manifest).provenance


def _clean(toy):
    text = toy.path("clinical.tsv").read_text().replace("wing.txt", "07")
    return toy.write("clinical.tsv", text)


def test_a_header_that_names_persons_is_let_through_by_name(toy) -> None:
    toy.change("clinical.tsv", "rep\tward", "rep\tmobile").change("toy.toml", 'ward = "ward"', 'ward = "mobile"')
    with pytest.raises(PrivacyError, match=r"column 'mobile' identifies a person.*--allow-column"):
        toy.load()
    assert ims.load_cohort(toy.manifest, allow_columns=["mobile"]).provenance["allowed_columns"] == ["mobile"]
    with pytest.raises(PrivacyError, match="identifies a person"):
        ims.loaders.draft_manifest(toy.path("clinical.tsv"), toy.path("counts.tsv"))
    assert "[patients]" in ims.loaders.draft_manifest(
        toy.path("clinical.tsv"), toy.path("counts.tsv"), allow_columns=["mobile"]
    )


@pytest.mark.parametrize("cell", ["2020-03-01", "a.miller@clinic.org", "scans/Miller_ct.dcm"])
def test_why_a_row_left_does_not_repeat_what_may_name_a_person(toy, cell: str) -> None:
    toy.change(
        "clinical.tsv",
        "S3b\tP2\tbaseline\t1\tPD\t1.5\tyes\tM\t48\t1\t11",
        f"S3b\tP2\tbaseline\t1\tPD\t1.5\tyes\tM\t48\t1\t{cell}",
    )
    toy.change("toy.toml", "keep = { rep = 0 }", f'drop = {{ ward = {{ ends_with = "{cell[-3:]}" }} }}')
    toy.change("toy.toml", 'ward = "ward"\n', "")
    reasons = [row[2] for step in toy.load().provenance["loading"] for row in step["left_out"]]
    assert "ward is a value that is not repeated" in reasons
    assert not any(cell in reason for reason in reasons)


WHO = ["P1", "P1", "P2", "P3", "P4"]


@pytest.mark.parametrize(
    ("numbers", "name", "found"),
    [
        (["4471823", "4471823", "5518204", "4902217", "4902218"], "id2", True),
        (["4471823", "", "5518204", "4902217", "4902218"], "id2", True),
        (["0471823", "0471823", "0518204", "0902217", ""], "id2", True),
        (["4471823", "4471823", "5518204", "5518204", "4902218"], "id2", False),  # two patients share one
        (["4471823", "4471824", "5518204", "4902217", "4902218"], "id2", False),  # one patient has two
        (["447182", "447182", "5518204", "4902217", "4902218"], "id2", False),  # of two lengths
        (["44718", "44718", "55182", "49022", "49021"], "id2", False),  # five digits: LDH, a zip of a ward
        (["44718231123", "44718231123", "55182041123", "49022171123", "49022181123"], "id2", False),
        (["4471820", "4471820", "5518200", "4902210", "4902100"], "id2", False),  # rounded
        (["4471823", "4471823", "5518204", "4902217", "4902218"], "Total_reads", False),
        (["4471823", "4471823", "5518204", "", ""], "id2", False),  # two numbers say little
        (["44718.3", "44718.3", "5518204", "4902217", "4902218"], "id2", False),
        (["", "", "", "", ""], "id2", False),
    ],
)
def test_a_number_of_its_own_for_each_patient_is_like_a_record_number(numbers, name: str, found: bool) -> None:
    said = one_of_its_own(pd.Series(numbers), pd.Series(WHO), name=name)
    assert (said == "numbers of one length, one for each patient, as record numbers are") is found
    assert found or said is None


NAMES = ["Jane Roe", "Jane Roe", "ROE, JOHN", "María José Núñez", "Ann B. Lee", "Wu, Li"]


def test_capitals_of_its_own_for_each_patient_are_like_names() -> None:
    who = pd.Series(["P1", "P1", "P2", "P3", "P4", "P5"])
    assert (
        one_of_its_own(pd.Series(NAMES), who, name="x")
        == "words with capitals, others for each patient, as names are"
    )
    others = {
        "four patients": [*NAMES[:4], "Ann Lee", ""],
        "two patients share one": [*NAMES[:5], "Ann B. Lee"],
        "one patient has two": ["Jane Doe", *NAMES[1:]],
        "a word without a capital": [*NAMES[:5], "Left thigh"],
        "one word": [*NAMES[:5], "Thigh"],
        "a code": [*NAMES[:5], "Stage IV2"],
    }
    for why, cells in others.items():
        assert one_of_its_own(pd.Series(cells), who, name="x") is None, why


def test_record_numbers_under_any_name_are_refused_and_not_repeated(toy) -> None:
    numbers = {"S1": "7301822", "S2": "7301822", "S3": "6650041", "S3b": "6650041", "S4": "7115306"}
    head, *rows = toy.path("clinical.tsv").read_text().splitlines()
    rows = [row.rsplit("\t", 1)[0] + "\t" + numbers[row.split("\t")[0]] for row in rows]
    toy.write("clinical.tsv", "\n".join([head, *rows]) + "\n")
    with pytest.raises(PrivacyError) as caught:
        toy.load()
    said = str(caught.value)
    assert "in/clinical.tsv, column 'ward': holds numbers of one length, one for each patient" in said
    assert '--allow-column "ward"' in said
    assert not any(number in said for number in numbers.values())
    cohort = ims.load_cohort(toy.manifest, allow_columns=["ward"])
    assert cohort.provenance["allowed_columns"] == ["ward"]
    assert cohort.patients.loc["P1", "ward"] == 7301822
    toy.change("toy.toml", 'ward = "ward"\n', "")
    assert "ward" not in toy.load().patients  # what is not mapped never comes in
