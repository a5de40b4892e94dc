"""Discounted rewards.

What holds for every discounted decision process and its exact solvers: values, occupancies, and errors of models and
evaluations.
"""
