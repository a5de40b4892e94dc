"""Policies by name, for texts that a user types."""

from collections.abc import Callable
from difflib import get_close_matches
from inspect import signature

from rltheory.algorithms.bandits import adversarial, divergence, index, nonstationary, posterior, randomized
from rltheory.algorithms.bandits.families import BERNOULLI, EXPONENTIAL, POISSON, Family, gaussian_family
from rltheory.algorithms.bandits.play import Policy

__all__ = ["named_policy", "policy_names"]


def _makers() -> dict[str, Callable[..., Policy]]:
    """Functions that make a policy of numbers and families, by their names with hyphens."""
    modules = index, divergence, posterior, randomized, adversarial, nonstationary
    functions = [getattr(module, name) for module in modules for name in module.__all__]
    return {
        function.__name__.replace("_", "-"): function
        for function in functions
        if signature(function).return_annotation is Policy and function is not index.index_policy
    }


def policy_names() -> list[str]:
    """Names that :func:`named_policy` knows, in alphabetical order."""
    return sorted(_makers())


def named_policy(text: str) -> Policy:
    """Policy of a text such as ``ucb1``, ``epsilon-greedy:0.1``, ``ucb1:alpha=0.5`` or ``kl-ucb:poisson``.

    The name is that of the function with hyphens; what follows the colon are its arguments, separated by commas.
    Families are called bernoulli, gaussian (with standard deviation 1), poisson and exponential.

    Raises
    ------
    ValueError
        If the name is unknown, in which case the message lists the close ones, or an argument is, or is given twice.

    Examples
    --------
    >>> named_policy("ucb1:alpha=0.5")
    Policy('UCB1(0.5)')
    """
    name, _, arguments = text.partition(":")
    makers = _makers()
    if name not in makers:
        close = get_close_matches(name.lower().replace("_", "-"), makers, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(close)}?" if close else f"there are {', '.join(sorted(makers))}"
        raise ValueError(f"no policy is called {name!r}; {hint}")
    positional, named = [], {}
    for argument in filter(None, arguments.split(",")):
        key, equals, value = argument.rpartition("=")
        if key in named:
            raise ValueError(f"{text!r}: {key} is given twice")
        if equals:
            named[key] = _value(value, text)
        else:
            positional.append(_value(value, text))
    known = signature(makers[name])
    try:
        given = known.bind(*positional, **named).arguments
        for argument, value in given.items():
            if (argument == "family") != isinstance(value, Family):
                raise TypeError(f"{argument} must be {'a family of laws' if argument == 'family' else 'a number'}")
        return makers[name](**given)
    except TypeError as error:
        names = ", ".join(known.parameters) or "none"
        raise ValueError(f"{text!r}: {error}; the arguments of {name} are: {names}") from None


def _value(word: str, text: str) -> float | Family:
    families = {"bernoulli": BERNOULLI, "poisson": POISSON, "exponential": EXPONENTIAL}
    if word == "gaussian":
        return gaussian_family()
    if word in families:
        return families[word]
    try:
        number = float(word)
    except ValueError:
        raise ValueError(f"{text!r}: {word!r} is neither a number nor a family of laws") from None
    return int(number) if number.is_integer() else number
