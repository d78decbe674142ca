"""The gate against names, numbers and dates that identify a person."""

from __future__ import annotations

import pandas as pd
import pytest

from immunosarc.errors import PrivacyError
from immunosarc.loaders._privacy import calendar_dates, identifying

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
