"""Theorems as objects, verdicts on them, and checks of their proofs; no paper in particular."""

from rltheory.theory.archive import load_verdicts, save_verdicts
from rltheory.theory.claims import (
    BY_CONSTRUCTION,
    EveryStep,
    Existence,
    Identity,
    InExpectation,
    Scope,
    Standing,
    Status,
    WithProbability,
)
from rltheory.theory.falsification import Finding, falsify
from rltheory.theory.judge import Judgement, Levels, Observation, confidence, judge
from rltheory.theory.proof import Claim, Proof, claim
from rltheory.theory.rates import Geometric, Logarithmic, PowerLaw, PowerLog, RateFit, fit_rate
from rltheory.theory.theorem import Card, Paper, Theorem
from rltheory.theory.verdict import Verdict
from rltheory.theory.verify import verify

__all__ = [
    "BY_CONSTRUCTION",
    "Card",
    "Claim",
    "EveryStep",
    "Existence",
    "Finding",
    "Geometric",
    "Identity",
    "InExpectation",
    "Judgement",
    "Levels",
    "Logarithmic",
    "Observation",
    "Paper",
    "PowerLaw",
    "PowerLog",
    "Proof",
    "RateFit",
    "Scope",
    "Standing",
    "Status",
    "Theorem",
    "Verdict",
    "WithProbability",
    "claim",
    "confidence",
    "falsify",
    "fit_rate",
    "judge",
    "load_verdicts",
    "save_verdicts",
    "verify",
]
