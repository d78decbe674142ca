"""Features of images against their definitions by brute force, and against scattered points, whose laws are known."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN

import immunosarc as ims
from immunosarc import features, models, schema
from immunosarc.errors import CohortError, SchemaError, UnknownNameError
from immunosarc.features._imaging_structures import density_clusters
from immunosarc.features._imaging_window import edge_distances

KINDS = ("b", "cd8", "other", "t", "tumor")


def _cohort(obs: pd.DataFrame, fields: pd.DataFrame | None = None, **markers: pd.DataFrame) -> ims.Cohort:
    ids = sorted({*obs["sample_id"], *(fields["sample_id"] if fields is not None else ())})
    patients = pd.DataFrame(index=pd.Index([f"P{i}" for i in ids], name="patient_id"))
    samples = pd.DataFrame({"sample_id": ids, "patient_id": [f"P{i}" for i in ids], "timepoint": "pre"})
    tables = {}
    if fields is not None:
        tables["fields"] = fields.assign(patient_id=[f"P{i}" for i in fields["sample_id"]])
    return ims.Cohort(patients, samples, tables=tables, assays={"mif": ims.make_cells(obs, **markers)})


def _scattered(seed: int, n: int = 120, *, samples: int = 3, fields: int = 2, side: float = 100.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    obs = pd.DataFrame(rng.uniform(0, side, (n, 2)), columns=["x_um", "y_um"])
    return obs.assign(
        sample_id=[f"S{i}" for i in rng.integers(0, samples, n)],
        field_id=[f"F{i}" for i in rng.integers(0, fields, n)],
        phenotype=rng.choice(KINDS, n),
        region=rng.choice([*schema.REGIONS, None], n, p=[0.5, 0.3, 0.1, 0.1]),
    )


def _value(table: pd.DataFrame, sample: str, feature: str) -> float:
    return float(table.set_index(["sample_id", "feature"]).loc[(sample, feature), "value"])


def _distance(one: pd.Series, other: pd.Series) -> float:
    return float(np.hypot(one["x_um"] - other["x_um"], one["y_um"] - other["y_um"]))


@pytest.mark.parametrize("seed", range(3))
def test_densities_and_fractions_are_counts_over_areas_and_cells(seed: int) -> None:
    obs = _scattered(seed)
    rng = np.random.default_rng(seed)
    areas = pd.DataFrame(
        [
            {"sample_id": s, "field_id": f, "region": r, "area_mm2": float(rng.uniform(0.1, 1))}
            for s in obs["sample_id"].unique()
            for f in ("F0", "F1", "F9")
            for r in schema.REGIONS
        ]
    )
    cohort = _cohort(obs, areas)
    dense = features.densities(cohort, regions=("tumor", "stroma"))
    share = features.fractions(cohort, regions=("tumor",))
    for sample in obs["sample_id"].unique():
        mine, ground = obs[obs["sample_id"] == sample], areas[areas["sample_id"] == sample]
        for kind in KINDS:
            n = sum(1 for _, cell in mine.iterrows() if cell["phenotype"] == kind)
            assert _value(dense, sample, f"density_{kind}") == pytest.approx(n / ground["area_mm2"].sum())
            assert _value(share, sample, f"fraction_{kind}") == float(Fraction(n, len(mine)))
            for region in ("tumor", "stroma"):
                cells = [cell for _, cell in mine.iterrows() if cell["region"] == region]
                of_kind = sum(cell["phenotype"] == kind for cell in cells)
                area = ground.loc[ground["region"] == region, "area_mm2"].sum()
                assert _value(dense, sample, f"density_{kind}_{region}") == pytest.approx(of_kind / area)
                if region == "tumor":
                    assert _value(share, sample, f"fraction_{kind}_tumor") == pytest.approx(of_kind / len(cells))


def test_images_add_up_to_their_sample() -> None:
    obs = _scattered(8)
    names = [(s, f) for s in ("S0", "S1", "S2") for f in ("F0", "F1", "empty")]
    fields = pd.DataFrame(names, columns=["sample_id", "field_id"]).assign(area_mm2=np.linspace(0.1, 0.9, 9))
    cohort = _cohort(obs, fields)
    table = features.field_counts(cohort)
    for row in table.itertuples():
        mine = obs[(obs["sample_id"] == row.sample_id) & (obs["field_id"] == row.field_id)]
        n = sum(kind == row.population for kind in mine["phenotype"])
        assert (row.n_cells, row.n_of) == (n, len(mine))
        assert row.density == pytest.approx(n / row.area_mm2)
        assert np.isnan(row.fraction) if mine.empty else row.fraction == pytest.approx(n / len(mine))
    assert len(table) == 9 * len(KINDS)
    summed = table.groupby(["sample_id", "population"])[["n_cells", "area_mm2"]].sum()
    dense = features.densities(cohort).set_index(["sample_id", "feature"])["value"]
    for (sample, kind), row in summed.iterrows():
        assert dense[(sample, f"density_{kind}")] == pytest.approx(row["n_cells"] / row["area_mm2"])


def test_a_whole_area_serves_the_whole_and_no_region() -> None:
    obs = _scattered(1, samples=1, fields=1)
    cohort = _cohort(obs, pd.DataFrame([{"sample_id": "S0", "field_id": "F0", "area_mm2": 0.5}]))
    table = features.densities(cohort, regions=("tumor",)).set_index("feature")
    assert table.loc["density_cd8", "value"] == (obs["phenotype"] == "cd8").sum() / 0.5
    assert (
        table.loc["density_cd8_tumor", "status"]
        == "no density: the area of tumor is unknown in at least one field"
    )


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (
            [("F0", "tumor", 1.0), ("F0", "tumor", 2.0)],
            "several areas of one region .a column part may name what each is of. at rows",
        ),
        ([("F0", None, 1.0), ("F0", "tumor", 2.0)], "the whole field has an area beside those of its regions"),
        ([("F0", "gland", 1.0)], r"\['gland'\] not in \['tumor', 'stroma', 'other'\]"),
        ([("F0", None, -1.0)], "below 0"),
    ],
)
def test_areas_that_contradict_each_other_are_refused(
    rows: list[tuple[str, str | None, float]], match: str
) -> None:
    fields = pd.DataFrame(rows, columns=["field_id", "region", "area_mm2"]).assign(sample_id="S0")
    with pytest.raises(CohortError, match=match):
        _cohort(_scattered(1, samples=1, fields=1), fields)


def test_the_parts_of_a_region_add_up() -> None:
    obs = _scattered(1, samples=1, fields=1).assign(region="tumor")
    rows = [("F0", "tumor", "a-1", 0.25), ("F0", "tumor", "a-2", 0.75), ("F0", "stroma", "a-3", 1.0)]
    fields = pd.DataFrame(rows, columns=["field_id", "region", "part", "area_mm2"]).assign(sample_id="S0")
    n = (obs["phenotype"] == "cd8").sum()
    how = {"populations": {"cd8": "cd8"}, "regions": ("tumor",)}
    assert features.densities(_cohort(obs, fields), **how)["value"].tolist() == [n / 2.0, n / 1.0]
    fields.loc[1, "area_mm2"] = np.nan
    assert features.densities(_cohort(obs, fields), **how)["value"].isna().all()


def test_cells_in_a_region_without_an_area_leave_it_unknown() -> None:
    """Two images: the second lists no stroma. Without a cell there it has none; with one its area is unknown."""
    obs = pd.DataFrame({"x_um": np.arange(6.0), "y_um": 0.0, "sample_id": "S0", "phenotype": "cd8"})
    obs = obs.assign(
        field_id=["F0", "F0", "F0", "F1", "F1", "F1"], region=["tumor", "stroma", "stroma"] + ["tumor"] * 3
    )
    fields = pd.DataFrame(
        [("F0", "tumor", 0.5), ("F0", "stroma", 0.25), ("F1", "tumor", 1.0)],
        columns=["field_id", "region", "area_mm2"],
    ).assign(sample_id="S0")
    table = features.densities(_cohort(obs, fields), regions=("tumor", "stroma"))
    assert table["value"].tolist() == [6 / 1.75, 4 / 1.5, 2 / 0.25]
    moved = obs.assign(region=[*obs["region"][:5], "stroma"])
    table = features.densities(_cohort(moved, fields), regions=("tumor", "stroma"))
    assert table["value"].isna().tolist() == [True, False, True]
    assert "unknown in at least one field" in table["status"][2]


def test_an_area_of_zero_and_an_unknown_one_give_no_density() -> None:
    fields = pd.DataFrame(
        [("S0", "F0", 0.0), ("S1", "F0", np.nan), ("S2", "F0", 2.0)], columns=["sample_id", "field_id", "area_mm2"]
    )
    table = features.densities(_cohort(_scattered(3, fields=1), fields), populations={"cd8": "cd8"})
    assert table["value"].isna().tolist() == [True, True, False]
    assert table["status"].tolist()[0] == "no density: the area of the tissue is 0"


def test_a_missing_marker_is_neither_positive_nor_negative() -> None:
    obs = _scattered(4, n=200, samples=1)
    rng = np.random.default_rng(0)
    marks = pd.DataFrame(rng.choice([0.0, 1.0, np.nan], (200, 2), p=[0.5, 0.49, 0.01]), columns=["CD8", "PD1"])
    cohort = _cohort(obs, positive=marks)
    both = schema.CellRule(all=("CD8+",), none=("PD1+",))
    row = features.fractions(cohort, populations={"cd8_pd1neg": both}).iloc[0]
    known = [(a, b) for a, b in marks.to_numpy() if a == 0 or b == 1 or not (np.isnan(a) or np.isnan(b))]
    assert row["n_of"] == len(known)
    assert row["n_cells"] == sum(a == 1 and b == 0 for a, b in known)
    assert row["note"] == f"{200 - len(known)} cells with a missing marker are not counted"
    none_allowed = features.fractions(cohort, populations={"cd8_pd1neg": both}, max_unknown=0.0).iloc[0]
    assert np.isnan(none_allowed["value"])
    assert "of the cells lack a marker of 'cd8_pd1neg', at most 0.0% may" in none_allowed["status"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=3, max_size=3), st.integers(0, 26))
def test_a_rule_holds_as_every_filling_of_the_unknown_says(values: list[float], code: int) -> None:
    """Three-valued logic by its definition: try both answers for every missing marker."""
    places = [(code // 3**at) % 3 for at in range(3)]
    parts: dict[str, list[str]] = {"all": [], "any": [], "none": []}
    for name, place in zip("ABC", places, strict=True):
        parts[("all", "any", "none")[place]].append(f"{name}+" if place < 2 else f"{name}-")
    rule = schema.CellRule(**{key: tuple(terms) for key, terms in parts.items()})

    def fits(world: dict[str, bool]) -> bool:
        def true(term: str) -> bool:
            return world[term[0]] == (term[1] == "+")

        wanted = all(true(term) for term in parts["all"]) and not any(true(term) for term in parts["none"])
        return wanted and (not parts["any"] or any(true(term) for term in parts["any"]))

    open_still = [name for name, value in zip("ABC", values, strict=True) if np.isnan(value)]
    answers = set()
    for filled in range(2 ** len(open_still)):
        world = {name: value == 1 for name, value in zip("ABC", values, strict=True)}
        world |= {name: bool(filled >> at & 1) for at, name in enumerate(open_still)}
        answers.add(fits(world))
    found = rule.holds({name: np.array([value]) for name, value in zip("ABC", values, strict=True)})[0]
    assert (np.isnan(found) and len(answers) == 2) or answers == {found == 1}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("pair", [("cd8", "tumor"), ("cd8", "cd8")])
def test_nearest_neighbors_by_looking_at_every_pair(seed: int, pair: tuple[str, str]) -> None:
    obs = _scattered(seed, n=120, samples=2)
    table = features.nearest_neighbors(_cohort(obs), [pair], within_um=15.0)
    for sample, mine in obs.groupby("sample_id"):
        shortest, reached = [], 0
        for _, field in mine.groupby("field_id"):
            for at, cell in field[field["phenotype"] == pair[0]].iterrows():
                goals = field[(field["phenotype"] == pair[1]) & (field.index != at)]
                near = min((_distance(cell, other) for _, other in goals.iterrows()), default=np.inf)
                shortest.append(near)
                reached += near <= 15.0
        finite = [one for one in shortest if np.isfinite(one)]
        name = f"{pair[0]}_to_{pair[1]}"
        assert _value(table, sample, f"nearest_{name}") == pytest.approx(np.mean(finite), rel=1e-12)
        assert _value(table, sample, f"near_{name}") == pytest.approx(reached / len(shortest), rel=1e-12)


def test_distances_never_leave_an_image_and_say_why_there_is_none() -> None:
    obs = pd.DataFrame(
        [
            ("S0", "F0", 0.0, "cd8"),
            ("S0", "F1", 1.0, "tumor"),
            ("S1", "F0", 0.0, "tumor"),
            ("S2", "F0", 0.0, "cd8"),
        ],
        columns=["sample_id", "field_id", "x_um", "phenotype"],
    ).assign(y_um=0.0)
    table = features.nearest_neighbors(_cohort(obs), [("cd8", "tumor")]).set_index(["sample_id", "feature"])
    assert table.loc[("S0", "nearest_cd8_to_tumor"), "status"] == "no 'tumor' cell in an image with a 'cd8' cell"
    assert table.loc[("S0", "near_cd8_to_tumor"), ["value", "status"]].tolist() == [0.0, "ok"]
    assert table.loc[("S0", "near_cd8_to_tumor"), "note"] == "1 cells lie in an image without a target"
    assert table.loc[("S1", "nearest_cd8_to_tumor"), "status"] == "no 'cd8' cell"


@pytest.mark.parametrize("seed", range(3))
def test_mixing_by_looking_at_every_pair(seed: int) -> None:
    obs = _scattered(seed, n=160, samples=2)
    table = features.mixing_scores(_cohort(obs), [("cd8", "tumor")], within_um=25.0)
    for sample, mine in obs.groupby("sample_id"):
        mixed = among = could_mix = could_meet = 0
        for _, field in mine.groupby("field_id"):
            kinds = field["phenotype"].tolist()
            cells = [cell for _, cell in field.iterrows()]
            for one, other in combinations(range(len(cells)), 2):
                pair = {kinds[one], kinds[other]}
                near = _distance(cells[one], cells[other]) <= 25.0
                mixed += near and pair == {"cd8", "tumor"}
                could_mix += pair == {"cd8", "tumor"}
                among += near and pair == {"cd8"}
                could_meet += pair == {"cd8"}
        assert _value(table, sample, "mixing_cd8_tumor") == pytest.approx(mixed / among)
        expected = (mixed / could_mix) / (among / could_meet)
        assert _value(table, sample, "mixing_normalized_cd8_tumor") == pytest.approx(expected)


def test_cells_mixed_at_random_have_a_normalized_score_of_one() -> None:
    obs = _scattered(5, n=40_000, samples=1, fields=1, side=1000.0)
    table = features.mixing_scores(_cohort(obs), [("cd8", "tumor")])
    assert _value(table, "S0", "mixing_normalized_cd8_tumor") == pytest.approx(1.0, abs=0.02)
    apart = obs.assign(x_um=obs["x_um"] + np.where(obs["phenotype"] == "tumor", 1100.0, 0.0))
    table = features.mixing_scores(_cohort(apart), [("cd8", "tumor")])
    assert _value(table, "S0", "mixing_normalized_cd8_tumor") == 0.0


def _kaplan_meier_by_hand(distance: list[float], edge: list[float], radius: float) -> float:
    survival = Fraction(1)
    for time in sorted({d for d, c in zip(distance, edge, strict=True) if d <= c and d <= radius}):
        at_risk = sum(min(d, c) >= time for d, c in zip(distance, edge, strict=True))
        events = sum(d == time and d <= c for d, c in zip(distance, edge, strict=True))
        survival *= Fraction(at_risk - events, at_risk)
    return float(1 - survival)


@pytest.mark.parametrize("seed", range(2))
def test_cross_g_by_its_definition(seed: int) -> None:
    obs = _scattered(seed, n=90, samples=1)
    corners = [(x, y, "S0", field, "other") for x in (0.0, 100.0) for y in (0.0, 100.0) for field in ("F0", "F1")]
    obs = pd.concat([obs, pd.DataFrame(corners, columns=["x_um", "y_um", "sample_id", "field_id", "phenotype"])])
    obs = obs.reset_index(drop=True)
    distance, edge = [], []
    for _, field in obs.groupby("field_id"):
        for _, cell in field[field["phenotype"] == "cd8"].iterrows():
            goals = field[field["phenotype"] == "tumor"]
            distance.append(min(_distance(cell, other) for _, other in goals.iterrows()))
            edge.append(min(cell["x_um"], 100 - cell["x_um"], cell["y_um"], 100 - cell["y_um"]))
    radii = [5.0, 10.0, 20.0]
    cohort = _cohort(obs)
    how = {"pairs": [("cd8", "tumor")], "radii_um": radii}
    found = {c: features.cross_g(cohort, correction=c, **how) for c in ("kaplan_meier", "border", "none")}
    for at, radius in enumerate(radii):
        assert found["none"]["g"][at] == pytest.approx(np.mean(np.array(distance) <= radius))
        far = [d <= radius for d, c in zip(distance, edge, strict=True) if c >= radius]
        assert found["border"]["g"][at] == pytest.approx(np.mean(far))
        assert found["kaplan_meier"]["g"][at] == pytest.approx(_kaplan_meier_by_hand(distance, edge, radius))


@pytest.mark.parametrize("correction", ["kaplan_meier", "border"])
def test_cross_g_of_scattered_cells_is_that_of_a_poisson_process(correction: str) -> None:
    """G(r) = 1 - exp(-intensity pi r^2); without correction the edge makes it too small."""
    radii, n_trials, intensity, side = [10.0, 20.0, 30.0], 150, 0.0006, 300
    rng = np.random.default_rng(11)
    parts = []
    for trial in range(n_trials):
        n = rng.poisson(intensity * side**2, 2)
        places = np.vstack([rng.uniform(0, side, (n.sum(), 2)), [[0, 0], [0, side], [side, 0], [side, side]]])
        cells = pd.DataFrame(places, columns=["x_um", "y_um"])
        kinds = ["cd8"] * n[0] + ["tumor"] * n[1] + ["other"] * 4  # corners, so that the window is the square
        parts.append(cells.assign(sample_id=f"S{trial}", phenotype=kinds))
    cohort = _cohort(pd.concat(parts, ignore_index=True).assign(field_id="F0"))
    how = {"pairs": [("cd8", "tumor")], "radii_um": radii}
    corrected, plain = (
        features.cross_g(cohort, correction=c, **how)["g"].to_numpy().reshape(n_trials, len(radii))
        for c in (correction, "none")
    )
    law = 1 - np.exp(-intensity * np.pi * np.square(radii))
    error = corrected.std(axis=0) / np.sqrt(n_trials)
    assert (np.abs(corrected.mean(axis=0) - law) < 3 * error).all()
    assert error.max() < 0.01
    lost = corrected - plain
    assert (lost.mean(axis=0) > 3 * lost.std(axis=0) / np.sqrt(n_trials)).all()


def test_the_law_of_scattered_cells_stands_beside_the_curve() -> None:
    obs = _scattered(2, n=400, samples=2, fields=2)
    table = features.cross_g(_cohort(obs), [("cd8", "tumor"), ("cd8", "cd8")], radii_um=[0.0, 8.0])
    from scipy.spatial import ConvexHull

    for target in ("tumor", "cd8"):
        weights, laws = [], []
        for _, field in obs[obs["sample_id"] == "S0"].groupby("field_id"):
            area = ConvexHull(field[["x_um", "y_um"]].to_numpy()).volume
            counts = field["phenotype"].value_counts()
            others = counts[target] - (target == "cd8")
            weights.append(counts["cd8"])
            laws.append(1 - np.exp(-others / area * np.pi * 64.0))
        row = table[(table["sample_id"] == "S0") & (table["target"] == target)]
        assert row["g_random"].tolist() == pytest.approx([0.0, np.average(laws, weights=weights)])
        assert row["g"].tolist()[0] == 0.0
    excess = features.cross_g_excess(_cohort(obs), [("cd8", "tumor")], radius_um=8.0)
    row = table[(table["sample_id"] == "S0") & (table["target"] == "tumor") & (table["radius_um"] == 8.0)].iloc[0]
    assert _value(excess, "S0", "g_excess_cd8_to_tumor") == pytest.approx(row["g"] - row["g_random"])


def test_distances_to_the_edge_of_a_rectangle_and_of_a_core() -> None:
    rng = np.random.default_rng(0)
    inside = rng.uniform(0, [300, 200], (500, 2))
    box = np.vstack([inside, [[0, 0], [300, 0], [0, 200], [300, 200]]])
    distance, area = edge_distances(box)
    assert area == pytest.approx(60_000)
    by_hand = np.minimum.reduce([box[:, 0], 300 - box[:, 0], box[:, 1], 200 - box[:, 1]])
    np.testing.assert_allclose(distance, by_hand, atol=1e-9)
    angle = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    ring = 100 * np.column_stack([np.cos(angle), np.sin(angle)])
    core = np.vstack([ring, [[0.0, 0.0], [60.0, 0.0]]])
    distance, area = edge_distances(core)
    assert distance[-2:] == pytest.approx([100.0, 40.0], abs=0.01)
    assert area == pytest.approx(np.pi * 100**2, rel=1e-4)
    assert edge_distances(np.array([[0.0, 0], [1, 1], [2, 2]])) is None


def test_clusters_are_those_of_dbscan() -> None:
    rng = np.random.default_rng(3)
    centers = rng.uniform(0, 1000, (6, 2))
    places = np.vstack([rng.normal(c, 15, (60, 2)) for c in centers] + [rng.uniform(0, 1000, (200, 2))])
    ours = density_clusters(places, 25.0, 10)
    theirs = DBSCAN(eps=25.0, min_samples=10).fit(places)
    core = np.zeros(len(places), dtype=bool)
    core[theirs.core_sample_indices_] = True
    assert 0 < core.sum() < len(places)
    assert ((ours == -1) == (theirs.labels_ == -1)).all()
    pairs = {(a, b) for a, b in zip(ours[core], theirs.labels_[core], strict=True)}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) >= 4


def test_a_cell_counts_itself_among_those_within_reach() -> None:
    line = np.column_stack([np.linspace(0.0, 9.0, 10), np.zeros(10)])  # every cell within 9 of every other
    assert density_clusters(line, 9.0, 10).tolist() == [0] * 10
    assert density_clusters(line, 9.0, 11).tolist() == [-1] * 10
    assert density_clusters(line, 8.9, 10).tolist() == [0] * 10  # the ends are no cores, and join one
    assert density_clusters(line, 7.9, 10).tolist() == [0] * 10
    assert density_clusters(line, 4.4, 10).tolist() == [-1] * 10
    assert density_clusters(np.empty((0, 2)), 5.0, 3).tolist() == []


def _with_structure(n_b: int, n_t: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    lymphoid = pd.DataFrame(rng.normal(500, 20, (n_b + n_t, 2)), columns=["x_um", "y_um"])
    lymphoid["phenotype"] = ["b"] * n_b + ["t"] * n_t
    around = pd.DataFrame(rng.uniform(0, 1000, (80, 2)), columns=["x_um", "y_um"]).assign(phenotype="tumor")
    return pd.concat([lymphoid, around], ignore_index=True).assign(sample_id="S0", field_id="F0")


def test_a_gathering_of_b_and_t_cells_is_one_structure_and_t_cells_alone_are_none() -> None:
    fields = pd.DataFrame([{"sample_id": "S0", "field_id": "F0", "area_mm2": 0.5}])
    cohort = _cohort(_with_structure(60, 40), fields)
    rule = features.StructureRule(min_cells=80)
    row = features.lymphoid_structures(cohort, "b", "t", rule=rule).iloc[0]
    assert abs(row["x_um"] - 500) < 8
    assert row["n_b"] + row["n_t"] == row["n_cells"] >= 90
    burden = features.by_sample(features.structure_burden(cohort, "b", "t", rule=rule)).loc["S0"]
    assert burden["structures"] == 1
    assert burden["structures_per_mm2"] == 2.0
    assert burden["structures_fraction"] == row["n_cells"] / 100
    for n_b, n_t in ((5, 95), (95, 5), (20, 20)):
        other = _cohort(_with_structure(n_b, n_t), fields)
        assert len(features.lymphoid_structures(other, "b", "t", rule=rule)) == 0
        assert _value(features.structure_burden(other, "b", "t", rule=rule), "S0", "structures") == 0


def test_two_structures_of_one_image_are_numbered_by_size() -> None:
    small = _with_structure(40, 30, seed=1).query("phenotype != 'tumor'").assign(x_um=lambda f: f["x_um"] + 400)
    obs = pd.concat([small, _with_structure(60, 40)], ignore_index=True)
    table = features.lymphoid_structures(_cohort(obs), "b", "t")
    assert table["structure"].tolist() == [1.0, 2.0]
    assert table["n_cells"].is_monotonic_decreasing
    assert table["x_um"].round(-2).tolist() == [500.0, 900.0]


def test_h_score_by_its_definition_and_a_missing_cell_is_no_three_plus() -> None:
    obs = _scattered(6, n=300, samples=2)
    light = pd.DataFrame({"PDL1": np.random.default_rng(1).uniform(0, 4, 300)})
    light.iloc[1::7] = light.iloc[1::7].round()  # cells that lie exactly on a cut
    light.iloc[::40] = np.nan
    table = features.h_scores(
        _cohort(obs, intensity=light), "PDL1", (1.0, 2.0, 3.0), within="tumor", max_unknown=0.2
    )
    for sample in ("S0", "S1"):
        mine = light["PDL1"][(obs["sample_id"] == sample) & (obs["phenotype"] == "tumor")]
        grades = [int(value >= 1) + int(value >= 2) + int(value >= 3) for value in mine if not np.isnan(value)]
        row = table.set_index("sample_id").loc[sample]
        assert row["value"] == pytest.approx(100 * sum(grades) / len(grades))
        assert row["n_of"] == len(grades) < len(mine) + 1
    every = features.h_scores(_cohort(obs, intensity=light * np.nan), "PDL1", (1.0, 2.0, 3.0), within="tumor")
    assert set(every["status"]) == {"no 'tumor' cell has an intensity of PDL1"}
    with pytest.raises(UnknownNameError, match="three rising intensities are needed"):
        features.h_scores(_cohort(obs, intensity=light), "PDL1", (1.0, 1.0, 3.0), within="tumor")


def test_pd_l1_scores_by_their_definition() -> None:
    obs = _scattered(7, n=900, samples=2)
    marks = pd.DataFrame({"PDL1": np.random.default_rng(2).choice([0.0, 1.0, np.nan], 900, p=[0.5, 0.48, 0.02])})
    how = {"tumor": "tumor", "immune": "immune"}
    kinds = {"tumor": "tumor", "immune": ("cd8", "t", "b")}
    cohort = _cohort(obs, positive=marks)
    table = features.pd_l1_scores(cohort, populations=kinds, min_tumor_cells=50, **how)
    for sample in ("S0", "S1"):
        cells = list(zip(obs["phenotype"], marks["PDL1"], obs["sample_id"] == sample, strict=True))
        tumor = [mark for kind, mark, mine in cells if mine and kind == "tumor" and not np.isnan(mark)]
        immune = [mark for kind, mark, mine in cells if mine and kind in ("cd8", "t", "b") and mark == 1]
        assert _value(table, sample, "tps_PDL1") == pytest.approx(100 * sum(tumor) / len(tumor))
        assert 100 * (sum(tumor) + len(immune)) / len(tumor) > 100
        assert _value(table, sample, "cps_PDL1") == 100.0
    few = {"tumor": "tumor", "immune": "b"}
    marks = marks.where(np.arange(900)[:, None] % 3 > 0, marks * 0)
    cohort = _cohort(obs, positive=marks)
    table = features.pd_l1_scores(cohort, populations=few, min_tumor_cells=50, **how)
    row = table.set_index(["sample_id", "feature"]).loc[("S0", "cps_PDL1")]
    tumor = marks["PDL1"][(obs["sample_id"] == "S0") & (obs["phenotype"] == "tumor")].dropna()
    b = marks["PDL1"][(obs["sample_id"] == "S0") & (obs["phenotype"] == "b")] == 1
    assert row["value"] == pytest.approx(100 * (tumor.sum() + b.sum()) / len(tumor))
    assert row["value"] < 100
    strict = features.pd_l1_scores(cohort, populations=few, min_tumor_cells=500, **how)
    assert f"{len(tumor)} 'tumor' cells with a known PDL1, 500 are needed" in strict["status"].tolist()


@pytest.mark.parametrize(
    ("n_tumor", "n_stroma", "expected"),
    [(5, 0, "inflamed"), (5, 9, "inflamed"), (4, 5, "excluded"), (0, 9, "excluded"), (4, 4, "desert")],
)
def test_where_the_lymphocytes_are(n_tumor: int, n_stroma: int, expected: str) -> None:
    rows = (
        [("cd8", "tumor")] * n_tumor + [("cd8", "stroma")] * n_stroma + [("tumor", "tumor"), ("other", "stroma")]
    )
    obs = pd.DataFrame(rows, columns=["phenotype", "region"]).assign(sample_id="S0", field_id="F0", y_um=0.0)
    obs["x_um"] = np.arange(len(obs), dtype=float)
    fields = pd.DataFrame(
        {"sample_id": "S0", "field_id": "F0", "region": ["tumor", "stroma"], "area_mm2": [0.1, 0.1]}
    )
    how = {"tumor_at_least": 50, "stroma_at_least": 50}
    row = features.immune_phenotypes(_cohort(obs, fields), "cd8", **how).iloc[0]
    assert (row["class"], row["status"]) == (expected, "ok")
    assert (row["density_tumor"], row["density_stroma"]) == (n_tumor / 0.1, n_stroma / 0.1)
    alone = fields[fields["region"] == "tumor"].assign(area_mm2=0.1)
    half = features.immune_phenotypes(_cohort(obs, alone), "cd8", **how).iloc[0]
    assert (half["class"] == "inflamed") if n_tumor >= 5 else pd.isna(half["class"])
    missing = features.immune_phenotypes(_cohort(obs), "cd8", **how).iloc[0]
    assert pd.isna(missing["class"])
    assert "area of tumor is unknown" in missing["status"]
    with pytest.raises(UnknownNameError, match="tumor_at_least must be above 0"):
        features.immune_phenotypes(_cohort(obs), "cd8", tumor_at_least=0, stroma_at_least=1)


def test_wrong_names_are_told_together() -> None:
    cohort = _cohort(_scattered(0))
    with pytest.raises(UnknownNameError, match=r"'CD8\+' is no phenotype and no signed marker") as caught:
        features.densities(cohort, populations={"a": "CD8+", "b": "tumour"})
    assert "'tumour' is no phenotype and no signed marker. Did you mean 'tumor'?" in str(caught.value)
    with pytest.raises(UnknownNameError, match=r"unknown region 'tumour'. Did you mean 'tumor'"):
        features.densities(cohort, regions=("tumour",))
    with pytest.raises(UnknownNameError, match="there is no population 'cd9'"):
        features.nearest_neighbors(cohort, [("cd9", "tumor")])
    with pytest.raises(UnknownNameError, match="share cells; name two that do not"):
        features.mixing_scores(cohort, [("cd8", "cd8")])
    with pytest.raises(UnknownNameError, match="radii_um: rising distances"):
        features.cross_g(cohort, [("cd8", "tumor")], radii_um=[5.0, 5.0])
    with pytest.raises(UnknownNameError, match="unknown correction 'km'"):
        features.cross_g(cohort, [("cd8", "tumor")], correction="km")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="reach_um must be above 0"):
        features.lymphoid_structures(cohort, "b", "t", rule=features.StructureRule(reach_um=0))
    rna = ims.Cohort(
        cohort.patients,
        cohort.samples,
        assays={"rna": ims.make_assay(pd.DataFrame({"A": [1.0]}, ["S0"]), unit="tpm")},
    )
    with pytest.raises(CohortError, match=r"assay 'rna' holds no cells of images: its rows are samples"):
        features.densities(rna, "rna")


def test_cells_are_not_patients() -> None:
    """Nothing takes a row per cell where a patient belongs: the message shows the way by samples."""
    cohort = _cohort(_scattered(0))
    obs = cohort["mif"].obs
    of_cells = pd.DataFrame(
        {"cd8": (obs["phenotype"] == "cd8").astype(float).to_numpy()}, index=obs["sample_id"].astype(str)
    )
    with pytest.raises(
        CohortError, match=r"(?s)several rows of one sample.*features\.by_sample\(features\.densities"
    ):
        cohort.per_patient(of_cells)
    by_cell = of_cells.set_axis(obs.index)
    with pytest.raises(CohortError, match=r"rows are cells of assay 'mif'.*features\.by_sample"):
        cohort.per_patient(by_cell)
    outcomes = ims.endpoints.derive(ims.simulate_cohort(seed=7))
    posing = of_cells.rename_axis("patient_id").assign(timepoint="pre", measured_day=1.0, status="ok")
    with pytest.raises(SchemaError, match=r"repeated"):
        models.associate(posing, outcomes, endpoint="objective_response", model="mann_whitney")


@pytest.mark.parametrize("column", ["x_um", "phenotype", "region", "field_id", "positive"])
def test_the_hash_of_a_cohort_knows_every_fact_of_every_cell(column: str) -> None:
    obs, marks = _scattered(0), pd.DataFrame({"CD8": np.arange(120) % 2 * 1.0})
    cohort = _cohort(obs, positive=marks)
    assert cohort.sha256 == _cohort(obs.copy(), positive=marks.copy()).sha256
    other, light = obs.copy(), marks.copy()
    if column == "positive":
        light.loc[7, "CD8"] = 0.0
    else:
        other.loc[7, column] = {"x_um": 1.25, "phenotype": "new", "region": "other", "field_id": "F9"}[column]
    changed = _cohort(other, positive=light)
    assert changed.sha256 != cohort.sha256
    assert not changed.equals(cohort)


def test_inputs_stay_as_they_were() -> None:
    obs, light = _scattered(0), pd.DataFrame({"PDL1": np.linspace(0, 4, 120)})
    cohort = _cohort(obs, intensity=light, positive=(light > 2).astype(float))
    before = (obs.copy(), cohort.sha256, cohort["mif"].obs.copy())
    features.densities(cohort)
    features.nearest_neighbors(cohort, [("cd8", "tumor")])
    features.cross_g(cohort, [("cd8", "tumor")])
    features.structure_burden(cohort, "b", "t")
    features.h_scores(cohort, "PDL1", (1, 2, 3), within="tumor")
    pd.testing.assert_frame_equal(obs, before[0])
    pd.testing.assert_frame_equal(cohort["mif"].obs, before[2])
    assert cohort.sha256 == before[1]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"region": "gland"}, r"region: \['gland'\] not in"),
        ({"x_um": np.nan}, "x_um: 120 cell"),
        ({"sample_id": None}, "sample_id: 120 cell"),
    ],
)
def test_cells_that_cannot_be_are_refused(change: dict[str, object], match: str) -> None:
    with pytest.raises(CohortError, match=match):
        ims.make_cells(_scattered(0).assign(**change))
    with pytest.raises(CohortError, match="intensity: below zero"):
        ims.make_cells(_scattered(0), intensity=pd.DataFrame({"CD8": np.linspace(-1, 1, 120)}))
