"""Average reward.

Learning one long life without resets, judged by what a round earns in the long run.
"""
