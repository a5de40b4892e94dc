# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="medium", app_title="How far must one look ahead?")

with app.setup:
    import marimo as mo
    import numpy as np

    import rltheory as rl
    from rltheory.demos.showing import picture
    from rltheory.plots.style import COLOURS, MUTED, tidy
    from rltheory.problems import FiniteHorizonMDP
    from rltheory.solvers import (
        Closure,
        backward_induction,
        greedy_returns,
        min_k,
        reference_values,
        stochastic_effective_horizon,
    )

    LAYOUT = ["s......", ".##.##.", ".......", "S.....G"]


@app.cell
def introduction():
    mo.md(r"""
    # How far must one look ahead?

    Judge each move by what *random play* earns after it, $Q^1$; or look $k$ moves ahead and trust random play only
    beyond, $Q^k$. A small prize `s` nearby and a large one `G` far away: random play stumbles on the first more often.
    How far must one look to go for the second?
    """)
    return


@app.cell
def controls():
    small = mo.ui.slider(0.0, 1.0, 0.05, value=0.3, label="the small prize", show_value=True)
    slip = mo.ui.slider(0.0, 0.5, 0.05, value=0.0, label="probability of a slip", show_value=True)
    horizon = mo.ui.slider(6, 20, 1, value=12, label="moves", show_value=True)
    depth = mo.ui.slider(1, 8, 1, value=1, label="moves to look ahead, k", show_value=True)
    mo.hstack([mo.vstack([small, slip]), mo.vstack([horizon, depth])], wrap=True, justify="start", gap=2)
    return depth, horizon, slip, small


@app.cell
def solving(horizon, slip, small):
    world = rl.instances.grid_world(LAYOUT, slip=slip.value, exits={"s": small.value, "G": 1.0})
    problem = FiniteHorizonMDP.stationary(world, horizon.value)
    values = reference_values(problem)
    returns = greedy_returns(problem, values, most=8)
    optimum = float(problem.initial @ values.optimal[0])
    needed = min_k(problem, values)
    return needed, optimum, problem, returns, values, world


@app.cell
def looking(depth, problem, values, world):
    def seen_from_the_start(k):
        """Values and best choices at the first stage: k moves planned, random play beyond."""
        beyond = values.random[k]
        last = world.with_rewards(world.rewards + world.transition_matrix @ beyond)
        return backward_induction(FiniteHorizonMDP([world] * (k - 1) + [last]))

    plan = seen_from_the_start(min(depth.value, problem.horizon))
    return (plan,)


@app.cell
def drawing(depth, needed, optimum, plan, returns, world):
    def draw(left, right):
        rl.plots.policy_map(world, plan.policy[0], rl.instances.grid_cells(LAYOUT), values=plan.values[0], ax=left)
        left.set_title(f"First moves by Q, k = {depth.value}", loc="left", fontsize=11)
        ks = np.arange(1, returns.size + 1)
        right.bar(ks, returns, color=[COLOURS[1] if k == depth.value else COLOURS[0] for k in ks])
        right.axhline(optimum, color=MUTED, linewidth=1, linestyle="--")
        right.annotate("best possible", (8.5, optimum), xytext=(0, 3), textcoords="offset points", ha="right")
        right.set(
            xlabel="moves to look ahead, k", ylabel="return of the greedy policy", ylim=(0, max(1.0, optimum) * 1.1)
        )
        tidy(right)
        return right

    picture(
        draw,
        f"Map of the first moves when looking {depth.value} ahead, and returns for k = 1 to 8: "
        f"{', '.join(f'{value:.2f}' for value in returns)}; the best possible is {optimum:.2f}.",
        panels=2,
        width=12.4,
        beside=1.0,
    )
    return


@app.cell
def verdict(needed, problem, values):
    found = stochastic_effective_horizon(problem, values, closure=Closure.GREEDY, reward_range=1.0)
    mo.md(f"""
    The process is solved by looking **{needed}** move{"s" if needed > 1 else ""} ahead. Its stochastic effective
    horizon is **{found.horizon:.2f}** of {problem.horizon} moves.
    """)
    return


if __name__ == "__main__":
    app.run()
