"""The two-stage design that a plan declares."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["TwoStage"]


class TwoStage(BaseModel):
    """The two-stage design that the trial was run by; its inference allows for the first look.

    Attributes
    ----------
    r1, n1 : int
        The trial stops after ``n1`` patients with at most ``r1`` successes.
    r, n : int
        It succeeds with more than ``r`` successes among ``n``.
    p0 : float
        The historical rate to beat.
    endpoint : str
        The binary endpoint that is the success.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    r1: int = Field(ge=0)
    n1: int = Field(ge=1)
    r: int = Field(ge=0)
    n: int = Field(ge=2)
    p0: float = Field(gt=0, lt=1)
    endpoint: str = "pfs6"

    @model_validator(mode="after")
    def _is_a_design(self) -> TwoStage:
        if not (self.r1 < self.n1 < self.n and self.r1 <= self.r < self.n):
            raise ValueError(f"{self.r1}/{self.n1}, {self.r}/{self.n}: r1 < n1 < n and r1 <= r < n are needed")
        return self
