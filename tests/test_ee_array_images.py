"""Array images of the local Earth Engine: documented results, lengths that differ between pixels, numpy as oracle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ee_offline import at, computed, offline_client, pixels, raster_band, shelf, values
from hypothesis import given, settings
from hypothesis import strategies as st

from gee.local.errors import EarthEngineError
from gee.local.evaluation.evaluator import Context
from gee.local.pixels import Image

ROWS = np.arange(12.0).reshape(3, 4)


@pytest.fixture(scope="module")
def ee() -> Iterator[Any]:
    with offline_client() as client:
        yield client


@pytest.fixture(scope="module")
def numbered() -> Context:
    """Images `n`: 0 … 11 by pixel; `m`: the same, masked at pixel 3."""
    return shelf(n=Image((raster_band("n", ROWS),)), m=Image((raster_band("n", ROWS, mask=ROWS != 3),)))


def flat(image: Any, context: Context | None = None) -> list[Any]:
    """Value of each pixel of the first band, row by row; None where masked."""
    found = pixels(image, context=context)[0]
    return [at(found, row, col) for row in range(3) for col in range(4)]


def matrix(ee: Any, rows: int = 2, cols: int = 3) -> Any:
    return ee.Image.constant(ee.Array([[row * cols + col for col in range(cols)] for row in range(rows)]))


# -- made and taken apart ---------------------------------------------------------------------------------------------


def test_to_array(ee: Any) -> None:
    line = ee.Image([0, 1, 2]).toArray()
    assert values(line) == [[0, 1, 2]]
    assert values(line.toArray(1)) == [[[0], [1], [2]]]
    assert values(line.addBands(line).toArray(0)) == [[0, 1, 2, 0, 1, 2]]
    assert values(line.addBands(line.add(10)).toArray(1)) == [[[0, 10], [1, 11], [2, 12]]]
    band = computed(line).bands[0]
    assert (band.name, band.type.dimensions, band.type.low, band.type.high) == ("array", 1, 0, 2)
    with pytest.raises(EarthEngineError, match="Axis 1 is out of range"):
        computed(ee.Image([0, 1]).toArray(1))


def test_to_array_is_masked_where_a_band_is(ee: Any, numbered: Context) -> None:
    found = flat(ee.Image("n").addBands(ee.Image("m")).toArray(), numbered)
    assert found == [None if pixel == 3 else [pixel, pixel] for pixel in range(12)]


def test_flatten_names_and_order(ee: Any) -> None:
    image = matrix(ee, 2, 2).arrayFlatten([["a", "b"], ["x", "y"]])
    assert computed(image).band_names == ["a_x", "a_y", "b_x", "b_y"]
    assert values(image) == [0, 1, 2, 3]
    assert computed(matrix(ee, 2, 2).arrayFlatten([["a", "b"], ["x", "y"]], "-")).band_names[0] == "a-x"
    with pytest.raises(EarthEngineError, match=r"shape of the labels, \[3\], but one has \[2\]"):
        values(ee.Image([0, 1]).toArray().arrayFlatten([["a", "b", "c"]]))


def test_project(ee: Any) -> None:
    column = ee.Image([0, 1]).toArray().toArray(1)
    assert values(column.arrayProject([0])) == [[0, 1]]
    with pytest.raises(EarthEngineError, match="Axis 0 is dropped, but has length 2"):
        values(column.arrayProject([1]))
    assert values(column.arraySlice(1, 0, 0).arrayProject([0])) == [None]  # empty: masked
    assert values(matrix(ee).arrayReduce(ee.Reducer.sum(), [1]).arrayProject([0]).arrayFlatten([["a", "b"]])) == [3, 12]


def test_get(ee: Any, numbered: Context) -> None:
    assert values(matrix(ee).arrayGet([0, 2])) == [2]
    assert values(matrix(ee).arrayGet([1.9, 2.2])) == [5]
    line = ee.Image([10, 20, 30]).toArray()
    assert flat(line.arrayGet(ee.Image("n").mod(4)), numbered) == [10, 20, 30, None] * 3
    with pytest.raises(EarthEngineError, match="1 bands for arrays of 2 dimensions"):
        computed(matrix(ee).arrayGet(0))


# -- slices, masks, lengths -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "step"),
    [(0, -3, 1), (-3, None, 1), (0, None, 3), (2, 2, 1), (20, 30, 1), (-100, 2, 1), (None, -1, 5), (5, 2, 1)],
)
def test_slices_are_pythons(ee: Any, start: int | None, end: int | None, step: int) -> None:
    image = ee.Image(list(range(12))).toArray()
    assert values(image.arraySlice(0, start, end, step)) == [list(range(12))[start:end:step]]


def test_slices_that_differ_between_pixels(ee: Any, numbered: Context) -> None:
    image, n = ee.Image(list(range(5))).toArray(), ee.Image("n")
    line = list(range(5))
    assert flat(image.arraySlice(0, 0, n), numbered) == [line[:pixel] for pixel in range(12)]
    assert flat(image.arraySlice(0, n.subtract(6), None, 2), numbered) == [
        line[max(p - 6, -5) if p < 6 else p - 6 :: 2] for p in range(12)
    ]
    assert flat(image.arraySlice(0, ee.Image("m"), None), numbered)[3] == line  # a masked bound is the default
    lengths = image.arraySlice(0, 0, n).arrayLength(0)
    assert flat(lengths, numbered) == [min(pixel, 5) for pixel in range(12)]


def test_lengths_that_differ_go_through_operators_and_reducers(ee: Any, numbered: Context) -> None:
    image = ee.Image([3, 1, 2]).toArray().arraySlice(0, 0, ee.Image("n").min(3))
    line = [3, 1, 2]
    expected = [line[: min(pixel, 3)] for pixel in range(12)]
    assert flat(image.multiply(2), numbered) == [[2 * one for one in row] for row in expected]
    assert flat(image.add(image), numbered) == [[2 * one for one in row] for row in expected]
    assert flat(image.arraySort(), numbered) == [sorted(row) for row in expected]
    assert flat(image.exp().arrayLength(0), numbered) == [len(row) for row in expected]
    sums = flat(image.arrayReduce(ee.Reducer.sum(), [0]), numbered)
    assert sums[1:] == [[sum(row)] for row in expected[1:]]
    assert flat(image.arrayReduce(ee.Reducer.max(), [0]), numbered) == [[max(row)] if row else None for row in expected]
    assert flat(image.arrayPad([3], 9), numbered) == [row + [9] * (3 - len(row)) for row in expected]
    assert flat(image.arrayCat(image, 0), numbered) == [row * 2 for row in expected]
    assert flat(image.arrayRepeat(0, 2), numbered) == [row * 2 for row in expected]
    assert flat(image.arrayCat(ee.Image([8]).toArray(), 0), numbered) == [[*row, 8] for row in expected]
    assert flat(image.arrayLengths(), numbered) == [[len(row)] for row in expected]
    argmax = flat(image.arrayArgmax(), numbered)
    assert argmax == [[row.index(max(row))] if row else None for row in expected]


def test_arrays_of_different_lengths_do_not_add(ee: Any, numbered: Context) -> None:
    image = ee.Image([3, 1, 2]).toArray()
    with pytest.raises(EarthEngineError, match="same lengths"):
        flat(image.add(image.arraySlice(0, 0, ee.Image("n"))), numbered)
    with pytest.raises(EarthEngineError, match="1 and 2 dimensions"):
        computed(image.add(matrix(ee)))


def test_mask_drops_elements(ee: Any, numbered: Context) -> None:
    line = ee.Image([0, 1, 2, 4, 0, 5]).toArray()
    assert values(line.arrayMask(line)) == [[1, 2, 4, 5]]
    assert values(matrix(ee).arrayMask(ee.Image.constant(ee.Array([[1, 0, 1]])))) == [[[0, 2], [3, 5]]]
    assert values(matrix(ee).arrayMask(ee.Image.constant(ee.Array([[0], [1]])))) == [[[3, 4, 5]]]
    with pytest.raises(EarthEngineError, match="along one axis only"):
        values(matrix(ee).arrayMask(matrix(ee)))
    found = flat(line.arrayMask(line.gt(ee.Image("n"))), numbered)
    assert found == [[one for one in [0, 1, 2, 4, 0, 5] if one > pixel] for pixel in range(12)]


def test_sort(ee: Any) -> None:
    line = ee.Image([7, 9, 8, 3]).toArray()
    assert values(line.arraySort()) == [[3, 7, 8, 9]]
    assert values(line.arraySort(ee.Image([3, 2, 1, 0]).toArray())) == [[3, 8, 9, 7]]
    keys = ee.Image.constant(ee.Array([[2, 1, 0]]))
    assert values(matrix(ee).arraySort(keys)) == [[[2, 1, 0], [5, 4, 3]]]
    assert values(matrix(ee).arraySort(ee.Image.constant(ee.Array([[1], [0]])))) == [[[3, 4, 5], [0, 1, 2]]]


# -- reductions -------------------------------------------------------------------------------------------------------


def test_reduce(ee: Any) -> None:
    image = matrix(ee)
    assert values(image.arrayReduce(ee.Reducer.sum(), [0, 1])) == [[[15]]]
    assert values(image.arrayReduce(ee.Reducer.sum(), [0])) == [[[3, 5, 7]]]
    assert values(image.arrayReduce(ee.Reducer.mean(), [1])) == [[[1], [4]]]
    column = ee.Image(list(range(6))).toArray().toArray(1)
    assert values(column.arrayReduce(ee.Reducer.minMax(), [0], 1)) == [[[0, 5]]]
    with pytest.raises(EarthEngineError, match="fieldAxis is needed"):
        computed(column.arrayReduce(ee.Reducer.minMax(), [0]))


def test_reduce_with_several_inputs(ee: Any) -> None:
    image = ee.Image.constant(ee.Array([[1, 10], [3, 12], [2, 14]]))
    assert values(image.arrayReduce(ee.Reducer.max(2), [0], 1)) == [[[3, 12]]]
    assert values(image.arrayTranspose().arrayReduce(ee.Reducer.max(2), [1], 0)) == [[[3], [12]]]
    with pytest.raises(EarthEngineError, match="length 2 along fieldAxis 1, but the reducer has 1"):
        values(image.arrayReduce(ee.Reducer.mean(), [0], 1))


def test_accumulate(ee: Any) -> None:
    line = ee.Image([3, 1, 2]).toArray()
    assert values(line.arrayAccum(0)) == [[3, 4, 6]]
    assert values(line.arrayAccum(0, ee.Reducer.max())) == [[3, 3, 3]]
    assert values(matrix(ee).arrayAccum(1)) == [[[0, 1, 3], [3, 7, 12]]]


def test_dot_product(ee: Any) -> None:
    assert values(ee.Image([0, 1, 2]).toArray().arrayDotProduct(ee.Image([3, 4, 5]).toArray())) == [14]


# -- shapes -----------------------------------------------------------------------------------------------------------


def test_shapes(ee: Any) -> None:
    line = ee.Image(list(range(6))).toArray()
    shape = ee.Image.constant(ee.Array([2, -1]))
    assert values(line.arrayReshape(shape, 2)) == [[[0, 1, 2], [3, 4, 5]]]
    assert values(matrix(ee).arrayReshape(ee.Image.constant(ee.Array([-1])), 1)) == [list(range(6))]
    with pytest.raises(EarthEngineError, match=r"Cannot reshape array of shape \[6\] to \[4, -1\]"):
        values(line.arrayReshape(ee.Image.constant(ee.Array([4, -1])), 2))
    assert values(matrix(ee).arrayTranspose()) == [[[0, 3], [1, 4], [2, 5]]]
    assert values(matrix(ee).arrayPad([3, 5], 9)) == [[[0, 1, 2, 9, 9], [3, 4, 5, 9, 9], [9, 9, 9, 9, 9]]]
    assert values(matrix(ee).arrayPad([1, 1], 9)) == [[[0, 1, 2], [3, 4, 5]]]
    assert values(line.arrayCat(line.add(10), 1))[0][:2] == [[0, 10], [1, 11]]
    assert values(ee.Image([0, 1]).toArray().arrayRepeat(1, 3)) == [[[0, 0, 0], [1, 1, 1]]]
    assert values(matrix(ee).arrayLengths()) == [[2, 3]]
    assert values(matrix(ee).arrayDimensions()) == [2]


def test_repeats_that_differ_between_pixels(ee: Any, numbered: Context) -> None:
    image = ee.Image([4, 5]).toArray().arrayRepeat(0, ee.Image("n").mod(3))
    assert flat(image, numbered) == [[4, 5] * (pixel % 3) for pixel in range(12)]


def test_numbers_go_with_each_element(ee: Any, numbered: Context) -> None:
    image = ee.Image([1, 2]).toArray()
    assert flat(image.multiply(ee.Image("n")), numbered) == [[pixel, 2 * pixel] for pixel in range(12)]
    assert flat(ee.Image("n").subtract(image), numbered) == [[pixel - 1, pixel - 2] for pixel in range(12)]


def test_arrays_where_numbers_are_needed_and_back(ee: Any) -> None:
    with pytest.raises(EarthEngineError, match="holds numbers, where arrays are needed"):
        computed(ee.Image(1).arraySlice(0, 0, 1))
    with pytest.raises(EarthEngineError, match="holds arrays, where numbers are needed"):
        computed(ee.Image(1).updateMask(ee.Image([1]).toArray()))
    with pytest.raises(EarthEngineError, match="holds arrays"):
        computed(ee.Image(1).where(ee.Image([1]).toArray(), 2))


# -- matrices ---------------------------------------------------------------------------------------------------------

MATRIX = [[4.0, 2.0], [1.0, 3.0]]


def test_matrices(ee: Any) -> None:
    image = ee.Image.constant(ee.Array(MATRIX))
    data = np.asarray(MATRIX)

    def found(result: Any) -> np.ndarray:
        return np.asarray(values(result)[0])

    np.testing.assert_allclose(found(image.matrixInverse()), np.linalg.inv(data))
    np.testing.assert_allclose(found(image.matrixMultiply(image)), data @ data)
    np.testing.assert_allclose(found(image.matrixDeterminant()), 10)
    np.testing.assert_allclose(found(image.matrixTrace()), 7)
    np.testing.assert_allclose(found(image.matrixFnorm()), np.sqrt(30))
    np.testing.assert_allclose(found(image.matrixDiagonal()), [[4], [3]])
    np.testing.assert_allclose(found(image.matrixDiagonal().matrixToDiag()), [[4, 0], [0, 3]])
    np.testing.assert_allclose(found(image.matrixSolve(image.matrixDiagonal())), np.linalg.solve(data, [[4], [3]]))
    np.testing.assert_allclose(found(ee.Image(ee.Image.matrixIdentity(2))), np.eye(2))
    tall = ee.Image.constant(ee.Array([[1.0, 1], [1, 2], [1, 4]]))
    right = ee.Image.constant(ee.Array([[1.0], [2], [3]]))
    expected = np.linalg.lstsq([[1, 1], [1, 2], [1, 4]], [[1], [2], [3]], rcond=None)[0]
    np.testing.assert_allclose(found(tall.matrixSolve(right)), expected)


def test_decompositions_make_the_matrix_again(ee: Any) -> None:
    image = ee.Image.constant(ee.Array([[1.0, 2, 4], [3, 8, 14], [2, 6, 13]]))
    data = np.asarray(values(image)[0])
    q, r = (np.asarray(one) for one in values(image.matrixQRDecomposition()))
    np.testing.assert_allclose(q @ r, data, atol=1e-12)
    lower, upper, turned = (np.asarray(one) for one in values(image.matrixLUDecomposition()))
    np.testing.assert_allclose(lower @ upper, turned @ data, atol=1e-12)
    np.testing.assert_allclose(np.diag(lower), 1)
    assert (np.tril(lower) == lower).all()
    u, s, v = (np.asarray(one) for one in values(image.matrixSingularValueDecomposition()))
    np.testing.assert_allclose(u @ s @ v.T, data, atol=1e-12)
    product = image.matrixMultiply(image.arrayTranspose())
    low = np.asarray(values(product.matrixCholeskyDecomposition())[0])
    np.testing.assert_allclose(low @ low.T, data @ data.T, atol=1e-10)


def test_pseudo_inverses_and_transposes_are_numpys(ee: Any) -> None:
    tall = [[1.0, 1], [1, 2], [1, 4]]
    image = ee.Image.constant(ee.Array(tall))
    np.testing.assert_allclose(values(image.matrixPseudoInverse())[0], np.linalg.pinv(tall), atol=1e-12)
    assert values(image.matrixTranspose())[0] == np.transpose(tall).tolist()
    single = ee.Image.constant(ee.Array([[1.0, 2], [2, 4]]))  # of rank 1
    np.testing.assert_allclose(values(single.matrixPseudoInverse())[0], np.linalg.pinv([[1, 2], [2, 4]]), atol=1e-12)


def test_singular_matrices_are_masked_and_the_others_not(ee: Any, numbered: Context) -> None:
    n = ee.Image("n")
    image = n.addBands(ee.Image([0, 0, 1])).toArray().arrayReshape(ee.Image.constant(ee.Array([2, 2])), 2)
    found = flat(image.matrixInverse(), numbered)
    assert found == [None if pixel == 0 else [[pytest.approx(1 / pixel), 0], [0, 1]] for pixel in range(12)]


@settings(max_examples=40, deadline=None)
@given(
    block=st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), min_size=2, max_size=4),
    axis=st.integers(0, 1),
    start=st.integers(-5, 5),
    end=st.integers(-5, 5),
    step=st.integers(1, 3),
)
def test_slices_agree_with_numpy(ee: Any, block: list[list[int]], axis: int, start: int, end: int, step: int) -> None:
    expected = np.asarray(block)[(slice(None),) * axis + (slice(start, end, step),)]
    image = ee.Image.constant(ee.Array(block))
    fixed = values(image.arraySlice(axis, start, end, step))[0]
    assert np.array_equal(np.asarray(fixed).reshape(expected.shape), expected)
    lon = ee.Image.pixelLonLat().select(0).multiply(0)  # bounds that are not known to be the same everywhere
    moving = values(image.arraySlice(axis, lon.add(start), lon.add(end), step))[0]
    assert np.array_equal(np.asarray(moving).reshape(expected.shape), expected)
