"""The progress of a training, as a bar on a terminal and as numbers in the epoch's logs."""

import time

import keras

from kerastrash.console import console, progress_bar


class EpochTimer(keras.callbacks.Callback):
    """Adds seconds, images a second and the learning rate to the epoch's logs; goes before what reads them."""

    def __init__(self, images_per_epoch: int):
        super().__init__()
        self.images_per_epoch = images_per_epoch

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.started = time.perf_counter()

    def on_test_begin(self, logs: dict | None = None) -> None:
        self.trained = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs["seconds"] = round(time.perf_counter() - self.started, 3)
        logs["images_per_second"] = round(self.images_per_epoch / (self.trained - self.started), 1)
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class ProgressBar(keras.callbacks.Callback):
    """A bar over all steps still to do, with images a second, time left and the last epoch's validation F1."""

    def __init__(self, description: str, batch_size: int, finished_epochs: int, epochs: int, steps_per_epoch: int):
        super().__init__()
        self.description, self.batch_size = description, batch_size
        self.finished_epochs, self.epochs, self.steps = finished_epochs, epochs, steps_per_epoch

    def on_train_begin(self, logs: dict | None = None) -> None:
        size = self.steps * self.batch_size
        self.bar = progress_bar()
        self.bar.start()
        self.task = self.bar.add_task(
            self.description,
            total=self.epochs * size,
            completed=self.finished_epochs * size,
            unit="images",
            note=f"epoch {self.finished_epochs + 1}/{self.epochs}",
        )

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.bar.advance(self.task, self.batch_size)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        note = f"epoch {epoch + 1}/{self.epochs} loss {logs['loss']:.3f} F1 {logs['val_macro_f1']:.3f}"
        self.bar.update(self.task, note=note)
        if not console.is_terminal:
            console.print(f"{self.description}: {note}, {logs['images_per_second']:.0f} images/s", highlight=False)

    def close(self) -> None:
        """Stops drawing, also after an error, so that the terminal is left clean."""
        if hasattr(self, "bar"):
            self.bar.stop()
