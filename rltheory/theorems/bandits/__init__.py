"""Bandits.

Regret on arms that are stochastic, adversarial, linear or come with contexts, the best arm, and what no policy can do.
"""
