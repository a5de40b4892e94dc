"""Preference games.

Methods that find equilibria of symmetric games, with a penalty for leaving a reference and without: last iterates, averages,
self-play, and what is left of it all when preferences are sampled.
"""
