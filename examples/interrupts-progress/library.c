// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stands for a library that one cannot change: it computes for a long time, and has no callbacks.

#include "library.h"

#include <math.h>

static void swap_rows(double *matrix, size_t n, size_t a, size_t b)
{
    for (size_t i = 0; i < n; i++) {
        double kept = matrix[a * n + i];
        matrix[a * n + i] = matrix[b * n + i];
        matrix[b * n + i] = kept;
    }
}

static size_t largest_below(const double *matrix, size_t n, size_t column)
{
    size_t largest = column;
    for (size_t i = column + 1; i < n; i++)
        if (fabs(matrix[i * n + column]) > fabs(matrix[largest * n + column]))
            largest = i;
    return largest;
}

int solve(double *matrix, double *right, size_t n)
{
    for (size_t column = 0; column < n; column++) {
        size_t pivot = largest_below(matrix, n, column);
        if (matrix[pivot * n + column] == 0)
            return -1;
        if (pivot != column) {
            swap_rows(matrix, n, pivot, column);
            double kept = right[pivot];
            right[pivot] = right[column];
            right[column] = kept;
        }
        for (size_t row = column + 1; row < n; row++) {
            double factor = matrix[row * n + column] / matrix[column * n + column];
            for (size_t i = column; i < n; i++)
                matrix[row * n + i] -= factor * matrix[column * n + i];
            right[row] -= factor * right[column];
        }
    }
    for (size_t row = n; row-- > 0;) {
        for (size_t i = row + 1; i < n; i++)
            right[row] -= matrix[row * n + i] * right[i];
        right[row] /= matrix[row * n + row];
    }
    return 0;
}
