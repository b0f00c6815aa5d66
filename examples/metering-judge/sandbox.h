// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef SANDBOX_H
#define SANDBOX_H

/// From here on the kernel does for this process what a bot needs and nothing else: no files, no network, no processes, no new code.
void enter_sandbox(void);

#endif
