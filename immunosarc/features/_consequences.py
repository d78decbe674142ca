"""What a variant does to the protein, in one vocabulary for MAF, Sequence Ontology and SnpEff."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.errors import SchemaError, did_you_mean

__all__ = ["KINDS", "NONSYNONYMOUS", "indels", "kinds_of", "of_variants"]

KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "truncating": ("nonsense_mutation", "stop_gained", "transcript_ablation", "exon_loss_variant"),
        "frameshift": (*("frame_shift_del", "frame_shift_ins", "frameshift_variant", "frame_shift"),),
        "splice": ("splice_site", "splice_acceptor_variant", "splice_donor_variant"),
        "start_stop": (
            *("translation_start_site", "nonstop_mutation", "start_codon_snp", "start_lost", "stop_lost"),
            *("initiator_codon_variant", "start_codon_del", "start_codon_ins", "stop_codon_del", "stop_codon_ins"),
        ),
        "inframe": (
            *("in_frame_del", "in_frame_ins", "inframe_deletion", "inframe_insertion"),
            *("conservative_inframe_deletion", "conservative_inframe_insertion"),
            *("disruptive_inframe_deletion", "disruptive_inframe_insertion"),
        ),
        "missense": (
            *("missense_mutation", "missense_variant", "missense", "protein_altering_variant"),
            *("rare_amino_acid_variant", "protein_protein_contact", "structural_interaction_variant"),
        ),
        "silent": ("silent", "synonymous_variant", "stop_retained_variant", "start_retained_variant"),
        "noncoding": (
            *("intron", "intron_variant", "igr", "intergenic_region", "intergenic_variant", "rna", "lincrna"),
            *("5'utr", "3'utr", "5_prime_utr_variant", "3_prime_utr_variant", "5'flank", "3'flank"),
            *("upstream_gene_variant", "downstream_gene_variant", "splice_region", "splice_region_variant"),
            *(
                "splice_polypyrimidine_tract_variant",
                "splice_donor_region_variant",
                "splice_donor_5th_base_variant",
            ),
            *("targeted_region", "non_coding_transcript_exon_variant", "non_coding_transcript_variant"),
            *(
                "nc_transcript_variant",
                "non_coding_exon_variant",
                "mature_mirna_variant",
                "regulatory_region_variant",
            ),
            *("tf_binding_site_variant", "coding_sequence_variant", "incomplete_terminal_codon_variant"),
            *("nmd_transcript_variant", "sequence_feature", "de_novo_start_inframe", "de_novo_start_outofframe"),
            *("5_prime_utr_premature_start_codon_gain_variant", "could_not_determine", "feature_elongation"),
        ),
    }
)
"""Kind -> the words for it, in lower case; the first that fits counts where a source joins several by & or ,."""

NONSYNONYMOUS = ("truncating", "frameshift", "splice", "start_stop", "inframe", "missense")
"""Kinds that change the protein."""

_KIND_OF = {word: kind for kind, words in KINDS.items() for word in words}
_RANK = {kind: place for place, kind in enumerate(KINDS)}


def kinds_of(consequences: pd.Series) -> pd.Series:
    """Return the kind of each variant.

    Parameters
    ----------
    consequences : Series of str
        None missing.

    Raises
    ------
    SchemaError
        With every word that is not known: nothing is guessed.
    """
    known = {}
    strange = []
    for text in consequences.dropna().unique():
        words = [word.strip().lower() for word in str(text).replace(",", "&").split("&")]
        kinds = [_KIND_OF.get(word, "") for word in words]
        strange += [word for word, kind in zip(words, kinds, strict=True) if not kind]
        known[text] = min(filter(None, kinds), key=_RANK.__getitem__, default="")
    lacking = int(consequences.isna().sum())
    told = [f"{word!r}.{did_you_mean(word, _KIND_OF)}" for word in dict.fromkeys(strange)]
    if lacking:
        told.append(f"{lacking:,} rows have none")
    if told:
        raise SchemaError(
            f"table 'variants', consequence: {' '.join(told)} Recode it to a word of MAF or Sequence Ontology, "
            "or leave the rows out."
        )
    return consequences.map(known).astype("string")


def indels(variants: pd.DataFrame, kinds: pd.Series) -> NDArray[np.bool_]:
    """Return which variants add or remove bases: by their type, else by their alleles, else by their kind."""
    found = kinds.isin(["frameshift", "inframe"]).to_numpy(dtype=bool)
    if {"reference_allele", "alternate_allele"} <= set(variants.columns):
        lengths = [
            variants[name].str.replace("-", "", regex=False).str.len()
            for name in ("reference_allele", "alternate_allele")
        ]
        known = (lengths[0].notna() & lengths[1].notna()).to_numpy(dtype=bool)
        differ = (lengths[0] != lengths[1]).fillna(False).to_numpy(dtype=bool)
        found = np.where(known, differ, found)
    if "variant_type" in variants:
        said = variants["variant_type"]
        found = np.where(said.notna(), said.isin(["INS", "DEL"]), found)
    return found.astype(bool)


def of_variants(variants: pd.DataFrame) -> pd.DataFrame:
    """Return the variants with ``kind`` and ``indel``; one that stands there twice (for two transcripts) is one.

    Of rows with the same sample, place and bases the one that changes the protein most is kept.
    """
    kinds = kinds_of(variants["consequence"] if "consequence" in variants else pd.Series(pd.NA, variants.index))
    rank = kinds.map(_RANK)
    table = variants.assign(kind=kinds, indel=indels(variants, kinds), rank=rank)
    place = ["sample_id", "chromosome", "position", "reference_allele", "alternate_allele"]
    if not set(place) <= set(table.columns):
        return table.drop(columns="rank")
    named = table[place].notna().all(axis=1)
    ordered = table.sort_values("rank", kind="stable")
    again = (ordered.duplicated(place) & named.reindex(ordered.index)).reindex(table.index)
    return table[~again].drop(columns="rank")
