"""Two measures of one thing, patient by patient."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from immunosarc import plots


def test_every_patient_is_drawn_and_the_discordant_are_named() -> None:
    ranks = pd.DataFrame(
        {
            "quantity": "CD8",
            "patient_id": ["P1", "P2", "P3"],
            "measure": "RNA",
            "other": "imaging",
            "rank": [0.0, 0.5, 1.0],
            "other_rank": [1.0, 0.5, 0.0],
            "discordant": [True, False, True],
        }
    )
    ax = plots.concordance(ranks, ax=Figure().add_subplot())
    drawn = {one.get_label(): one.get_offsets().tolist() for one in ax.collections}
    assert drawn == {"concordant (1)": [[0.5, 0.5]], "discordant (2)": [[0, 1], [1, 0]]}
    assert [one.get_text() for one in ax.texts] == ["P1", "P3"]
    assert ax.get_title(loc="left") == "CD8, n = 3" or ax.get_title() == "CD8, n = 3"
    assert ax.get_xlabel() == "Rank by RNA"
