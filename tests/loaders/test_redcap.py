"""A REDCap export with its data dictionary loads as the same table with labels typed in by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import immunosarc as ims

TITLES = (
    "Variable / Field Name,Form Name,Section Header,Field Type,Field Label,"
    '"Choices, Calculations, OR Slider Labels",Field Note,Text Validation Type OR Show Slider Number,Identifier?'
)
DICTIONARY = f"""\
{TITLES}
record_id,baseline,,text,Record,,,,
sex,baseline,,radio,Sex,"1, Female | 2, Male | 9, Not known",,,
bor,response,,dropdown,Best response,"1, CR | 2, PR | 3, SD | 4, PD",,,
progressed,response,,yesno,Progressed,,,,
pfs,response,,calc,"Days, to progression",,,,
ward,baseline,,radio,Ward,"1, 2 | 2, 3",,,
site,baseline,,radio,Site,"1, Limb | 2, Trunk | 3, Other | 4, Other",,,
remark,baseline,,notes,Remark,,,,
toxicity,response,,checkbox,Toxicity,"1, Colitis | 2, Rash",,,
visit_day,visit,,text,Day,,,integer,
call,visit,,radio,Response,"1, PR | 2, SD | 3, PD",,,
mrn_code,baseline,,text,Hospital code,,,,y
"""
HEAD = "record_id,redcap_repeat_instrument,redcap_repeat_instance,sex,bor,progressed,pfs,toxicity___1,visit_day,call,baseline_complete\n"
EXPORT = f"""\
{HEAD}P1,,,1,2,1,200,0,,,2
P1,visit,1,,,,,,40,1,
P1,visit,2,,,,,,80,3,
P2,,,2,4,0,90,1,,,2
P2,visit,1,,,,,,41,3,
P3,,,9,,,,0,,,1
"""
MANIFEST = """\
name = "toy"
[patients]
file = "export.csv"
dictionary = "dictionary.csv"
keep = { redcap_repeat_instrument = "" }
missing = ["Not known"]
columns = { patient_id = "record_id", sex = "sex", best_overall_response = "bor", pfs_event = "progressed", pfs_days = "pfs", colitis = "toxicity___1", complete = "baseline_complete" }
recode = { sex = { Female = "female", Male = "male" }, colitis = { "1" = true, "0" = false } }
[tables.assessments]
file = "export.csv"
dictionary = "dictionary.csv"
keep = { redcap_repeat_instrument = "visit" }
columns = { patient_id = "record_id", study_day = "visit_day", overall_response = "call" }
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "export.csv").write_text(EXPORT)
    (tmp_path / "dictionary.csv").write_text(DICTIONARY)
    (tmp_path / "toy.toml").write_text(MANIFEST)
    return tmp_path


def _change(folder: Path, name: str, old: str, new: str, times: int = 1) -> Path:
    text = (folder / name).read_text()
    assert old in text, f"{old!r} is not in {name}"
    (folder / name).write_text(text.replace(old, new, times))
    return folder


def _load(folder: Path) -> ims.Cohort:
    return ims.load_cohort(folder / "toy.toml")


def _refused(folder: Path) -> str:
    with pytest.raises(ims.errors.ImmunosarcError) as caught:
        _load(folder)
    return str(caught.value)


def test_codes_become_what_the_dictionary_says(files: Path) -> None:
    cohort = _load(files)
    assert cohort.patients["best_overall_response"].tolist() == ["PR", "PD", pd.NA]
    assert cohort.patients["sex"].tolist() == ["female", "male", pd.NA]
    assert cohort.patients["pfs_event"].tolist() == [True, False, pd.NA]
    assert cohort.patients["colitis"].tolist() == [False, True, False]
    assert cohort.patients["complete"].tolist() == [2, 2, 1]
    visits = cohort.tables["assessments"]
    assert visits["overall_response"].tolist() == ["PR", "PD", "PD"]
    assert visits["study_day"].tolist() == [40, 80, 41]


def test_an_export_with_labels_is_the_same(files: Path) -> None:
    before = _load(files)
    rows = {
        "P1,,,1,2,1,200,0": "P1,,,Female,PR,Yes,200,Unchecked",
        "P2,,,2,4,0,90,1": "P2,,,Male,PD,No,90,Checked",
        "P3,,,9,,,,0": "P3,,,Not known,,,,Unchecked",
        "40,1,": "40,PR,",
        "80,3,": "80,PD,",
        "41,3,": "41,PD,",
    }
    for old, new in rows.items():
        _change(files, "export.csv", old, new)
    after = _load(files)
    pd.testing.assert_frame_equal(after.patients, before.patients)
    pd.testing.assert_frame_equal(after.tables["assessments"], before.tables["assessments"])


