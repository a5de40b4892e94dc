"""The policy cliff.

How optimal and soft policies depend on the rewards: where they jump, how far rewards are from a jump, and what
smoothing costs.
"""
