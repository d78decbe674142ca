"""Panels: signatures that are asked about together, fixed under a name and a version."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from immunosarc.catalog._files import FrozenMapping, read_json
from immunosarc.errors import UnknownNameError, did_you_mean

__all__ = ["SignaturePanel", "load_panel"]


@dataclass(frozen=True)
class SignaturePanel:
    """A named, versioned choice of signatures; what is in it never changes under one version.

    Attributes
    ----------
    name, version, title : str
        What it is called, and the question that it asks.
    method : str
        The scoring method: one whose scores do not depend on other samples.
    axes : mapping of str to tuple of str
        The signatures of each side of the question.
    directions : mapping of str to int
        Signature to 1 where a higher score means a more visible tumor, -1 where it means the opposite.
    """

    name: str
    version: str
    title: str
    method: str
    axes: Mapping[str, tuple[str, ...]]
    directions: Mapping[str, int]

    @property
    def signatures(self) -> tuple[str, ...]:
        """All signatures, in the order of the axes: what ``Plan`` panels and ``Signatures.subset`` take."""
        return tuple(self.directions)

    @property
    def sha256(self) -> str:
        """Hash of the composition, so that two analyses can be told to have asked the same."""
        axes = [(axis, [(name, self.directions[name]) for name in names]) for axis, names in self.axes.items()]
        return hashlib.sha256(json.dumps([self.name, self.version, self.method, axes]).encode()).hexdigest()

    def __repr__(self) -> str:
        size = f"{len(self.directions)} signatures, {len(self.axes)} axes"
        return f"<SignaturePanel {self.name!r} {self.version}: {size}>"


@functools.cache
def load_panel(name: str) -> SignaturePanel:
    """Return a panel that ships with the package.

    Parameters
    ----------
    name : str
        ``"immunogenicity"``: immunogenic cell death, type I interferon, cGAS-STING, antigen presentation,
        tertiary lymphoid structures, T cell inflammation, exclusion and myeloid cells, two signatures each.

    Returns
    -------
    SignaturePanel

    Raises
    ------
    UnknownNameError
        For a panel that does not exist.

    Examples
    --------
    >>> load_panel("immunogenicity").axes["t_cell_inflamed"]
    ('tis18_unweighted', 'cyt')
    """
    panels: dict[str, Any] = read_json("panels.json")
    if name not in panels:
        raise UnknownNameError(f"unknown panel {name!r}.{did_you_mean(name, panels)}")
    content = panels[name]
    directions = {signature: sign for signs in content["axes"].values() for signature, sign in signs.items()}
    return SignaturePanel(
        name=name,
        version=content["version"],
        title=content["title"],
        method=content["method"],
        axes=FrozenMapping({axis: tuple(signs) for axis, signs in content["axes"].items()}),
        directions=FrozenMapping(directions),
    )
