"""Tasks of experiments in tests: they stand in a file of their own, for other processes import it."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np


def draw(arguments: dict[str, Any], seed: int, replicate: int) -> dict[str, Any]:
    """Random numbers of a size; tasks of one experiment may differ in it, take time, fail, or end their process."""
    if "log" in arguments:
        with Path(arguments["log"]).open("ab", buffering=0) as log:
            log.write(f"{os.getpid()} {replicate}\n".encode())
    time.sleep(arguments.get("seconds", 0.0))
    if replicate in arguments.get("fails", ()):
        raise ArithmeticError(f"replicate {replicate} fails on purpose")
    if replicate in arguments.get("dies", ()):
        os._exit(1)
    size = arguments.get("size", 3) + replicate % arguments.get("sizes", 1)
    rng = np.random.default_rng([seed, replicate])
    matrix = rng.normal(size=(20, 20))
    return {"value": (("place",), rng.random(size)), "norm": ((), np.linalg.norm(matrix @ matrix.T, 2))}


def objects(arguments: dict[str, Any], seed: int, replicate: int) -> dict[str, Any]:
    """What can't be stored without pickles."""
    return {"value": (("place",), np.array([None]))}
