"""Walks of a learner, one step after the other, which draw as the library does."""

import numpy as np


class PlainWalk:
    """Past steps (choice, next state), the state, and what was seen at recorded times."""

    def __init__(self, mdp, rng):
        self.mdp, self.rng, self.past = mdp, rng, []
        self.laws = np.asarray(mdp.transition_matrix)
        self.state = int(rng.choice(mdp.states, p=mdp.initial))

    def step(self, policy):
        choice = int(policy[self.state])
        ends = np.flatnonzero(self.laws[choice])
        cumulative = np.cumsum(self.laws[choice][ends])
        after = int(ends[np.searchsorted(cumulative, self.rng.random() * cumulative[-1], side="right")])
        self.past.append((choice, after))
        self.state = after

    def counts(self):
        seen = np.zeros(self.laws.shape)
        for choice, after in self.past:
            seen[choice, after] += 1
        return seen

    def earned(self):
        return sum(self.mdp.rewards[choice] for choice, _ in self.past)
