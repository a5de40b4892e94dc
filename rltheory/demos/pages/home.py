# /// script
# [tool.marimo.display]
# theme = "system"
# ///

import marimo

app = marimo.App(width="medium", app_title="rltheory: demos")

with app.setup:
    import marimo as mo


@app.cell
def links():
    mo.md("""
    # Things to move

    Each page runs the library itself; nothing is precomputed, and nothing leaves this machine.

    - [Preferences that cycle](/cycles): three answers, no best one, and methods that go around or find the mixture.
    - [The policy cliff](/cliff): a policy that jumps, and what temperature does to the jump.
    - [A race of bandit policies](/bandits): regret on arms that you set, with the bound of Lai and Robbins.
    - [Swimming up a river](/river): too little and too much optimism.
    - [How far must one look ahead?](/lookahead): a small grid, random play, and the effective horizon.
    """)
    return


if __name__ == "__main__":
    app.run()
