"""KerasTuner's Hyperband (Li et al. 2018, JMLR 18-185), made repeatable.

The search is a function of its seed and of the trials' scores. So nothing of KerasTuner's own state is reloaded after
a kill: the search is replayed from the start, and a trial that has finished gives its stored score at once. What
remains of KerasTuner's known faults is closed here:

- a failed trial gets a finite score behind all others, so that its bracket still promotes the better ones;
- nets over the limits are drawn again before they become trials, so that they take no place in a bracket;
- a space with fewer nets than trials ends the search with what it has;
- a seed of 0 is a seed;
- a promoted trial is continued by the trial function from the last state of its parent, optimizer included.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras_tuner
from keras_tuner.oracles import HyperbandOracle

from kerastrash.errors import ConfigError

FAILED_SCORE = 1e9
DRAWS = 2_000
Values = dict[str, Any]


@dataclass(frozen=True)
class Rung:
    """The place of a trial in Hyperband: it trains from `initial_epoch` to `epochs`."""

    bracket: int
    round: int
    initial_epoch: int
    epochs: int
    parent: str | None
    """Name of the trial that it continues."""


class LimitedOracle(HyperbandOracle):
    """Draws only values of nets that are `admissible`, which may be trained, and that no trial had before.

    Where the space holds no more of them, a bracket begins with those that it has, and promotes a smaller share.
    """

    def __init__(self, admissible: Callable[[Values], bool], seed: int, max_epochs: int, factor: int, iterations: int):
        super().__init__(keras_tuner.Objective("score", "min"), max_epochs, factor, iterations, seed)
        self.seed = self._seed_state = seed  # KerasTuner takes 0 for no seed, and draws one
        self.admissible = admissible
        self._max_collisions = DRAWS
        self._begun: dict[int, int] = {}
        """Trials in the first rung of a bracket that could not be filled."""

    def _duplicate(self, values: Values) -> bool:
        return super()._duplicate(values) or not self.admissible(values)

    def _random_trial(self, trial_id: str, bracket: dict[str, Any]) -> dict[str, Any]:
        answer = super()._random_trial(trial_id, bracket)
        if answer["status"] != "STOPPED":
            return answer
        if not self.trials:
            raise ConfigError(
                f"none of {DRAWS} draws from the space gave a net within max_params and max_macs that keeps a pixel at "
                "its input size: raise the limits or the sizes, or widen the space"
            )
        self._begun[bracket["bracket_num"]] = len(bracket["rounds"][0])
        return self.populate_space(trial_id)

    def _get_size(self, bracket_num: int, round_num: int) -> int:
        planned = super()._get_size(bracket_num, round_num)
        begun = self._begun.get(bracket_num, planned * self.factor**round_num)
        return min(planned, math.ceil(begun / self.factor**round_num))

    def plan(self) -> list[tuple[int, int]]:
        """(trials, epochs that each of them trains) of every rung, in the order of the search."""
        rungs = []
        for bracket in reversed(range(self._get_num_brackets())):
            before = 0
            for turn in range(self._get_num_rounds(bracket)):
                epochs = self._get_epochs(bracket, turn)
                rungs.append((self._get_size(bracket, turn), epochs - before))
                before = epochs
        return rungs * self.hyperband_iterations


class Tuner(keras_tuner.Tuner):
    """Hands each trial to what `search` is given: `run_trial_at(trial_id, values, rung) -> score`, lower is better.

    That must be repeatable, and must not raise for a failed trial.
    """

    def run_trial(self, trial, run_trial_at: Callable[[str, Values, Rung], float], **options) -> float:
        values = trial.hyperparameters.values
        names = ("bracket", "round", "initial_epoch", "epochs", "trial_id")
        rung = Rung(*(values.get(f"tuner/{name}") for name in names))
        choices = {name: value for name, value in values.items() if not name.startswith("tuner/")}
        return run_trial_at(trial.trial_id, choices, rung)

    def _try_run_and_update_trial(self, trial, *fit_args, **fit_kwargs) -> None:
        # KerasTuner would turn any exception into an invalid trial; here one is a bug or an interruption.
        self._run_and_update_trial(trial, *fit_args, **fit_kwargs)
        trial.status = "COMPLETED"
