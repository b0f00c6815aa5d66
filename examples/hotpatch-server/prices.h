// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PRICES_H
#define PRICES_H

#include <stddef.h>

/// Answers a request, "lamp 10" or "stats", with a line. Called on many threads.
void answer(const char *request, char *line, size_t size);

#endif
