"""The gate against names, numbers, dates and texts that identify a person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pandas as pd

__all__ = ["Gate", "calendar_dates", "holds_free_text", "identifying", "one_of_its_own", "revealing"]


@dataclass
class Gate:
    """The columns that a user lets through by name, and those of them that would have been refused.

    Attributes
    ----------
    allowed : frozenset of str
        Columns of the files.
    passed : set of str
        Those that the gate had a reason to refuse; for the record.
    """

    allowed: frozenset[str] = frozenset()
    passed: set[str] = field(default_factory=set)

    def lets(self, column: str) -> bool:
        """Return whether a column that would be refused may pass, and remember it."""
        if column in self.allowed:
            self.passed.add(column)
            return True
        return False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# One such word is enough, wherever it stands in a column's name.
_ALWAYS = _words(
    "surname forename initials dob birthdate birthday mrn ssn phone telephone mobile fax email "
    "address zip zipcode postcode vorname nachname geburtsdatum apellido apellidos prenom"
)
# "name" alone, or together with one of these, is a person's; sample_name or gene_name is not.
_PERSON = _words(
    "patient subject participant person pt first last full family given middle maiden legal birth nick "
    "physician doctor surgeon investigator nurse mother father spouse relative contact kin own"
)
_FILLERS = _words("of the and s next")
_JOINED = _words(
    "firstname lastname fullname familyname givenname middlename maidenname patientname subjectname "
    "medicalrecordnumber medicalrecord socialsecuritynumber dateofbirth streetaddress emailaddress "
    "phonenumber telephonenumber postalcode hospitalnumber nhsnumber"
)
_TOGETHER = (
    {"medical", "record"},
    {"date", "birth"},
    {"birth", "day"},
    {"social", "security"},
    {"postal", "code"},
    {"e", "mail"},
    {"hospital", "number"},
    {"nhs", "number"},
    {"chart", "number"},
    {"accession", "number"},
    {"insurance", "number"},
    {"passport", "number"},
)
_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_TIME = r"([T ]\d{1,2}:\d{2}.*)?"
_YEAR_FIRST = rf"(19|20)\d\d([-/.])(0?[1-9]|1[0-2])\2(0?[1-9]|[12]\d|3[01]){_TIME}"
_YEAR_LAST = r"(0?[1-9]|[12]\d|3[01])([-/.])(0?[1-9]|[12]\d|3[01])\2(19|20)\d\d" + _TIME
_SHORT_YEAR = r"(0?[1-9]|[12]\d|3[01])([-/.])(0?[1-9]|[12]\d|3[01])\2\d\d" + _TIME
_WITH_MONTH = rf"\d{{1,2}}[-/ .]*{_MONTH}[-/ .,]*\d{{2,4}}|{_MONTH}[-/ .]*\d{{1,2}}(st|nd|rd|th)?,? +\d{{4}}"
_ANYWHERE = tuple(
    re.compile(pattern, re.IGNORECASE) for pattern in (_YEAR_FIRST, _YEAR_LAST, _SHORT_YEAR, _WITH_MONTH)
)
_COMPACT = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")


def identifying(names: Iterable[str]) -> list[str]:
    """Return the column names that say who a person is.

    Examples
    --------
    >>> identifying(["patient_id", "PatientName", "gene_name", "date of birth", "e-mail"])
    ['PatientName', 'date of birth', 'e-mail']
    """
    return [name for name in names if _identifies(name)]


def _identifies(name: str) -> bool:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = [word.lower() for word in re.findall(r"[^\W_]+", spaced)]
    found = set(words)
    if found & _ALWAYS or "".join(words) in _JOINED or found & _JOINED:
        return True
    if found & {"name", "names"} and found <= {"name", "names"} | _PERSON | _FILLERS:
        return True
    return any(pair <= found for pair in _TOGETHER)


def calendar_dates(values: pd.Series, *, are_ids: bool) -> pd.Series:
    """Return which values look like calendar dates.

    Parameters
    ----------
    values : Series of str
    are_ids : bool
        In ids only dates with a four-digit year count: 01-02-03 is a common patient number.

    Returns
    -------
    Series of bool
    """
    patterns = _ANYWHERE[:2] if are_ids else _ANYWHERE
    distinct = {text: text.strip() for text in values.unique()}
    dates = {text for text, bare in distinct.items() if any(one.fullmatch(bare) for one in patterns)}
    filled = {text: bare for text, bare in distinct.items() if bare}
    if not are_ids and filled and all(_COMPACT.fullmatch(bare) for bare in filled.values()):
        dates |= filled.keys()
    return values.isin(dates)


_FREE_TEXT = _words("comment comments note notes remark remarks narrative freetext verbatim anamnesis")
_MOST_WORDS, _LONGEST = 12, 120
_BASES = re.compile("[ACGTUNacgtun-]+")
_FILE = re.compile(
    r"(file:|~?/|[A-Za-z]:\\|\\\\).*[^/\\].*|.*[^.\s]\.(bam|bai|cram|sam|fastq|fq|vcf|bcf|dcm|dicom|svs|ndpi|mrxs|tiff?|"
    r"jpe?g|png|pdf|docx?|rtf|xlsx?|csv|tsv|txt|zip|gz|tar|h5ad|h5|rds|rda|nii|msg|eml)",
    re.IGNORECASE,
)
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_LIKE_A_NAME = re.compile(r"[^\W\d_]{2,}(,? +[^\W\d_]{2,}|, *[^\W\d_]{2,})+")
_PHONE = re.compile(r"\+\d[\d ().-]{7,}\d|(\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}")
_WITH_TITLE = re.compile(r".*\b(Dr|Mr|Mrs|Ms|Prof|Herr|Frau)\.? +[^\W\d_a-z][^\W\d_]+.*", re.DOTALL)
_SOCIAL_SECURITY = re.compile(r"\d{3}-\d{2}-\d{4}")


def holds_free_text(name: str) -> bool:
    """Return whether a column's name says that people wrote into it what they liked.

    Examples
    --------
    >>> [holds_free_text(name) for name in ("Comments", "free_text", "arm", "response_note")]
    [True, True, False, True]
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    words = [word.lower() for word in re.findall(r"[^\W_]+", spaced)]
    return bool(_FREE_TEXT & set(words)) or {"free", "text"} <= set(words)


