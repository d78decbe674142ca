"""Cells of images: every vendor's form ends on the common frame, and a bad file says what is wrong with it."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import features
from immunosarc.errors import DataFileError, ManifestError, PrivacyError
from tests.loaders.spoiling import spoilt
from tests.loaders.targets import rows_of

HEAD = """
name = "toy"
[patients]
file = "clinical.tsv"
columns = { patient_id = "patient_id" }
[samples]
file = "samples.tsv"
columns = { sample_id = "sample_id", patient_id = "patient_id", timepoint = "timepoint" }
"""
CODES = '{ all = ["CD8+"], none = ["CK+"] }'


def _folder(tmp_path: Path, block: str, **files: str) -> Path:
    (tmp_path / "clinical.tsv").write_text("patient_id\nP1\nP2\n")
    (tmp_path / "samples.tsv").write_text("sample_id\tpatient_id\ttimepoint\nS1\tP1\tpre\nS2\tP2\tpre\n")
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "toy.toml").write_text(HEAD + block, encoding="utf-8")
    return tmp_path / "toy.toml"


def _obs(manifest: Path) -> pd.DataFrame:
    return ims.load_cohort(manifest)["mif"].obs


QUPATH_BLOCK = """
[assays.mif]
format = "qupath"
file = "cells.tsv"
columns = { sample_id = "Slide" }
regions = { Tumor = "tumor", "Stroma" = "stroma", "Root object (Image)" = "other" }
[assays.mif.markers]
CD8 = { flag = "Classification", part = "CD8", intensity = "CD8: Cell: Mean" }
CK = { flag = "Classification", part = "CK" }
[assays.mif.phenotypes]
cd8 = { all = ["CD8+"], none = ["CK+"] }
tumor = { all = ["CK+"] }
"""
QUPATH = (
    "Image\tObject ID\tName\tClassification\tParent\tSlide\tCentroid X µm\tCentroid Y µm\tCD8: Cell: Mean\n"
    "one.ome.tif\ta-1\tCD8\tCD8: PD1\tTumor\tS1\t10.5\t20\t3.5\n"
    "one.ome.tif\ta-2\tCK\tCK: CD8\tTumor\tS1\t11\t21\tNaN\n"
    "two.svs\ta-1\t\t\tStroma\tS2\t1\t2\t0\n"
)


def test_qupath_reads_words_of_classes_and_micrometers(tmp_path: Path) -> None:
    cohort = ims.load_cohort(_folder(tmp_path, QUPATH_BLOCK, **{"cells.tsv": QUPATH}))
    cells = cohort["mif"]
    assert list(cells.obs_names) == ["S1/one/a-1", "S1/one/a-2", "S2/two/a-1"]
    assert cells.obs["field_id"].tolist() == ["one", "one", "two"]
    assert cells.obs["x_um"].tolist() == [10.5, 11.0, 1.0]
    assert cells.obs["region"].tolist() == ["tumor", "tumor", "stroma"]
    assert cells.obs["phenotype"].tolist() == ["cd8", "tumor", "other"]
    np.testing.assert_array_equal(cells[:, "CD8"].X.ravel(), [3.5, np.nan, 0.0])
    np.testing.assert_array_equal(cells[:, "CD8"].layers["positive"].ravel(), [1, 1, 0])


def test_qupath_in_pixels_needs_the_size_of_a_pixel(tmp_path: Path) -> None:
    text = QUPATH.replace("Centroid X µm", "Centroid X px").replace("Centroid Y µm", "Centroid Y px")
    manifest = _folder(tmp_path, QUPATH_BLOCK, **{"cells.tsv": text})
    with pytest.raises(ManifestError, match="microns_per_pixel is needed"):
        ims.load_cohort(manifest)
    scaled = QUPATH_BLOCK.replace('file = "cells.tsv"', 'file = "cells.tsv"\nmicrons_per_pixel = 0.25')
    assert _obs(_folder(tmp_path, scaled, **{"cells.tsv": text}))["y_um"].tolist() == [5.0, 5.25, 0.5]


INFORM_BLOCK = """
[assays.mif]
format = "inform"
folder = "fields"
ending = "_cell_seg_data.txt"
microns_per_pixel = 0.5
regions = { Tumor = "tumor", Stroma = "stroma" }
[assays.mif.markers]
PDL1 = { intensity = "Membrane PDL1 Mean", at_least = 2.0 }
[tables.fields]
file = "areas.tsv"
columns = { sample_id = "Slide ID", field_id = "Sample Name", region = "Tissue Category", area_mm2 = "Region Area (square microns)" }
transform = { area_mm2 = "um2_to_mm2", field_id = "image_name" }
recode = { region = { Tumor = "tumor", Stroma = "stroma" } }
"""
INFORM = (
    "Path\tSample Name\tTissue Category\tPhenotype\tCell ID\tCell X Position\tCell Y Position\tMembrane PDL1 Mean\t"
    "Confidence\tSlide ID\n"
    "x\t{0}_[1,2].im3\tTumor\tCK+\t1\t100\t200\t2.0\t98.1%\t{0}\n"
    "x\t{0}_[1,2].im3\tStroma\tCD8+\t2\t110\t200\t1.99\t98.1%\t{0}\n"
    "x\t{0}_[1,2].im3\tTumor\t\t3\t120\t200\t#N/A\t98.1%\t{0}\n"
)
AREAS = (
    "Slide ID\tSample Name\tTissue Category\tRegion Area (square microns)\n"
    "S1\tS1_[1,2].im3\tTumor\t200000\nS1\tS1_[1,2].im3\tStroma\t50000\n"
)


def _inform(tmp_path: Path, **files: str) -> Path:
    (tmp_path / "fields").mkdir(exist_ok=True)
    for name, text in files.items():
        (tmp_path / "fields" / f"{name}_cell_seg_data.txt").write_text(text)
    return _folder(tmp_path, INFORM_BLOCK, **{"areas.tsv": AREAS})


def test_inform_reads_a_folder_of_fields_with_areas_by_tissue(tmp_path: Path) -> None:
    cohort = ims.load_cohort(_inform(tmp_path, a=INFORM.format("S1"), b=INFORM.format("S2")))
    obs = cohort["mif"].obs
    assert obs["sample_id"].tolist() == ["S1"] * 3 + ["S2"] * 3
    assert obs["field_id"].tolist()[0] == "S1_[1,2]"
    assert obs["x_um"].tolist()[:3] == [50.0, 55.0, 60.0]
    assert obs["phenotype"].isna().tolist() == [False, False, True] * 2
    np.testing.assert_array_equal(cohort["mif"].layers["positive"].ravel()[:3], [1, 0, np.nan])
    table = features.densities(cohort, regions=("stroma",), max_unknown=0.5).set_index(["sample_id", "feature"])
    assert table.loc[("S1", "density_CD8+_stroma"), "value"] == pytest.approx(1 / 0.05)
    assert table.loc[("S1", "density_CD8+"), "value"] == pytest.approx(1 / 0.25)
    assert "unknown in at least one field" in table.loc[("S2", "density_CD8+"), "status"]
    assert table.loc[("S1", "density_CD8+"), "note"] == "1 cells with a missing marker are not counted"


def test_a_summary_is_not_taken_for_cells(tmp_path: Path) -> None:
    text = "Sample Name\tTissue Category\tPhenotype\tTotal Cells\nS1\tTumor\tCK+\t9\n"
    with pytest.raises(ManifestError, match="this is a summary"):
        ims.load_cohort(_inform(tmp_path, a=text))


HALO_BLOCK = """
[assays.mif]
format = "halo"
file = "cells.csv"
microns_per_pixel = 0.5
regions = { Tumor = "tumor" }
[assays.mif.markers]
CD8 = { flag = "CD8 Positive" }
CK = { flag = "CK Positive", positive = ["1", "2"] }
[assays.mif.phenotypes]
cd8 = { all = ["CD8+"], none = ["CK+"] }
[tables.fields]
file = "areas.tsv"
columns = { sample_id = "sample_id", field_id = "image", area_mm2 = "area" }
transform = { field_id = "image_name" }
"""
HALO = (
    "Image Location,Object Id,XMin,XMax,YMin,YMax,Classifier Label,CD8 Positive,CK Positive\n"
    "D:\\slides\\core 1.tif,0,10,20,4,8,Tumor,1,0\n"
    "D:\\slides\\core 1.tif,1,30,50,4,8,Tumor,1,2\n"
    "D:\\slides\\core 2.tif,0,10,20,4,8,,0,0\n"
)
HALO_AREAS = "sample_id\timage\tarea\nS1\tcore 1.tif\t0.5\nS2\tcore 2.tif\t\n"


def test_halo_takes_the_middle_of_the_box_and_the_sample_from_the_fields(tmp_path: Path) -> None:
    cohort = ims.load_cohort(_folder(tmp_path, HALO_BLOCK, **{"cells.csv": HALO, "areas.tsv": HALO_AREAS}))
    obs = cohort["mif"].obs
    assert obs["x_um"].tolist() == [7.5, 20.0, 7.5]
    assert obs["y_um"].tolist() == [3.0, 3.0, 3.0]
    assert obs["sample_id"].tolist() == ["S1", "S1", "S2"]
    assert obs["phenotype"].tolist() == ["cd8", "other", "other"]
    assert obs["region"].isna().tolist() == [False, False, True]
    table = features.densities(cohort).set_index(["sample_id", "feature"])
    assert table.loc[("S1", "density_cd8"), "value"] == 2.0
    assert np.isnan(table.loc[("S2", "density_cd8"), "value"])
    shares = features.fractions(cohort).set_index(["sample_id", "feature"])
    assert shares.loc[("S2", "fraction_other"), ["value", "status"]].tolist() == [1.0, "ok"]


def test_mcmicro_names_the_image_by_its_file(tmp_path: Path) -> None:
    text = "CellID,CD8,X_centroid,Y_centroid,Area\n1,7,10,20,50\n2,0,30,40,50\n"
    files = {"exemplar-001--unmicst_cell.csv": text, "unmicst-exemplar-002_cell.csv": text}
    block = """
