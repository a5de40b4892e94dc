"""Exploration in episodes.

Optimism, actor-critics, offline data and demonstrations in processes that start anew after each episode.
"""