def revealing(values: pd.Series, *, are_ids: bool, open_text: bool) -> Iterator[tuple[pd.Series, str]]:
    """Yield which values may identify a person, and the sentence with the cure; never the value.

    Parameters
    ----------
    values : Series of str
    are_ids : bool
        Patient or sample ids.
    open_text : bool
        Whether anything may stand in the column: then long texts count.

    Yields
    ------
    Series of bool, str
    """
    cure = "use study numbers" if are_ids else "dates leave as study days (first dose = 1, the day before = -1)"
    yield calendar_dates(values, are_ids=are_ids), f"looks like a calendar date; {cure}"
    distinct = {text: text.strip() for text in values.unique()}
    for pattern, words in (
        (_FILE, "is the name of a file, which often names a person; write a study number"),
        (_MAIL, "is a mail address; delete it from the file"),
        (_PHONE, "has the form of a telephone number; delete it from the file"),
        (_WITH_TITLE, "names a person with a title; delete it from the file, or recode the value"),
        (_SOCIAL_SECURITY, "has the form of a social security number; use study numbers"),
    ):
        yield values.isin({text for text, bare in distinct.items() if pattern.fullmatch(bare)}), words
    if are_ids:
        named = {text for text, bare in distinct.items() if _LIKE_A_NAME.fullmatch(bare)}
        yield values.isin(named), "has the form of a person's name; use study numbers"
    if open_text:
        long = {text for text, bare in distinct.items() if any(map(_is_long, bare.split("|")))}
        what = "is free text, which may name a person; map codes instead, or recode each value"
        yield values.isin(long), what


_RECORD = re.compile(r"\d{6,10}")
_CAPITALIZED = re.compile(r"[^\W\d_a-z][^\W\d_]*[.,]?( +[^\W\d_a-z][^\W\d_]*[.,]?){1,3}")
_FEWEST_NUMBERS, _FEWEST_NAMES = 3, 5
_COUNTED = _words("count counts read reads total size depth umi umis cell cells base bases length sum n area")


def one_of_its_own(cells: pd.Series, owners: pd.Series | None, *, name: str) -> str | None:
    """Say what a column is like in which each patient has a value that nobody else has; None when like nothing.

    Like record numbers: 6 to 10 digits, as many in every cell; not when the column counts by its
    name, or when every number ends in 0 (a measurement that was rounded). Like names: two to four
    words with a capital each, in every cell.

    Parameters
    ----------
    cells : Series of str
        Empty ones do not count.
    owners : Series of str, optional
        The patient of each cell; each cell is one of its own unless given.
    name : str
        Of the column.

    Examples
    --------
    >>> patients = pd.Series(["P1", "P2", "P2", "P3"])
    >>> one_of_its_own(pd.Series(["4471823", "5518204", "5518204", "4902217"]), patients, name="id2")
    'numbers of one length, one for each patient, as record numbers are'
    >>> one_of_its_own(pd.Series(["4471823", "5518204", "6718204", "4902217"]), patients, name="id2") is None
    True
    """
    text = cells.str.strip()
    filled = text[text != ""]
    distinct = filled.unique()
    if len(distinct) < _FEWEST_NUMBERS:
        return None
    if _are_numbers(distinct, name):
        what = "numbers of one length, one for each patient, as record numbers are"
    elif len(distinct) >= _FEWEST_NAMES and all(map(_CAPITALIZED.fullmatch, distinct)):
        what = "words with capitals, others for each patient, as names are"
    else:
        return None
    who = filled.index.to_series() if owners is None else owners[filled.index]
    pairs = pd.DataFrame({"who": who, "value": filled}).drop_duplicates()
    return None if pairs["who"].duplicated().any() or pairs["value"].duplicated().any() else what


def _are_numbers(distinct: Iterable[str], name: str) -> bool:
    if _COUNTED & _words(name.lower().replace("_", " ").replace(".", " ")):
        return False
    digits = list(distinct)
    alike = len({len(one) for one in digits}) == 1 and all(map(_RECORD.fullmatch, digits))
    return alike and not all(one.endswith("0") for one in digits)


def _is_long(choice: str) -> bool:
    """Return whether one of several choices, which exports join by ``|``, is a text and not a code."""
    if len(choice.split()) > _MOST_WORDS:
        return True
    return len(choice) > _LONGEST and _BASES.fullmatch(choice) is None  # long insertions and deletions name nobody
