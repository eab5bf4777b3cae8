"""Builds the filter graph from a decoded picture to RGB of canvas size.

A tagged YUV picture takes a single pass of libswscale. Transparency, rare matrices and HDR take further filters.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from av.filter import Graph

from sdstream.config.schema import Canvas
from sdstream.config.sources import PictureSettings
from sdstream.sources.decoding.colour.coding import CUBE_MATRICES, SCALER_MATRICES, Coding
from sdstream.sources.decoding.colour.cube import gives_light, write_cube
from sdstream.sources.decoding.colour.light import DISPLAY
from sdstream.sources.decoding.geometry import Layout
from sdstream.sources.decoding.shape import Shape

# Without full_chroma_int a scaled picture comes out 2 levels dark (worst 4); with it, exact to 2 for 0.6 ms more at
# 1280x720 to 640x360. An unscaled picture takes the fast path with or without (0.3 ms, worst 3; accurate_rnd: 3.6 ms).
_SCALER = "bilinear+full_chroma_int"
_STRETCH = "clip((val-16)*255/219,0,255)"
_TURNS = {1: ("transpose=clock",), 2: ("vflip", "hflip"), 3: ("transpose=cclock",)}
_LUMA_AS_RED = "mergeplanes=map0s=0:map0p=1:map1s=0:map1p=2:map2s=0:map2p=0:format=gbrp16le"
_UNSPECIFIED = 2


def conversion(shape: Shape, canvas: Canvas, layout: Layout, settings: PictureSettings) -> Graph:
    """Return the graph for pictures of `shape`: out comes rgb24, or rgba with colours multiplied by alpha.

    Raises ValueError for an unusable shape.
    """
    with tempfile.TemporaryDirectory(prefix="sdstream-") as folder:  # lut3d reads the file while the graph is built
        cube = Path(folder, "colour.cube")
        steps = list(_steps(shape, canvas, layout, settings, cube))
        graph = Graph()
        graph.threads = 1  # two threads gain nothing at these sizes, and cost wake-ups
        nodes = [graph.add("buffer", _buffer_arguments(shape))]
        nodes += [graph.add(*step.split("=", 1)) for step in steps]
        graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    return graph


def _steps(shape: Shape, canvas: Canvas, layout: Layout, settings: PictureSettings, cube: Path) -> Iterator[str]:
    coding = shape.coding(settings)
    blended = shape.alpha and settings.alpha != "ignore"
    if (layout.crop.width, layout.crop.height) != (shape.width, shape.height):
        yield f"crop={layout.crop.width}:{layout.crop.height}:{layout.crop.x}:{layout.crop.y}:exact=1"
    matrix = _matrix(coding)
    if blended:  # before scaling, or the colours below the transparency bleed into the edge
        yield f"scale=flags={_SCALER}:{matrix}"
        yield "format=gbrap16le" if coding.needs_cube else "format=gbrap"
        yield from () if settings.alpha == "premultiplied" else ("premultiply=inplace=1",)
        matrix = "in_range=full:out_range=full"
    yield f"scale={layout.scaled[0]}:{layout.scaled[1]}:flags={_SCALER}:{matrix}"
    if coding.needs_cube:
        yield from _cube_steps(coding, cube)
    over_colour = blended and int(settings.background[1:], 16) and not coding.needs_cube
    yield "format=rgba" if over_colour else "format=rgb24"
    if (shape.grey or shape.rgb) and not shape.full_range:
        # swscale reads every grey format and RGB as full range
        yield f"lutrgb=r={_STRETCH}:g={_STRETCH}:b={_STRETCH}"
    yield from _TURNS.get(layout.turns, ())
    if (layout.place.width, layout.place.height) != (canvas.width, canvas.height):
        yield f"pad={canvas.width}:{canvas.height}:{layout.place.x}:{layout.place.y}:black"


def _matrix(coding: Coding) -> str:
    """Return the options of the scale filter for the matrix; codes stay as they are for a matrix of the cube."""
    range_in = "full" if coding.full else "limited"
    if coding.matrix in CUBE_MATRICES:
        return f"in_color_matrix=bt709:out_color_matrix=bt709:in_range={range_in}:out_range={range_in}"
    return f"in_color_matrix={SCALER_MATRICES[coding.matrix]}:in_range={range_in}:out_range=full"


def _cube_steps(coding: Coding, cube: Path) -> Iterator[str]:
    """Yield the steps through a cube; 16 bits, because lut3d is four times as fast with them as with 10 or 12."""
    write_cube(coding, cube)
    if coding.matrix in CUBE_MATRICES:
        yield "format=yuv444p16le"
        yield _LUMA_AS_RED
    else:
        yield "format=gbrp16le"
    yield f"lut3d=file='{cube}'"
    if gives_light(coding):
        curve = f"65535*pow(val/65535,1/{DISPLAY})"
        yield f"lutrgb=r={curve}:g={curve}:b={curve}"
    yield f"scale=flags={_SCALER}"


def _buffer_arguments(shape: Shape) -> str:
    """Describe the graph's input exactly: the graph configures again when a frame differs from the description."""
    matrix = shape.matrix if shape.matrix in SCALER_MATRICES else _UNSPECIFIED
    return (
        f"video_size={shape.width}x{shape.height}:pix_fmt={shape.format}:time_base=1/1:pixel_aspect=1/1"
        f":colorspace={matrix}:range={shape.range}"
    )
