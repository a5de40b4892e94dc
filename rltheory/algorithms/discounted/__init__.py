"""Policies of a known discounted process improved step by step, exactly or by sampled gradients."""