[assays.mif]
format = "mcmicro"
microns_per_pixel = 0.65
files = [
  { file = "exemplar-001--unmicst_cell.csv", sample_id = "S1" },
  { file = "unmicst-exemplar-002_cell.csv", sample_id = "S2" },
]
markers = { CD8 = { intensity = "CD8", at_least = 5 } }
"""
    cohort = ims.load_cohort(_folder(tmp_path, block, **files))
    obs = cohort["mif"].obs
    assert obs["field_id"].tolist() == ["exemplar-001"] * 2 + ["exemplar-002"] * 2
    assert obs["x_um"].tolist() == pytest.approx([6.5, 19.5] * 2)
    assert features.fractions(cohort)["feature"].unique().tolist() == ["fraction_CD8+"]
    assert features.fractions(cohort)["value"].tolist() == [0.5, 0.5]


def test_the_same_cells_of_every_vendor_give_the_same_features(tmp_path: Path) -> None:
    """Three cells in three forms: what is counted does not depend on who exported it."""
    qupath = "Image\tSlide\tClass\tCentroid X µm\tCentroid Y µm\ni.tif\tS1\tCD8\t1\t1\ni.tif\tS1\tCK\t2\t1\ni.tif\tS1\t\t3\t1\n"
    halo = "Image Tag,Slide,XMin,XMax,YMin,YMax,CD8,CK\ni.tif,S1,0,4,0,4,1,0\ni.tif,S1,2,6,0,4,0,1\ni.tif,S1,4,8,0,4,0,0\n"
    mcmicro = "CellID,X_centroid,Y_centroid,CD8,CK\n1,2,2,9,0\n2,4,2,0,9\n3,6,2,0,0\n"
    flags = 'CD8 = { flag = "CD8" }\nCK = { flag = "CK" }'
    words = 'CD8 = { flag = "Class", part = "CD8" }\nCK = { flag = "Class", part = "CK" }'
    bright = 'CD8 = { intensity = "CD8", at_least = 5 }\nCK = { intensity = "CK", at_least = 5 }'
    end = f"\n[assays.mif.phenotypes]\ncd8 = {CODES}\n"
    slide = 'columns = { sample_id = "Slide" }\n'
    forms = {
        "qupath": ('file = "c.tsv"\n' + slide, words, qupath),
        "halo": ('file = "c.csv"\nmicrons_per_pixel = 0.5\n' + slide, flags, halo),
        "mcmicro": (
            'files = [{ file = "c.csv", sample_id = "S1", field_id = "i" }]\nmicrons_per_pixel = 0.5\n',
            bright,
            mcmicro,
        ),
    }
    seen = []
    for form, (where, markers, text) in forms.items():
        block = f'[assays.mif]\nformat = "{form}"\n{where}[assays.mif.markers]\n{markers}{end}'
        name = "c.tsv" if form == "qupath" else "c.csv"
        cohort = ims.load_cohort(_folder(tmp_path, block, **{name: text}))
        obs = cohort["mif"].obs
        seen.append(obs[["x_um", "y_um", "phenotype", "field_id"]].astype(str).to_numpy().tolist())
    assert seen[0] == seen[1] == seen[2]


GENERIC = """
[assays.mif]
format = "cells_csv"
file = "cells.csv"
microns_per_pixel = 1
columns = { sample_id = "s", field_id = "f", cell_id = "c", x = "x", y = "y" }
[assays.mif.markers]
CD8 = { intensity = "cd8", at_least = 1.0 }
[assays.mif.phenotypes]
cd8 = { all = ["CD8+"] }
"""
ROWS = ["S1,F1,1,10,10,0.5", "S1,F1,2,20,20,1.5", "S2,F1,1,10,10,2.5"]


def _generic(tmp_path: Path, rows: list[str], header: str = "s,f,c,x,y,cd8", block: str = GENERIC) -> Path:
    return _folder(tmp_path, block, **{"cells.csv": "\n".join([header, *rows]) + "\n"})


@pytest.mark.parametrize(
    ("rows", "header", "error", "match"),
    [
        (ROWS, "s,f,c,x,y", DataFileError, r"lines 2, 3 and 4: 6 cells, the header has 5|one name less than each"),
        (["x,y", *ROWS], "s,f,c,x,y,cd8", DataFileError, r"cells.csv line 2: 2 cells, the header has 6"),
        ([*ROWS[:2], "S1,F1,3,1;5,10,0.5"], "s,f,c,x,y,cd8", DataFileError, r"line 4, column 'x': '1;5' is not a"),
        (
            [*ROWS, "S1,F1,2,30,30,1"],
            "s,f,c,x,y,cd8",
            DataFileError,
            r"lines 3 and 5: cell '2' of image 'F1' is repeat",
        ),
        (
            [*ROWS, "S1,F1,3,30,30,-0.25"],
            "s,f,c,x,y,cd8",
            DataFileError,
            r"line 5, column 'cd8': intensity -0.25 is be",
        ),
        ([*ROWS, "S1,F1,3,,30,1"], "s,f,c,x,y,cd8", DataFileError, r"line 5: the cell has no position"),
        (
            [*ROWS, "S1,F1,3,30"],
            "s,f,c,x,y,cd8",
            DataFileError,
            r"line 5: 4 cells, the header has 6; the file was cut",
        ),
        ([*ROWS, "S1,,3,30,30,1"], "s,f,c,x,y,cd8", DataFileError, r"line 5, column 'f': no image; fill it in"),
        ([*ROWS, ",F1,3,30,30,1"], "s,f,c,x,y,cd8", DataFileError, r"line 5, column 's': no sample; fill it in"),
        (
            [*ROWS, "S9,F1,3,30,30,1"],
            "s,f,c,x,y,cd8",
            DataFileError,
            r"sample 'S9' of 1 image\(s\) is not in the samp",
        ),
        (
            [*ROWS, "S1,F1,3,30,inf,1"],
            "s,f,c,x,y,cd8",
            DataFileError,
            r"line 5, column 'y': 'inf' is not a number",
        ),
        (
            [*ROWS, "S1,2019-04-03,3,30,30,1"],
            "s,f,c,x,y,cd8",
            PrivacyError,
            r"line 5, column 'f': looks like a calen",
        ),
        (
            [],
            "s,f,c,x,y,cd8",
            DataFileError,
            r"there is a header and no cell below it. Where the image truly holds",
        ),
        (
            ROWS,
            "s,f,c,y,x2,cd8",
            ManifestError,
            r"there is no column 'x' for 'x'; is the header on the first line",
        ),
        (ROWS, "s,f,c,x,y,cd 8", ManifestError, r"there is no column 'cd8' \(markers.CD8\)"),
        (
            ["s,f,c,x,y,cd8", *ROWS],
            "Export of project 7",
            DataFileError,
            r"line 1: the header has 1 column\(s\), found 'Ex",
        ),
        (ROWS, "s,f,c,x,x,cd8", DataFileError, r"column name 'x' occurs twice"),
    ],
)
def test_bad_rows_say_where_and_what(
    tmp_path: Path, rows: list[str], header: str, error: type[Exception], match: str
) -> None:
    manifest = _generic(tmp_path, rows, header)
    with pytest.raises(error, match=match):
        ims.load_cohort(manifest)


def test_decimal_commas_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    text = "\n".join(["s;f;c;x;y;cd8", "S1;F1;1;10,5;10;0.5", "S1;F1;2;20;20,25;1,5"]) + "\n"
    block = GENERIC.replace('file = "cells.csv"', 'file = "cells.csv"\ndelimiter = ";"')
    manifest = _folder(tmp_path, block, **{"cells.csv": text})
    with pytest.raises(DataFileError, match="has 3 problem") as caught:
        ims.load_cohort(manifest)
    assert "line 2, column 'x': '10,5' is not a number; write a decimal point" in str(caught.value)
    assert "line 3, column 'y': '20,25'" in str(caught.value)
    assert "line 3, column 'cd8': '1,5'" in str(caught.value)


def test_negative_intensities_may_be_declared_missing(tmp_path: Path) -> None:
    block = GENERIC.replace("microns_per_pixel = 1", 'microns_per_pixel = 1\nnegative_intensity = "missing"')
    cohort = ims.load_cohort(_generic(tmp_path, [*ROWS, "S1,F1,3,30,30,-0.25"], block=block))
    assert cohort["mif"].obs["phenotype"].isna().tolist() == [False, False, False, True]
    table = features.fractions(cohort, populations={"cd8": "cd8"}, max_unknown=0.5)
    assert table.set_index("sample_id").loc["S1", ["value", "n_of"]].tolist() == [0.5, 2.0]
    strict = features.fractions(cohort, populations={"cd8": "cd8"}).set_index("sample_id")
    assert np.isnan(strict.loc["S1", "value"])
    assert strict.loc["S1", "status"] == "33.3% of the cells lack a marker of 'cd8', at most 5.0% may"


def test_a_file_cut_within_its_compression_is_told(tmp_path: Path) -> None:
    manifest = _generic(tmp_path, ROWS, block=GENERIC.replace("cells.csv", "cells.csv.gz"))
    packed = gzip.compress("\n".join(["s,f,c,x,y,cd8", *ROWS * 50]).encode())
    (tmp_path / "cells.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataFileError, match="gzip stream is broken or cut short"):
        ims.load_cohort(manifest)


def test_one_bad_file_of_a_hundred_is_told_with_the_rest_checked(tmp_path: Path) -> None:
    good = "c,x,y,cd8\n1,10,10,0.5\n2,20,20,1.5\n"
    names = [f"image{number:03d}.csv" for number in range(100)]
    files = dict.fromkeys(names, good) | {
        "image041.csv": good.replace("20,20", "20,2O"),
        "image077.csv": "c,x,y\n1,2,3\n",
    }
    listed = ",\n".join(
        f'{{ file = "{name}", sample_id = "S{1 + number % 2}", field_id = "{name[:-4]}" }}'
        for number, name in enumerate(names)
    )
    block = GENERIC.replace('file = "cells.csv"', f"files = [{listed}]")
    block = block.replace('sample_id = "s", field_id = "f", ', "")
    manifest = _folder(tmp_path, block, **files)
    with pytest.raises(ManifestError, match="has 2 problem") as caught:
        ims.load_cohort(manifest)
    assert "image041.csv line 3, column 'y': '2O' is not a number" in str(caught.value)
    assert "image077.csv line 1 ([assays.mif]): there is no column 'cd8'" in str(caught.value)
    for name in ("image041.csv", "image077.csv"):
        (tmp_path / name).write_text(good)
    cohort = ims.load_cohort(manifest)
    assert cohort["mif"].n_obs == 200
    assert cohort["mif"].obs["field_id"].nunique() == 100


def test_an_image_without_a_cell_has_a_density_of_zero_and_no_fraction(tmp_path: Path) -> None:
    block = GENERIC + '[tables.fields]\nfile = "areas.tsv"\n'
    manifest = _generic(tmp_path, ROWS[:2], block=block)
    (tmp_path / "areas.tsv").write_text("sample_id\tfield_id\tarea_mm2\nS1\tF1\t0.5\nS1\tF2\t1.5\nS2\tF1\t0.5\n")
    cohort = ims.load_cohort(manifest)
    dense = features.densities(cohort, populations={"cd8": "cd8"}).set_index("sample_id")
    assert dense["value"].tolist() == [0.5, 0.0]
    assert dense["n_fields"].tolist() == [2.0, 1.0]
    share = features.fractions(cohort, populations={"cd8": "cd8"}).set_index("sample_id")
    assert share.loc["S2", "status"] == "no fraction: no cell whose markers are known"


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (
            'format = "cells_csv"',
            'format = "halow"',
            "'halow' is not one of salmon, qupath, inform, halo, mcmicro",
        ),
        ("microns_per_pixel = 1", "microns_per_pixel = -1", "microns_per_pixel: .*greater than 0"),
        (
            "microns_per_pixel = 1",
            "microns_per_pixels = 1",
            "unknown key 'microns_per_pixels' in .assays.mif.. Did you",
        ),
        ("at_least = 1.0", 'at_least = 1.0, flag = "s"', "at_least is for intensity, and not beside flag"),
        (
            "at_least = 1.0",
            "at_lest = 1.0",
            "unknown key 'at_lest' in .assays.mif.markers.CD8.. Did you mean 'at_lea",
        ),
        (
            'all = ["CD8+"]',
            'all = ["CD8"]',
            "'CD8' is not a marker with its sign; markers that can be positive are",
        ),
        ('all = ["CD8+"]', 'every = ["CD8+"]', "lists of terms under all, any and none are needed"),
        ('x = "x"', 'xx = "x"', "'xx' is not a column of cells"),
        ('file = "cells.csv"', "", "one of file, files and folder is needed, found none"),
        ('file = "cells.csv"', 'folder = "x"', "folder and ending go together"),
    ],
)
def test_mistakes_of_the_manifest_are_named(tmp_path: Path, old: str, new: str, match: str) -> None:
    manifest = _generic(tmp_path, ROWS, block=GENERIC.replace(old, new))
    with pytest.raises(ManifestError, match=match):
        ims.load_cohort(manifest)


def test_every_region_and_every_code_must_be_listed(tmp_path: Path) -> None:
    block = GENERIC.replace('y = "y" }', 'y = "y", region = "r" }\nregions = { T = "tumor" }')
    rows = [f"{row},{region}" for row, region in zip(ROWS, "TTG", strict=True)]
    with pytest.raises(ManifestError, match="region 'G' is not listed"):
        ims.load_cohort(_generic(tmp_path, rows, "s,f,c,x,y,cd8,r", block=block))
    unseen = GENERIC.replace("microns_per_pixel = 1", 'microns_per_pixel = 1\nregions = { T = "tumor" }')
    with pytest.raises(ManifestError, match=r"no column is known for 'region'; say columns = \{ region ="):
        ims.load_cohort(_generic(tmp_path, ROWS, block=unseen))
    flags = GENERIC.replace('intensity = "cd8", at_least = 1.0', 'flag = "cd8"')
    rows = ["S1,F1,1,1,1,1", "S1,F1,2,1,1,maybe"]
    with pytest.raises(
        ManifestError, match="codes 'maybe' of marker 'CD8' are not listed; add each to positive or"
    ):
        ims.load_cohort(_generic(tmp_path, rows, block=flags))


def test_samples_that_keep_leaves_out_leave_with_their_images(tmp_path: Path) -> None:
    manifest = _generic(tmp_path, ROWS)
    manifest.write_text(
        manifest.read_text().replace('file = "samples.tsv"', 'file = "samples.tsv"\ndrop = { sample_id = "S2" }')
    )
    cohort = ims.load_cohort(manifest)
    assert cohort["mif"].obs["sample_id"].unique().tolist() == ["S1"]
    step = cohort.provenance["loading"][-1]
    assert step["kept"] == 1
    assert step["left_out"][0][1] == "S2"
    assert "image F1" in step["left_out"][0][2]


def test_the_cohort_knows_its_cells_by_all_that_is_known_of_them(tmp_path: Path) -> None:
    cohort = ims.load_cohort(_generic(tmp_path, ROWS))
    moved = ims.load_cohort(_generic(tmp_path, [ROWS[0].replace("10,10", "10,11"), *ROWS[1:]]))
    assert cohort.sha256 != moved.sha256
    assert not cohort.equals(moved)
    again = ims.Cohort.read(cohort.write(tmp_path / "stored"))
    assert again.equals(cohort)
    assert again.sha256 == cohort.sha256


def test_one_row_per_cell_gives_distinct_patients_and_samples(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text("p,age,x\nP1,50,1\nP1,50,2\nP2,61,3\n")
    text = """
