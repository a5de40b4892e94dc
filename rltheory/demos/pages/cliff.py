# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="medium", app_title="The policy cliff")

with app.setup:
    import marimo as mo
    import numpy as np

    import rltheory as rl
    from rltheory.demos.showing import picture
    from rltheory.solvers import soft_policy_iteration, stability_radius

    SECOND = 1  # the choice that leads to the second branch
    CHANGES = np.linspace(-0.2, 0.2, 81)

    def branches(change):
        """Two branches, the second of which pays `change` more."""
        return rl.instances.two_branches(1.0, 1.0 + change)


@app.cell
def introduction():
    mo.md(r"""
    # The policy cliff

    Two branches pay for ever, the first 1 in each step, the second a little more or less. The optimal policy takes the
    better one, however small the difference: at a tie it jumps. A soft policy, $\pi \propto e^{Q / \tau}$, does not
    jump; its slope at the tie is $\gamma / (4 \tau (1 - \gamma))$, and it pays for that with reward.
    """)
    return


@app.cell
def controls():
    change = mo.ui.slider(-0.2, 0.2, 0.005, value=0.05, label="what the second branch pays more", show_value=True)
    temperature = mo.ui.slider(
        steps=[0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0], value=0.1, label="temperature τ", show_value=True
    )
    discount = mo.ui.slider(
        steps=[0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99], value=0.9, label="discount γ", show_value=True
    )
    mo.vstack([change, temperature, discount])
    return change, discount, temperature


@app.cell
def curve(discount, temperature):
    soft = [
        np.exp(soft_policy_iteration(branches(at), discount.value, temperature=temperature.value).log_policy[SECOND])
        for at in CHANGES
    ]
    return (soft,)


@app.cell
def drawing(change, soft, temperature):
    def draw(ax):
        rl.plots.cliff_curve(
            CHANGES,
            {temperature.value: soft},
            cliffs=[0.0],
            levels=(0.0, 1.0),
            quantity="probability of the second branch",
            ax=ax,
        )
        ax.axvline(change.value, color="black", linewidth=1, linestyle=":")
        return ax

    here = np.interp(change.value, CHANGES, soft)
    picture(
        draw,
        "Probability of the second branch against what it pays more. The optimal policy jumps from 0 to 1 at a tie; "
        f"the soft policy takes it with probability {here:.2f} at {change.value:g}.",
        beside=0.9,
    )
    return (here,)


@app.cell
def verdict(change, discount, here, temperature):
    slope = discount.value / (4 * temperature.value * (1 - discount.value))
    lost = abs(change.value) * discount.value / (1 - discount.value) * (1 - here if change.value > 0 else here)
    if change.value:
        stable = stability_radius(branches(change.value), discount.value).radius
        radius = f"rewards may err by **{stable:.4f}** before the optimal policy changes"
    else:
        radius = "here both branches are optimal: **no error is small enough** to leave the choice alone"
    mo.md(f"""
    At the dotted line {radius}. The soft policy takes the second branch with probability **{here:.3f}**; its slope at
    the tie is **{slope:.2f}**, and its softness costs **{lost:.3f}** of discounted reward.
    """)
    return


if __name__ == "__main__":
    app.run()
