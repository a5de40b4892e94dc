"""Data whose licences forbid copies: tests read them where they are at hand, and name what they skip elsewhere."""

import os
from pathlib import Path

__all__ = ["elsewhere"]


def elsewhere(folder: str = "") -> Path | None:
    """`folder` of the data folder that the environment variable RLTHEORY_DATA names; None if it names none."""
    return Path(os.environ["RLTHEORY_DATA"]) / folder if "RLTHEORY_DATA" in os.environ else None
