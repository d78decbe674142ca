"""What the programs that write receptors call their columns, and how each says that one is productive."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["FORMATS", "LONGEST_BLANK", "RepertoireFormat", "blank", "gene_of", "locus_of"]

_BLANK = frozenset({"", "na", "nan", "n/a", "none", "null", ".", "unresolved", "unknown", "undetermined"})
LONGEST_BLANK = max(map(len, _BLANK))
"""Longer cells say something."""

_GENE = re.compile(r"(TCR|TR|IG)[A-Za-z0-9*/_.:,;|()\- ]*")
_LOCUS = re.compile(r"(?:TCR|TR)([ABGD])|IG([HKL])")
_SCORED = re.compile(r"\(.*|,.*", re.DOTALL)


@dataclass(frozen=True)
class RepertoireFormat:
    """One way to write receptors.

    Attributes
    ----------
    columns : mapping of str to tuple of str
        Our name -> names in the file; the first that the file has and fills is read. ``said`` is where the
        file says whether a receptor is productive.
    productive : mapping of str to bool, optional
        What ``said`` says, in lower case; without it the amino acids say it: whole, and without a stop.
    best_hit : bool
        Whether a gene is a list of hits with scores, of which the first is the best.
    """

    columns: Mapping[str, tuple[str, ...]]
    productive: Mapping[str, bool] | None = None
    best_hit: bool = False


_FLAGS = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}
_FRAMES = {"in": True, "out": False, "stop": False}

FORMATS: Mapping[str, RepertoireFormat] = MappingProxyType(
    {
        "airr": RepertoireFormat(
            {
                "sample_id": ("sample_id", "repertoire_id"),
                "cdr3_nt": ("junction", "cdr3"),
                "cdr3_aa": ("junction_aa", "cdr3_aa"),
                "v_call": ("v_call",),
                "j_call": ("j_call",),
                "count": ("umi_count", "duplicate_count", "consensus_count"),
                "locus": ("locus",),
                "said": ("productive",),
            },
            _FLAGS,
        ),
        "immunoseq": RepertoireFormat(
            {
                "sample_id": ("sample_name",),
                "cdr3_nt": ("rearrangement", "nucleotide"),
                "cdr3_aa": ("amino_acid", "aminoAcid"),
                "v_call": ("v_resolved", "vMaxResolved", "v_gene", "vGeneName", "VGeneName"),
                "j_call": ("j_resolved", "jMaxResolved", "j_gene", "jGeneName", "JGeneName"),
                "count": (
                    "templates",
                    "seq_reads",
                    "reads",
                    "count (templates)",
                    "count (templates/reads)",
                    "count (reads)",
                    "count",
                    "copy",
                ),
                "locus": ("locus",),
                "said": ("frame_type", "sequenceStatus"),
            },
            _FRAMES,
        ),
        "mixcr": RepertoireFormat(
            {
                "sample_id": (),
                "cdr3_nt": ("nSeqCDR3", "N. Seq. CDR3", "N. Seq. CDR3 "),
                "cdr3_aa": ("aaSeqCDR3", "AA. Seq. CDR3", "AA. Seq. CDR3 "),
                "v_call": ("bestVGene", "bestVHit", "allVHitsWithScore", "Best V hit", "All V hits"),
                "j_call": ("bestJGene", "bestJHit", "allJHitsWithScore", "Best J hit", "All J hits"),
                "count": (
                    "uniqueMoleculeCount",
                    "uniqueUMICount",
                    "uniqueTagCountMolecule",
                    "readCount",
                    "cloneCount",
                    "Clone count",
                ),
                "locus": (),
                "said": (),
            },
            best_hit=True,
        ),
        "trust4": RepertoireFormat(
            {
                "sample_id": (),
                "cdr3_nt": ("CDR3nt",),
                "cdr3_aa": ("CDR3aa",),
                "v_call": ("V",),
                "j_call": ("J",),
                "count": ("#count", "count"),
                "locus": (),
                "said": (),
            }
        ),
        "immunarch": RepertoireFormat(
            {
                "sample_id": ("Sample",),
                "cdr3_nt": ("CDR3.nt",),
                "cdr3_aa": ("CDR3.aa",),
                "v_call": ("V.name",),
                "j_call": ("J.name",),
                "count": ("Umi.count", "Clones", "Read.count"),
                "locus": (),
                "said": (),
            }
        ),
    }
)
"""By the name that a manifest gives in ``format``.

immunoSEQ changed its names twice (v1 ``copy`` and ``sequenceStatus``, v2 ``count (templates/reads)``, v3
``templates`` and ``frame_type``); TRUST4 writes ``out_of_frame`` and ``partial`` where amino acids would stand.
"""


def gene_of(text: str, *, best_hit: bool) -> str | None:
    """Return the name of a gene; empty where the source could not tell it, None where it is no name of one."""
    name = text.strip().strip('"')
    if name.lower() in _BLANK or name == "*":
        return ""
    if not _GENE.fullmatch(name):
        return None
    return _SCORED.sub("", name).strip() if best_hit else name


def locus_of(*names: str) -> str:
    """Return the chain that the first of some names tells; empty where none does.

    Examples
    --------
    >>> locus_of("TCRBV05-01"), locus_of("", "TRAJ3*01"), locus_of("IGHV1-2", ""), locus_of("")
    ('TRB', 'TRA', 'IGH', '')
    """
    for name in names:
        if (found := _LOCUS.match(name)) is not None:
            return f"TR{found[1]}" if found[1] else f"IG{found[2]}"
    return ""


def blank(text: str) -> bool:
    """Return whether a cell says that nothing is known."""
    return text.strip().lower() in _BLANK
