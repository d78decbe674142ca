"""The immunogenicity panel: fixed, of the catalog, ready for plan and shift."""

from __future__ import annotations

import pytest

import immunosarc as ims
from immunosarc.catalog import load_panel, load_signatures
from immunosarc.errors import UnknownNameError
from immunosarc.features import SCORING


def test_the_composition_is_fixed_under_its_version():
    panel = load_panel("immunogenicity")
    assert panel.version == "1.0.0"
    assert list(panel.axes) == [
        "immunogenic_cell_death", "type_i_interferon", "cgas_sting", "antigen_presentation",
        "tertiary_lymphoid_structures", "t_cell_inflamed", "exclusion", "myeloid",
    ]  # fmt: skip
    # whoever changes the composition must raise the version and write the new hash here
    assert panel.sha256 == "e3cb4d293ff48008164fb3d7d5bb5d94b62e424ae49dfb0ab21804e188fbf1cd"


def test_every_member_is_a_signature_about_its_axis_with_the_sign_that_the_catalog_states():
    panel, found = load_panel("immunogenicity"), load_signatures()
    meant = {
        "immunogenic_cell_death": {"icd"}, "type_i_interferon": {"ifn_i"}, "cgas_sting": {"dna_sensing"},
        "antigen_presentation": {"antigen_presentation"}, "tertiary_lymphoid_structures": {"tls_b"},
        "t_cell_inflamed": {"t_cell_inflamed", "cytotoxicity"}, "exclusion": {"tumor_intrinsic", "stroma"},
        "myeloid": {"myeloid"},
    }  # fmt: skip
    for axis, names in panel.axes.items():
        assert len(names) == 2
        for name in names:
            assert found[name].category in meant[axis], name
            against = {"higher_cold": -1, "higher_resistant": -1, "higher_hot": 1, "higher_sensitive": 1}
            assert panel.directions[name] == against.get(found[name].direction, panel.directions[name]), name
    assert SCORING[panel.method].single_sample
    assert list(panel.directions) == list(panel.signatures) == [n for names in panel.axes.values() for n in names]


def test_a_plan_and_the_shift_take_it():
    panel = ims.features.panel("immunogenicity")
    declared = ims.Plan.from_mapping({"panels": [{"name": "visible", "signatures": "immunogenicity"}]})
    assert declared.panels[0].signatures == panel.signatures
    cohort = ims.simulate_cohort(seed=7)
    scores = ims.features.score(
        cohort["rna"], ims.features.signatures().subset(*panel.signatures), method=panel.method
    )
    usable = scores.loc[:, scores.notna().any()]
    signs = {name: panel.directions[name] for name in usable}
    shift = ims.models.immunogenicity_shift(cohort, usable, directions=signs)
    turned = ims.models.immunogenicity_shift(
        cohort, usable, directions={name: -sign for name, sign in signs.items()}
    )
    assert shift["shift"].dropna().tolist() == (-turned["shift"].dropna()).tolist()
    with pytest.raises(UnknownNameError, match="Did you mean 'immunogenicity'"):
        load_panel("imunogenicity")
    with pytest.raises(ims.errors.PlanError, match="unknown panel 'visible'"):
        ims.Plan.from_mapping({"panels": [{"name": "x", "signatures": "visible"}]})