def test_titles_of_the_programming_interface(files: Path) -> None:
    before = _load(files)
    titles = "field_name,form_name,section_header,field_type,field_label,select_choices_or_calculations,field_note,validation,identifier"
    _change(files, "dictionary.csv", TITLES, titles)
    pd.testing.assert_frame_equal(_load(files).patients, before.patients)


def _mapped(folder: Path, column: str, *cells: str) -> Path:
    """Add a column to the export's rows of patients, and map it."""
    lines = (folder / "export.csv").read_text().splitlines()
    values = iter(cells)
    rows = [line + "," + (next(values) if ",,," in line[:5] else "") for line in lines[1:]]
    (folder / "export.csv").write_text("\n".join([f"{lines[0]},{column}", *rows]) + "\n")
    return _change(folder, "toy.toml", 'sex = "sex"', f'sex = "sex", more = "{column}"')


def test_labels_that_are_codes_too_are_refused(files: Path) -> None:
    assert "column 'ward': the cells can be codes or labels, which differ" in _refused(
        _mapped(files, "ward", "2", "2", "2")
    )


def test_only_codes_or_only_labels_are_told_apart(files: Path) -> None:
    assert _load(_mapped(files, "ward", "1", "2", "1")).patients["more"].tolist() == [2, 3, 2]


@pytest.mark.parametrize("cells", [("3", "4", "1"), ("Other", "Limb", "Limb")])
def test_two_codes_of_one_label_are_refused(files: Path, cells: tuple[str, ...]) -> None:
    assert "the label 'Other' stands for the codes '3' and '4'" in _refused(_mapped(files, "site", *cells))


def test_two_codes_of_one_label_do_no_harm_where_neither_stands(files: Path) -> None:
    assert _load(_mapped(files, "site", "1", "2", "1")).patients["more"].tolist() == ["Limb", "Trunk", "Limb"]


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "export.csv",
            "P1,,,1,2",
            "P1,,,1,7",
            "export.csv line 2, column 'bor': '7' is neither a code nor a label",
        ),
        (
            "export.csv",
            "P1,,,1,2",
            "P1,,,1,CR",
            "export.csv line 2, column 'bor': codes and labels stand side by side",
        ),
        (
            "toy.toml",
            'keep = { redcap_repeat_instrument = "" }\n',
            "",
            "repeating instruments ((none): 3 rows, visit: 3 rows)",
        ),
        ("toy.toml", 'sex = "sex"', 'sex = "sx"', "there is no column 'sx' ([patients] columns.sex)"),
        (
            "dictionary.csv",
            "sex,baseline",
            "gender,baseline",
            "column 'sex' is not in the data dictionary. Known: bor",
        ),
        ("dictionary.csv", "Field Type", "Type", "there is no column 'Field Type', so this is no data dictionary"),
        (
            "dictionary.csv",
            "1, Female | 2, Male",
            "1, Female | 1, Male",
            "line 3, field 'sex': code '1' has two labels",
        ),
        ("dictionary.csv", "bor,response", "sex,response", "field 'sex' stands there twice"),
        (
            "dictionary.csv",
            '"Days, to progression",,,,',
            '"Days, to progression",,,,y',
            "columns 'pfs' are marked as identifiers",
        ),
        (
            "dictionary.csv",
            "pfs,response,,calc",
            "pfs,response,,notes",
            "column 'pfs' is a notes box, and free text can name",
        ),
        (
            "dictionary.csv",
            "toxicity,response,,checkbox",
            "toxicity,response,,text",
            "'toxicity___1' is not in the data dictionary",
        ),
        ("toy.toml", '"dictionary.csv"', '"dictionary2.csv"', "dictionary2.csv: is missing"),
    ],
)
def test_what_is_refused(files: Path, name: str, old: str, new: str, message: str) -> None:
    assert message in _refused(_change(files, name, old, new))


def test_events_are_named(files: Path) -> None:
    text = (
        (files / "export.csv")
        .read_text()
        .replace("redcap_repeat_instrument", "redcap_event_name,redcap_repeat_instrument")
    )
    rows = text.splitlines()
    body = [
        line.replace(",", ",first_arm_1," if number % 2 else ",second_arm_1,", 1)
        for number, line in enumerate(rows[1:])
    ]
    (files / "export.csv").write_text("\n".join([rows[0], *body]) + "\n")
    assert (
        "the export has 2 events ('second_arm_1' and 'first_arm_1'); say which of them [patients] takes"
        in _refused(files)
    )


def test_missing_codes_are_no_unknown_codes(files: Path) -> None:
    _change(files, "export.csv", "P1,,,1,2", "P1,,,1,-77")
    _change(files, "toy.toml", '["Not known"]', '["Not known", "-77"]')
    assert _load(files).patients["best_overall_response"].tolist() == [pd.NA, "PD", pd.NA]
