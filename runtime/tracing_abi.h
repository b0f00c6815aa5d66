// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the compiler pass, the trampolines and the rest of the tracing runtime agree on. Also read by the assembler.
// The numbers of the trace file are in docs/tracing-format.md.

#ifndef WEFT_TRACING_ABI_H
#define WEFT_TRACING_ABI_H

// The word that a patched sled loads, which is also the first half of a record: kind, clock, the mark below, function id.
#define WEFT_TRACING_ENTRY 0
#define WEFT_TRACING_EXIT 1
#define WEFT_TRACING_TAIL_EXIT 2
#define WEFT_TRACING_OTHER 3

#define WEFT_TRACING_EXACT 0x0
#define WEFT_TRACING_UNTIMED 0x4
#define WEFT_TRACING_COARSE 0x8
#define WEFT_TRACING_CALLED 0xc // not in the file: the event goes through weft_tracing_called()
#define WEFT_TRACING_CLOCKS 0xc

#define WEFT_TRACING_FRAMED 0x10 // not in the file: record the stack pointer with this entry
#define WEFT_TRACING_VARIANT 0x1c

#define WEFT_TRACING_ID_SHIFT 5
#define WEFT_TRACING_TYPE_SHIFT 5
#define WEFT_TRACING_ARGUMENT_SHIFT 10

// Records of kind WEFT_TRACING_OTHER, by type.
#define WEFT_TRACING_CLOCK_RECORD 0
#define WEFT_TRACING_FRAME_RECORD 1
#define WEFT_TRACING_LANDED_RECORD 2
#define WEFT_TRACING_VALUES_RECORD 3
#define WEFT_TRACING_EVENT_RECORD 4
#define WEFT_TRACING_BEGIN_RECORD 5
#define WEFT_TRACING_END_RECORD 6
#define WEFT_TRACING_LOST_RECORD 7
#define WEFT_TRACING_PAD_RECORD 8
#define WEFT_TRACING_FRAME_WORD ((WEFT_TRACING_FRAME_RECORD << WEFT_TRACING_TYPE_SHIFT) | WEFT_TRACING_OTHER)

#define WEFT_TRACING_BLOCK 0x10000

// Offset in the process's state.
#define WEFT_TRACING_TICK_AT 8

// Offsets in the thread's state.
#define WEFT_TRACING_CURSOR_AT 0
#define WEFT_TRACING_HIGH_AT 8

#endif
