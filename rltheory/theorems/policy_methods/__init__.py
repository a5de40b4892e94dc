"""Policy gradients and mirror descent.

Methods that move a policy step by step, with exact values or from samples, with entropy and without.
"""
