"""The effective horizon.

How far one has to look ahead before greed for the rest is good enough, and what is learned by looking only that far.
"""
