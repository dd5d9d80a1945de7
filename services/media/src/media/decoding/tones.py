"""High dynamic range on an ordinary screen: what HDR pictures look like in BT.709, as a table for FFmpeg's `lut3d`.

Up to half of the reference white everything is shown as bright as it is; what is brighter comes closer and closer to
the screen's white, without ever being cut off. Hues are kept.
"""

import math
from collections.abc import Callable, Iterator
from typing import Literal

Transfer = Literal["pq", "hlg"]

SIZE = 25
"""Points on each axis: FFmpeg interpolates between them."""
REFERENCE_WHITE = 203.0
"""Candela a square metre: ITU-R BT.2408."""
_HLG_PEAK = 1_000.0
_KNEE = 0.5
_TO_709 = (
    (1.660491, -0.587641, -0.072850),
    (-0.124550, 1.132900, -0.008349),
    (-0.018151, -0.100579, 1.118730),
)
"""BT.2020 to BT.709, linear: ITU-R BT.2087."""
_LUMINANCE = (0.2627, 0.6780, 0.0593)


def table(transfer: Transfer) -> str:
    """In the format `.cube`: red changes first."""
    axis = [index / (SIZE - 1) for index in range(SIZE)]
    to_light = _pq if transfer == "pq" else _hlg
    lines = [f"LUT_3D_SIZE {SIZE}"]
    for blue in axis:
        for green in axis:
            lines += ["{:.5f} {:.5f} {:.5f}".format(*_shown(to_light, red, green, blue)) for red in axis]
    return "\n".join(lines) + "\n"


def _shown(
    to_light: Callable[[float, float, float], tuple[float, float, float]], red: float, green: float, blue: float
) -> Iterator[float]:
    light = to_light(red, green, blue)
    brightest = max(light)
    factor = _rolled_off(brightest) / brightest if brightest > 0 else 0.0
    for row in _TO_709:
        value = factor * sum(weight * each for weight, each in zip(row, light, strict=True))
        yield min(max(value, 0.0), 1.0) ** (1 / 2.4)


def _rolled_off(light: float) -> float:
    if light <= _KNEE:
        return light
    return _KNEE + (1 - _KNEE) * (1 - math.exp(-(light - _KNEE) / (1 - _KNEE)))


def _pq(*signal: float) -> tuple[float, float, float]:
    """SMPTE ST 2084, in units of the reference white."""
    red, green, blue = (_pq_light(each) for each in signal)
    return red, green, blue


def _pq_light(signal: float) -> float:
    root = signal ** (32 / 2523)
    return float(10_000 * (max(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root)) ** (16_384 / 2610)) / (
        REFERENCE_WHITE
    )


def _hlg(*signal: float) -> tuple[float, float, float]:
    """ITU-R BT.2100 on a screen of 1,000 cd/m², in units of the reference white."""
    red, green, blue = (_hlg_scene(each) for each in signal)
    luminance = sum(weight * each for weight, each in zip(_LUMINANCE, (red, green, blue), strict=True))
    factor = _HLG_PEAK / REFERENCE_WHITE * luminance**0.2 if luminance > 0 else 0.0
    return factor * red, factor * green, factor * blue


def _hlg_scene(signal: float) -> float:
    if signal <= 0.5:
        return signal * signal / 3
    return (math.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
