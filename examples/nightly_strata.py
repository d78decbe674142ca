"""Assign every new patient to a stratum, every night, and say aloud when an old answer changes.

    python examples/nightly_strata.py hot.toml inbox/ strata/

``inbox`` holds one manifest (TOML) per batch of patients; a rule file comes from immunosarc.design.stratify.
One batch that cannot be read does not stop the others. Exit 0 when all is well; 1 when there is no batch, when
one failed, or when a sample that had a stratum would get another one: then nothing is overwritten.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

import immunosarc as ims
from immunosarc.errors import ImmunosarcError


def changed_samples(old: Path, new: pd.DataFrame) -> list[str]:
    """Name the samples whose stratum is not what it was."""
    if not old.exists():
        return []
    before = pd.read_csv(old, sep="\t", dtype=str).dropna(subset=["sample_id", "stratum"])
    now = new.dropna(subset=["sample_id"]).set_index("sample_id")["stratum"]
    same = now.reindex(before["sample_id"]).to_numpy() == before["stratum"].to_numpy()
    return before.loc[~same, "sample_id"].tolist()


def main(rule_file: str, inbox: str, out: str) -> int:
    """Assign all batches; return the exit code."""
    try:
        rule = ims.design.read_rule(rule_file)
    except ImmunosarcError as problem:
        print(f"{rule_file}: {problem}", file=sys.stderr)
        return 1
    batches = sorted(Path(inbox).glob("*.toml"))
    if not batches:
        print(f"{inbox}: no manifest (*.toml) in it; is this the right folder?", file=sys.stderr)
        return 1
    failed = False
    for manifest in batches:
        target = Path(out) / manifest.stem
        try:
            cohort = ims.load_cohort(manifest)
            strata = rule.apply(cohort)
            if changed := changed_samples(target / "tables" / "strata.tsv", strata):
                raise ImmunosarcError(f"another stratum than before for {', '.join(changed)}; nothing was written")
            about = {"rule": rule.name, "rule_sha256": rule.sha256, "provenance": dict(cohort.provenance)}
            ims.report.write_tables(
                {"strata": strata}, target, title=cohort.name, about=about, simulated=cohort.simulated
            )
            assigned = int((strata["status"] == "ok").sum())
            print(f"{manifest.stem}: {assigned} of {len(strata)} assigned")
        except (ImmunosarcError, OSError) as problem:
            failed = True
            print(f"{manifest.stem}: {problem}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
