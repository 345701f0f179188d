"""`.keras` files: written for inference, run (as models are) on the active Keras backend."""

from dataclasses import replace
from pathlib import Path

from kerastrash.export.format import Description, Format, KerasModel, OpenNet


def write_keras(model: KerasModel, path: Path, description: Description) -> None:
    """Writes the model without optimizer; the description is a member of the archive."""
    from kerastrash.models.builder import with_softmax
    from kerastrash.models.saved import add_description, save_model

    save_model(with_softmax(model) if description.softmax else model, path)
    add_description(path, description.to_json())


def open_keras(path: Path, threads: int) -> OpenNet:
    from kerastrash.backends import set_threads
    from kerastrash.models.saved import open_model, read_description

    set_threads(threads)
    net, kept = keras_runtime(open_model(path)), Description.from_json(read_description(path), path)
    return replace(net, description=replace(kept, softmax=kept.softmax or net.description.softmax))


def keras_runtime(model: KerasModel) -> OpenNet:
    """A model as a net that is open on the active backend; raises ModelError where it takes no square images."""
    import keras

    from kerastrash.backends import device_description, inference_function
    from kerastrash.models.builder import gives_probabilities
    from kerastrash.models.saved import image_size

    return OpenNet(
        name=f"keras-{keras.backend.backend()}",
        input_size=image_size(model),
        classes=model.output_shape[1],
        device=device_description(),
        run=inference_function(model),
        description=Description(softmax=gives_probabilities(model)),
    )


KERAS = Format(name="keras", suffix=".keras", runtime="Keras", write=write_keras, open=open_keras)
