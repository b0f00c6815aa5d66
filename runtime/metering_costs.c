// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the units of woven modules are, for the report: counts by different costs are not to be compared, nor added up unsaid.

#include "metering_internal.h"

#include <string.h>

static void note(char *known, const char *costs)
{
    if (!*known)
        strncpy(known, costs, COSTS - 1);
    else if (strncmp(known, costs, COSTS - 1) != 0)
        strcpy(known, "mixed");
}

WEFT_WEAK void weft_metering_note_costs(const char *texts, const char *end)
{
    for (; process->tables && texts < end; texts += strlen(texts) + 1)
        if (*texts) // a linker may have filled a gap
            note(process->tables->costs, texts);
}
