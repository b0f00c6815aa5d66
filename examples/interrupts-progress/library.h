// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef LIBRARY_H
#define LIBRARY_H

#include <stddef.h>

/// Solves matrix * x = right; `right` becomes x, the matrix is destroyed. Returns 0, or -1 if there is no single solution.
int solve(double *matrix, double *right, size_t n);

#endif
