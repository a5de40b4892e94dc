# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="medium", app_title="A race of bandit policies")

with app.setup:
    import marimo as mo

    import rltheory as rl
    from rltheory.algorithms.bandits import named_policy
    from rltheory.demos.showing import picture

    POLICIES = {
        "UCB1": "ucb1",
        "KL-UCB": "kl-ucb",
        "MOSS": "moss",
        "Thompson sampling": "thompson",
        "IMED": "imed",
        "ε-greedy, 10 %": "epsilon-greedy:0.1",
        "follow the leader": "follow-the-leader",
    }


@app.cell
def introduction():
    mo.md(r"""
    # A race of bandit policies

    Three arms pay 1 or nothing, each with its own probability, which nobody knows. *Regret* is what one loses by
    pulling arms other than the best, here exactly summed and averaged over many runs. No policy that is good on all
    bandits stays below the dashed line in the end (Lai and Robbins).
    """)
    return


@app.cell
def controls():
    means = mo.ui.array(
        [
            mo.ui.slider(0.02, 0.98, 0.02, value=value, label=f"arm {arm}", show_value=True)
            for arm, value in enumerate((0.9, 0.8, 0.5), 1)
        ]
    )
    chosen = mo.ui.multiselect(list(POLICIES), value=["UCB1", "KL-UCB", "Thompson sampling"], label="policies")
    horizon = mo.ui.slider(steps=[300, 1000, 3000, 10000], value=3000, label="rounds", show_value=True)
    replicates = mo.ui.slider(steps=[32, 128, 512], value=128, label="runs of each", show_value=True)
    mo.hstack([mo.vstack(list(means)), mo.vstack([chosen, horizon, replicates])], wrap=True, justify="start", gap=2)
    return chosen, horizon, means, replicates


@app.cell
def race(chosen, horizon, means, replicates):
    mo.stop(not chosen.value, mo.md("Choose a policy."))
    bandit = rl.Bandit.bernoulli(means.value)
    runs = rl.compare_policies(
        bandit,
        [named_policy(POLICIES[name]) for name in chosen.value],
        horizon=horizon.value,
        replicates=replicates.value,
        points=40,
    )
    return bandit, runs


@app.cell
def drawing(bandit, runs):
    final = runs["regret"].isel(time=-1).mean("replicate")
    told = ", ".join(f"{name.item()} {value.item():.1f}" for name, value in zip(final["policy"], final, strict=True))
    picture(
        lambda ax: rl.plots.regret(runs, lower_bound=bandit.lai_robbins_constant, ax=ax),
        f"Mean regret after {int(runs['time'][-1])} rounds: {told}.",
        width=8.2,
        beside=1.7,
    )
    return


@app.cell
def try_it():
    mo.md("""
    **Try it.** Let two arms be nearly equal: telling them apart takes long, but costs little. Add *follow the leader*:
    it is excellent in most runs, and its mean is ruined by those in which the best arm had bad luck at first.
    """)
    return


if __name__ == "__main__":
    app.run()
