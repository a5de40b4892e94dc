"""Exploration in episodes of a fixed horizon."""
