# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="medium", app_title="Swimming up a river")

with app.setup:
    import marimo as mo
    import numpy as np

    import rltheory as rl
    from rltheory.algorithms import loop, ucrl2b
    from rltheory.demos.showing import picture
    from rltheory.measures import pseudo_regret
    from rltheory.plots.style import COLOURS, tidy
    from rltheory.simulation import Workers, replicates
    from rltheory.solvers import average_policy_iteration


@app.cell
def introduction():
    mo.md(r"""
    # Swimming up a river

    In RiverSwim the reward lies far upstream; drifting left pays a little at once. A learner without optimism stays on
    the left bank. Optimism in the face of uncertainty adds a bonus to what is unknown: too little of it, and the
    swimmer gives up; as much as theorems ask, and it explores for very long.
    """)
    return


@app.cell
def controls():
    states = mo.ui.slider(3, 12, 1, value=6, label="states of the river", show_value=True)
    bonus = mo.ui.slider(
        steps=[0.01, 0.03, 0.1, 0.3, 1.0], value=0.1, label="bonus, times what theory asks", show_value=True
    )
    horizon = mo.ui.slider(steps=[1000, 3000, 10000, 30000], value=10000, label="steps", show_value=True)
    mo.vstack([states, bonus, horizon])
    return bonus, horizon, states


@app.cell
def learning(bonus, horizon, states):
    river = rl.instances.river_swim(states.value)
    span = float(np.ptp(average_policy_iteration(river).bias))
    known = {"horizon": horizon.value, "bonus": bonus.value, "known_rewards": True}
    learners = {
        "LOOP": lambda rng: loop(river, span=span, rng=rng, **known),
        "UCRL2B": lambda rng: ucrl2b(river, rng=rng, **known),
    }
    with Workers(1) as workers:  # epochs are so short that threads would wait for each other
        data = replicates(learners, 2, workers=workers)
    data = data.assign(regret=(("algorithm", "replicate", "time"), pseudo_regret(river, data["visits"])))
    return data, river


@app.cell
def regret(data):
    final = data["regret"].isel(time=-1).mean("replicate")
    told = ", ".join(f"{name.item()} {value.item():.0f}" for name, value in zip(final["algorithm"], final, strict=True))
    picture(
        lambda ax: rl.plots.bands(data["regret"], quantity="sum of gaps", log_quantity=False, ax=ax),
        f"Regret at the end: {told}.",
        width=8.2,
        height=3.6,
        beside=2.0,
    )
    return


@app.cell
def whereabouts(data, river):
    visits = data["visits"].isel(time=-1).mean("replicate")
    shares = np.array([np.bincount(river.state_of_choice, row, river.states) for row in visits.to_numpy()])
    shares /= shares.sum(1, keepdims=True)
    width = 0.8 / len(shares)

    def draw(ax):
        for place, (name, row) in enumerate(zip(data["algorithm"].to_numpy(), shares, strict=True)):
            across = np.arange(1, river.states + 1) + (place - (len(shares) - 1) / 2) * width
            ax.bar(across, row, width, color=COLOURS[place], label=name)
        ax.set(xlabel="state, upstream to the right", ylabel="share of the time")
        tidy(ax)
        return ax

    upstream = ", ".join(
        f"{name} {share:.0%}" for name, share in zip(data["algorithm"].to_numpy(), shares[:, -1], strict=True)
    )
    picture(
        draw,
        f"Share of the time in the last state, where the reward lies: {upstream}.",
        width=8.2,
        height=2.8,
        beside=2.0,
    )
    return


if __name__ == "__main__":
    app.run()
