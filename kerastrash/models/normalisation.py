"""How images are normalised before a net sees them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of red, green and blue in [0, 255]: a net sees `(image - mean) / deviation`."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    @property
    def scale(self) -> list[float]:
        """What each colour is multiplied by."""
        return [1 / deviation for deviation in self.deviation]

    @property
    def offset(self) -> list[float]:
        """What is added to each colour once it is multiplied."""
        return [-mean / deviation for mean, deviation in zip(self.mean, self.deviation, strict=True)]


# The statistics of ImageNet's photographs, the field's usual ones, which are published of RGB in [0, 1].
IMAGENET = Normalisation((0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255))
