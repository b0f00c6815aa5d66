// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A patch as src/Weft.Hotpatch/Patches/PatchFile.cs writes it: docs/hotpatch-format.md. Little endian, offsets from the file's beginning.

#ifndef WEFT_HOTPATCH_ABI_H
#define WEFT_HOTPATCH_ABI_H

#include <stdint.h>

#define WEFT_PATCH_MAGIC "weftpat\1"
#define WEFT_PATCH_ID 16u
#define WEFT_PATCH_BUILD 32u

#if defined(__x86_64__)
#define WEFT_PATCH_MACHINE 62u
#define WEFT_PATCH_PAGE 4096u
#else
#define WEFT_PATCH_MACHINE 183u
#define WEFT_PATCH_PAGE 65536u
#endif

struct weft_patch_table {
    uint32_t at, count;
};

struct weft_patch_header {
    char magic[8];
    uint32_t machine; ///< e_machine of ELF
    uint32_t size;    ///< of all that is signed: the file but for a signature
    uint8_t id[WEFT_PATCH_ID]; ///< first half of SHA-256 over the rest
    uint32_t build_size;
    uint8_t build[WEFT_PATCH_BUILD]; ///< build id of the program
    uint32_t code_size, constant_size, data_size; ///< of memory, whole pages, in this order
    uint32_t frames;                              ///< in memory: .eh_frame_hdr, or 0
    uint32_t name;                                ///< in names
    struct weft_patch_table parents, relocations, functions, externals, content, names, snapshot;
    uint8_t reserved[48];
};

_Static_assert(sizeof(struct weft_patch_header) == 192, "PatchFile.HeaderSize");

enum { WEFT_PATCH_ADDRESS64, WEFT_PATCH_ADDRESS32, WEFT_PATCH_DISTANCE32, WEFT_PATCH_PAGE21 };

#define WEFT_PATCH_SELF 0xFEu
#define WEFT_PATCH_EXTERNAL 0xFFu

struct weft_patch_relocation {
    uint32_t at;  ///< in memory
    uint8_t kind;
    uint8_t home; ///< 0: the program, n: the n-th parent, or one of the two above
    uint16_t reserved;
    int64_t value; ///< distance from where the home is; of an external, its number
};

struct weft_patch_function {
    uint64_t entry; ///< distance from where the home is
    uint32_t code;  ///< in memory
    uint32_t name;  ///< in names
    uint32_t home;
    uint32_t point; ///< from the entry to the instruction that is exchanged
    uint32_t size;      ///< of the code that was there when the patch was built
    uint32_t code_size; ///< of the new code
};

_Static_assert(sizeof(struct weft_patch_function) == 32, "PatchFile.Write(PatchedFunction)");

/// A signature follows the signed bytes: RSASSA-PKCS1-v1_5 with SHA-256, big endian.
#define WEFT_PATCH_SIGNATURE 384u

#endif
