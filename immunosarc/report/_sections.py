"""The sections of the page, in order. A new one is a module ``_section_<name>.py`` and a line here."""

from __future__ import annotations

from collections.abc import Callable

from immunosarc.report import (
    _section_answer,
    _section_association,
    _section_biopsies,
    _section_change,
    _section_concordance,
    _section_definitions,
    _section_endpoints,
    _section_flow,
    _section_groups,
    _section_imaging,
    _section_ledger,
    _section_methods,
    _section_molecular,
    _section_multiverse,
    _section_next_trial,
    _section_patients,
    _section_prediction,
    _section_profile,
    _section_provenance,
    _section_quality,
    _section_resistance,
    _section_safety,
    _section_signatures,
    _section_single_cells,
    _section_trial,
)
from immunosarc.report._section import Section
from immunosarc.study import Study

__all__ = ["sections"]

_BUILDERS: tuple[Callable[[Study], Section], ...] = (
    _section_answer.build,
    _section_provenance.build,
    _section_flow.build,
    _section_patients.build,
    _section_quality.build,
    _section_endpoints.build,
    _section_endpoints.build_survival,
    _section_definitions.build,
    _section_trial.build,
    _section_resistance.build,
    _section_safety.build,
    _section_signatures.build,
    _section_profile.build,
    _section_imaging.build,
    _section_single_cells.build,
    _section_molecular.build,
    _section_concordance.build,
    _section_association.build,
    _section_groups.build,
    _section_change.build,
    _section_biopsies.build,
    _section_prediction.build,
    _section_multiverse.build,
    _section_ledger.build,
    _section_next_trial.build,
    _section_signatures.build_coverage,
    _section_methods.build,
    _section_methods.build_glossary,
)


def sections(study: Study) -> tuple[Section, ...]:
    """Return every section that has something to show; a section without blocks is left out."""
    built = (build(study) for build in _BUILDERS)
    return tuple(section for section in built if section.blocks)
