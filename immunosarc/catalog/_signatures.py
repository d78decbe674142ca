"""The signature catalog: one frozen record per signature, and the mapping that holds them."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from html import escape
from typing import TYPE_CHECKING, Any

from immunosarc.catalog._files import FrozenMapping, freeze, read_json
from immunosarc.errors import SchemaError, UnknownNameError, did_you_mean, raise_together

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Signature", "Signatures", "load_signatures"]

_NOTHING: Mapping[str, Any] = FrozenMapping({})


@dataclass(frozen=True)
class Signature:
    """A named set of genes and everything known about how to read it.

    Attributes
    ----------
    name, label : str
        The name to pass, and the words for a figure.
    genes : tuple of str
        Approved gene symbols; empty for a class scheme that has none of its own.
    direction, meaning : str
        The key of the stated direction, and the sentence that says what a higher score means.
    category : str
        What the signature is about: ``"tls_b"``, ``"cytotoxicity"``, ...
    kind : str
        ``"published"``, ``"curated"`` (textbook markers, never a published signature) or
        ``"user"``.
    method, published_method, method_details : str
        The scoring method or class scheme of this package that is the published form; the
        form in the words of the source; and what else the source says about it.
    citation, doi : str
        The publication; an unknown DOI is an empty string.
    pmid : int or None
        PubMed number of the publication.
    license, patent : str
        What was seen on the terms of use, and a notice where patents are known.
    genes_down : tuple of str
        Genes that count against the score.
    weights : mapping
        Gene to weight.
    housekeeping : tuple of str
        Genes that normalize the weighted sum.
    pairs : tuple of (str, str)
        Gene pairs whose first member should be expressed higher.
    classes, centroids, modules : mapping, mapping, tuple of str
        What a class scheme consists of; modules are names of other signatures.
    denominator : str
        Name of the signature that a ratio holds this one against.
    formula : str
        The score as a formula, where the source gives one.
    previous_symbols : mapping
        Gene to the older symbols under which files may still list it.
    flags : tuple of str
        Known dangers: ``"y_linked:EIF1AY"``, ``"sarcoma_cell_intrinsic_risk:7/8"``.
    notes, caution : str
        What to know before using it.
    sources : tuple of str
        The public copies that the gene list was checked against, or ``"curated ..."``.
    verified : bool
        Whether the list was found in at least one public copy. It says nothing about biology.
    """

    name: str
    genes: tuple[str, ...]
    label: str = ""
    direction: str = "unstated"
    meaning: str = ""
    category: str = ""
    kind: str = "user"
    method: str = ""
    published_method: str = ""
    method_details: str = ""
    citation: str = ""
    doi: str = ""
    pmid: int | None = None
    license: str = ""
    patent: str = ""
    genes_down: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default=_NOTHING)
    housekeeping: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    classes: Mapping[str, Any] = field(default=_NOTHING)
    centroids: Mapping[str, Any] = field(default=_NOTHING)
    modules: tuple[str, ...] = ()
    denominator: str = ""
    formula: str = ""
    previous_symbols: Mapping[str, tuple[str, ...]] = field(default=_NOTHING)
    flags: tuple[str, ...] = ()
    notes: str = ""
    caution: str = ""
    sources: tuple[str, ...] = ()
    verified: bool = False

    @property
    def curated(self) -> bool:
        """Whether this is a panel of textbook markers and not a published signature."""
        return self.kind == "curated"

    @property
    def all_genes(self) -> tuple[str, ...]:
        """Every gene that the published form reads, housekeeping genes included."""
        paired = tuple(gene for pair in self.pairs for gene in pair)
        return tuple(dict.fromkeys((*self.genes, *self.genes_down, *self.housekeeping, *paired)))

    def __repr__(self) -> str:
        return f"<Signature {self.name!r}: {self.label}, {len(self.genes)} genes, {self.direction}>"

    def describe(self) -> str:
        r"""Return everything that is known of it, one fact a line: ``key<TAB>value``.

        Examples
        --------
        >>> load_signatures()["cyt"].describe().splitlines()[1]
        'genes\tGZMA, PRF1'
        """
        return "".join(f"{key}\t{value}\n" for key, value in self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        shown = ((item.name, getattr(self, item.name)) for item in fields(self))
        return [(key, _words(value)) for key, value in shown if value]

    def _repr_html_(self) -> str:
        rows = [f"<tr><th>{key}</th><td>{escape(value)}</td></tr>" for key, value in self._facts()]
        return f"<table>{''.join(rows)}</table>"


class Signatures(Mapping[str, Signature]):
    """An unchangeable collection of signatures, from name to record.

    Parameters
    ----------
    signatures : collection of Signature
        In the order in which tables list them; names are unique.

    Raises
    ------
    SchemaError
        When two signatures carry one name.

    Examples
    --------
    >>> found = load_signatures()
    >>> len(found)
    109
    >>> found["cyt"].genes
    ('GZMA', 'PRF1')
    >>> found.subset(category="dna_sensing")
    <Signatures: 2 (sting_reactome16, cgas_sting_core)>
    """

    __slots__ = ("_records",)

    def __init__(self, signatures: Collection[Signature]) -> None:
        self._records = {signature.name: signature for signature in signatures}
        names = [signature.name for signature in signatures]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise_together(SchemaError, "the signatures", [f"{name!r} appears twice" for name in twice])

    def __getitem__(self, name: str) -> Signature:
        if name not in self._records:
            raise UnknownNameError(f"unknown signature {name!r}.{did_you_mean(name, self._records)}")
        return self._records[name]

    def __contains__(self, name: object) -> bool:
        return name in self._records

    def get(self, key: str, default: Any = None, /) -> Any:
        """Return the signature, or ``default`` when there is none of that name."""
        return self._records.get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __hash__(self) -> int:
        return hash(tuple(self._records.values()))

    def subset(
        self,
        *names: str,
        category: str | Collection[str] | None = None,
        direction: str | Collection[str] | None = None,
    ) -> Signatures:
        """Return some of the signatures, in the order asked for.

        Parameters
        ----------
        *names : str
            Names to keep; none means all.
        category, direction : str or collection of str, optional
            Keep only these categories or directions.

        Returns
        -------
        Signatures
            May be empty when the filters exclude each other.

        Raises
        ------
        UnknownNameError
            For names, categories or directions that no signature here has.

        Examples
        --------
        >>> load_signatures().subset("cyt", "ifng6")
        <Signatures: 2 (cyt, ifng6)>
        """
        if any(not isinstance(name, str) for name in names):
            raise UnknownNameError("names come one by one: subset('cyt', 'ifng6'), or subset(*names) for a list")
        wanted = {"category": _several(category), "direction": _several(direction)}
        problems = [f"unknown signature {n!r}.{did_you_mean(n, self)}" for n in names if n not in self]
        for noun, values in wanted.items():
            known = {str(getattr(signature, noun)) for signature in self.values()}
            problems += [f"unknown {noun} {v!r}.{did_you_mean(v, known)}" for v in values or () if v not in known]
        raise_together(UnknownNameError, "the choice of signatures", problems)
        chosen = [self[name] for name in dict.fromkeys(names)] if names else list(self.values())
        for noun, values in wanted.items():
            chosen = [one for one in chosen if values is None or getattr(one, noun) in values]
        return Signatures(chosen)

    def table(self) -> pd.DataFrame:
        """Return one row per signature, for the eyes.

        Returns
        -------
        DataFrame
            Index ``signature``; columns ``label, category, kind, direction, meaning, n_genes,
            n_genes_down, method, citation, doi, license, patent, flags, verified, notes, genes``.

        Examples
        --------
        >>> load_signatures().table().loc["cyt", "method"]
        'geometric_mean'
        """
        import pandas as pd

        rows = [_row(signature) for signature in self.values()]
        columns = list(_row(Signature("", ())))
        return pd.DataFrame(rows, columns=columns).set_index("signature")

    def __repr__(self) -> str:
        names = list(self._records)
        shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
        return f"<Signatures: {len(names)} ({shown})>"

    def _repr_html_(self) -> str:
        columns = ["label", "category", "kind", "direction", "n_genes", "method", "citation"]
        return f"<p>{len(self)} signatures</p>{self.table()[columns].to_html()}"


@functools.cache
def load_signatures() -> Signatures:
    """Return the signatures and class schemes that ship with the package.

    Each is a restated published fact with its citation; seven panels of textbook markers are
    labelled ``kind="curated"``. The list says nothing about whether a signature works in sarcoma.

    Returns
    -------
    Signatures
        109 records, in catalog order.

    Examples
    --------
    >>> tis = load_signatures()["gep18_tcell_inflamed"]
    >>> tis.weights["CD276"], tis.method
    (-0.0239, 'weighted_sum')
    """
    content = read_json("signatures.json")
    return Signatures([_record(entry, content) for entry in content["signatures"]])


def _record(entry: dict[str, Any], content: dict[str, Any]) -> Signature:
    known = {key: freeze(value) for key, value in entry.items()}
    known["sources"] = tuple(content["sources"][key]["ref"] for key in entry["sources"])
    known.setdefault("license", content["default_license"])
    return Signature(meaning=content["directions"][entry["direction"]], **known)


def _row(signature: Signature) -> dict[str, Any]:
    return {
        "signature": signature.name,
        "label": signature.label,
        "category": signature.category,
        "kind": signature.kind,
        "direction": signature.direction,
        "meaning": signature.meaning,
        "n_genes": len(signature.genes),
        "n_genes_down": len(signature.genes_down),
        "method": signature.method,
        "citation": signature.citation,
        "doi": signature.doi,
        "license": signature.license,
        "patent": signature.patent,
        "flags": ", ".join(signature.flags),
        "verified": signature.verified,
        "notes": signature.notes,
        "genes": ", ".join(signature.genes),
    }


def _several(value: str | Collection[str] | None) -> set[str] | None:
    return {value} if isinstance(value, str) else None if value is None else set(value)


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