name = "toy"
[patients]
file = "all.csv"
distinct = true
columns = { patient_id = "p", age = "age" }
[samples]
file = "all.csv"
distinct = true
columns = { sample_id = "p", patient_id = "p" }
constants = { timepoint = "pre" }
"""
    (tmp_path / "toy.toml").write_text(text)
    cohort = ims.load_cohort(tmp_path / "toy.toml")
    assert cohort.patients["age"].tolist() == [50.0, 61.0]
    assert cohort.samples.index.tolist() == ["P1", "P2"]
    (tmp_path / "all.csv").write_text("p,age,x\nP1,50,1\nP1,50,2\nP1,51,3\n")
    with pytest.raises(DataFileError, match=r"lines 2 and 4, column 'age': patient 'P1' has '50' and '51'"):
        ims.load_cohort(tmp_path / "toy.toml")


def test_every_spoilt_copy_is_answered_or_read_whole(tmp_path: Path) -> None:
    """Damaged bytes give a sentence, never a traceback and never fewer cells than rows."""
    rng = np.random.default_rng(0)
    rows = [f"S{1 + i % 2},F{i % 3},{i},{i}.5,{2 * i},{i / 10}" for i in range(12)]
    manifest = _generic(tmp_path, rows)
    good = (tmp_path / "cells.csv").read_bytes()
    cases = int(os.environ.get("IMMUNOSARC_FUZZ_CASES", "12"))
    refused = 0
    for _ in range(cases):
        data = spoilt(good, rng, text=True)
        (tmp_path / "cells.csv").write_bytes(data)
        checked = ims.loaders.check_manifest(manifest)
        if checked.problems:
            refused += 1
            named = [one for one in checked.problems if "cells.csv" in one or "sample" in one]
            assert named
            assert all(one.startswith("... and") for one in checked.problems if one not in named)
            continue
        parsed = [row for row in rows_of(data, ",")[1:] if row]
        cells = checked.cohort["mif"] if checked.cohort is not None else None
        assert cells is not None
        assert cells.n_obs == len(parsed)
        header = rows_of(data, ",")[0]
        for column, ours in (("x", "x_um"), ("y", "y_um")):
            theirs = [float(row[header.index(column)]) for row in parsed]
            assert sorted(theirs) == sorted(cells.obs[ours].tolist())
    assert refused > 0.3 * cases
