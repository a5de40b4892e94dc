# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="medium", app_title="Preferences that cycle")

with app.setup:
    import marimo as mo
    import numpy as np

    import rltheory as rl
    from rltheory.demos.showing import picture


@app.cell
def introduction():
    mo.md(r"""
    # Preferences that cycle

    Three answers, and a taste that goes in circles: rock beats paper by the first margin over 1/2, paper beats scissors
    by the second, scissors beats rock by the third. No answer is best; a mixture is. Who learns by playing against
    itself, $\pi \propto \pi\, e^{\eta P \pi}$, goes around it. Looking one step ahead finds it.
    """)
    return


@app.cell
def controls():
    margins = mo.ui.array(
        [
            mo.ui.slider(0.02, 0.5, 0.02, value=start, label=label, show_value=True)
            for start, label in (
                (0.1, "rock over paper"),
                (0.3, "paper over scissors"),
                (0.5, "scissors over rock"),
            )
        ]
    )
    temperature = mo.ui.slider(
        steps=[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2], value=0.02, label="temperature β", show_value=True
    )
    rock = mo.ui.slider(0.04, 0.96, 0.02, value=0.9, label="rock at the start", show_value=True)
    iterations = mo.ui.slider(steps=[10, 30, 100, 300, 1000], value=300, label="iterations", show_value=True)
    mo.hstack([mo.vstack(list(margins)), mo.vstack([temperature, rock, iterations])], wrap=True, justify="start", gap=2)
    return iterations, margins, rock, temperature


@app.cell
def learning(iterations, margins, rock, temperature):
    game = rl.instances.weighted_rock_paper_scissors(*margins.value)
    start = [rock.value, (1 - rock.value) / 2, (1 - rock.value) / 2]
    common = {"beta": temperature.value, "iterations": iterations.value, "start": start}
    learners = {
        "mirror descent": rl.magnetic_mirror_descent(game, **common, step=1.0),
        "optimistic mirror descent": rl.optimistic_mirror_descent(game, **common),
        "Nash mirror prox": rl.nash_mirror_prox(game, **common),
    }
    paths = {name: np.exp(trace["log_policy"]) for name, trace in learners.items()}
    equilibrium = rl.regularized_equilibrium(game, temperature.value).policy
    return equilibrium, game, paths


@app.cell
def drawing(equilibrium, game, paths):
    told = ", ".join(f"{name} at {np.round(path[-1], 2)}" for name, path in paths.items())
    picture(
        lambda ax: rl.plots.simplex(
            paths, names=["rock", "paper", "scissors"], points={"equilibrium": equilibrium}, ax=ax
        ),
        f"Triangle of mixtures: {told}; the equilibrium is {np.round(equilibrium, 2)}.",
        width=6.0,
        height=5.0,
    )
    return


@app.cell
def verdict(game, paths):
    lines = ["| method | rock | paper | scissors | exploitability |", "| :-- | --: | --: | --: | --: |"]
    ends = {name: path[-1] for name, path in paths.items()} | {"minimax winner": rl.minimax_winner(game).policy}
    for name, policy in ends.items():
        shares = " | ".join(f"{share:.3f}" for share in policy)
        lines.append(f"| {name} | {shares} | {rl.measures.exploitability(game, policy):.1e} |")
    mo.md("\n".join(lines))
    return


@app.cell
def try_it():
    mo.md(r"""
    **Try it.** Lower the temperature: the dot moves to the minimax winner, and mirror descent needs longer and longer,
    until it circles for ever. Make all three margins equal: the mixture is uniform, whatever they are.
    """)
    return


if __name__ == "__main__":
    app.run()
