"""The assignment problem: who goes with whom, so that the sum of the costs is least."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


def assign(cost: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns rows and columns, int64 [min(N, M)] each, rows rising: every row or every column once, at the least sum.

    cost: [N, M], finite. By shortest augmenting paths (Jonker & Volgenant, Computing 1987; in the rectangular form of
    Crouse, IEEE TAES 2016), in O(min(N, M)^2 max(N, M)).
    """
    if cost.shape[0] > cost.shape[1]:
        columns, rows = assign(cost.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    return np.arange(len(cost)), _columns(np.ascontiguousarray(cost, np.float64))


@njit(cache=True, nogil=True)
def _columns(cost):  # pragma: no cover (compiled)
    """The column of each row, int64 [N], of float64 [N, M] with N <= M."""
    count, width = cost.shape
    row_price, column_price = np.zeros(count), np.zeros(width)
    row_of, column_of = np.full(width, -1), np.full(count, -1)
    before, length, settled = np.empty(width, np.int64), np.empty(width), np.empty(width, np.bool_)
    for start in range(count):
        # Dijkstra from the row to the nearest free column, over reduced costs.
        length[:] = np.inf
        settled[:] = False
        row, reached = start, 0.0
        while True:
            column = -1
            for other in range(width):
                if settled[other]:
                    continue
                way = reached + cost[row, other] - row_price[row] - column_price[other]
                if way < length[other]:
                    length[other], before[other] = way, row
                if column < 0 or length[other] < length[column]:
                    column = other
            settled[column], reached = True, length[column]
            if row_of[column] < 0:
                break
            row = row_of[column]
        row_price[start] += reached
        for other in range(width):
            if settled[other]:
                column_price[other] -= reached - length[other]
                if row_of[other] >= 0:
                    row_price[row_of[other]] += reached - length[other]
        # Along the way, each row gives its column up and takes the next one.
        while column >= 0:
            row = before[column]
            row_of[column] = row
            column, column_of[row] = column_of[row], column
    return column_of
