// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Who called whom: a tree for each thread, whose nodes are functions, each called by the one above it.
//
// Only its thread adds to a tree, and a signal handler on that thread, which may come anywhere. So a node is claimed, filled and
// then published, each in one step, and never moves; a handler that makes the node that is just being made leaves two of them,
// which are one in the report. A report reads the tree of a running thread as it is.

#include "metering_internal.h"

#include <errno.h>
#include <string.h>

_Static_assert(sizeof(struct weft_metering_calls) == CALLS_BYTES, "the place in the tree is part of the ABI");
_Static_assert(sizeof(struct weft_metering_node) == 56, "the node is part of the ABI");

#define here __weft_metering_calls_v2

#define SLOTS (2 * NODES)
#define SHIFT sizeof(((struct tree *)NULL)->nodes) // from a node to its image

/// Node 0 is the root: who calls a thread's outermost functions.
struct tree {
    uint32_t count;     ///< of nodes that were claimed; at most NODES of them are there
    uint32_t functions; ///< of nodes that are not "(deeper)"
    uint32_t slots[SLOTS]; ///< a hash table of the numbers of nodes; 0: free
    struct weft_metering_node nodes[NODES];
    struct weft_metering_node images[NODES]; ///< where what does not count goes; never read
};

// ---- Nodes ----

static uint32_t nodes_of(const struct tree *tree)
{
    uint32_t count = __atomic_load_n(&tree->count, __ATOMIC_ACQUIRE);
    return count < NODES ? count : NODES;
}

static uint32_t slot_of(uint32_t parent, uint32_t cell, uint32_t line)
{
    uint64_t key = ((uint64_t)parent << 32 | line) * UINT64_C(0x9e3779b97f4a7c15) ^ cell * UINT64_C(0xc2b2ae3d27d4eb4f);
    return (uint32_t)(key ^ key >> 29) % SLOTS;
}

/// The node, or 0.
static uint32_t look_up(const struct tree *tree, uint32_t parent, uint32_t cell, uint32_t line)
{
    for (uint32_t slot = slot_of(parent, cell, line);; slot = (slot + 1) % SLOTS) {
        uint32_t index = __atomic_load_n(&tree->slots[slot], __ATOMIC_RELAXED);
        const struct weft_metering_node *node = &tree->nodes[index];
        if (!index || (node->parent == parent && node->cell == cell && node->line == line))
            return index;
    }
}

static void publish(struct tree *tree, uint32_t slot, uint32_t index)
{
    for (;; slot = (slot + 1) % SLOTS) {
        uint32_t none = 0;
        if (__atomic_compare_exchange_n(&tree->slots[slot], &none, index, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return;
    }
}

/// The new node, or its parent if there is no room at all.
static uint32_t add(struct tree *tree, uint32_t parent, uint32_t cell, uint32_t line)
{
    uint32_t index = __atomic_fetch_add(&tree->count, 1, __ATOMIC_RELAXED);
    if (index >= NODES) {
        __atomic_store_n(&tree->count, NODES, __ATOMIC_RELAXED);
        return parent;
    }
    if (cell != DEEPER)
        __atomic_fetch_add(&tree->functions, 1, __ATOMIC_RELAXED);
    struct weft_metering_node *node = &tree->nodes[index];
    node->parent = parent;
    node->cell = cell;
    node->line = line;
    node->key = NO_KEY;
    node->recent = &tree->nodes[0];
    __atomic_store_n(&node->depth, tree->nodes[parent].depth + 1, __ATOMIC_RELEASE);
    publish(tree, slot_of(parent, cell, line), index);
    return index;
}

static int is_on_path(const struct tree *tree, uint32_t node, uint32_t cell)
{
    while (node && tree->nodes[node].cell != cell)
        node = tree->nodes[node].parent;
    return node != 0;
}

/// A recursive call has no line: two lines that recurse would double the tree at every level.
static uint32_t child_of(struct tree *tree, uint32_t parent, uint32_t cell, uint32_t line)
{
    uint32_t found;
    if (parent && tree->nodes[parent].cell == DEEPER)
        return parent;
    if ((found = look_up(tree, parent, cell, line)) || (line && (found = look_up(tree, parent, cell, 0))))
        return found;
    if (tree->nodes[parent].depth > DEEPEST || tree->functions >= FUNCTION_NODES)
        cell = DEEPER;
    if (cell == DEEPER || is_on_path(tree, parent, cell)) {
        line = 0;
        if ((found = look_up(tree, parent, cell, line)))
            return found;
    }
    return add(tree, parent, cell, line);
}

static struct tree *new_tree(size_t size)
{
    struct tree *tree = weft_reserve(size);
    if (tree) {
        tree->count = 1;
        tree->nodes[0].key = NO_KEY;
        tree->nodes[0].recent = &tree->nodes[0];
        tree->nodes[0].depth = 1;
    }
    return tree;
}

/// Leaves the root. Touches nothing that has not been used.
static void empty(struct tree *tree)
{
    for (uint32_t i = 1, count = nodes_of(tree); i < count; i++) {
        struct weft_metering_node *node = &tree->nodes[i];
        for (uint32_t slot = slot_of(node->parent, node->cell, node->line); tree->slots[slot]; slot = (slot + 1) % SLOTS)
            tree->slots[slot] = 0;
    }
    for (uint32_t i = 1, count = nodes_of(tree); i < count; i++)
        memset(&tree->nodes[i], 0, sizeof tree->nodes[i]);
    tree->nodes[0].recent = &tree->nodes[0];
    tree->nodes[0].at = 0;
    tree->count = 1;
    tree->functions = 0;
}

static uint64_t load(const uint64_t *count)
{
    return __atomic_load_n(count, __ATOMIC_RELAXED); // its thread may be adding to it: an old value will do
}

/// Adds what is in another tree, by path. Parents come before their children.
static void merge(struct tree *into, struct tree *from)
{
    for (uint32_t i = 1, count = nodes_of(from); i < count; i++) {
        struct weft_metering_node *node = &from->nodes[i];
        if (!__atomic_load_n(&node->depth, __ATOMIC_ACQUIRE))
            continue; // is being made
        node->merged = child_of(into, from->nodes[node->parent].merged, node->cell, node->line);
        into->nodes[node->merged].units += load(&node->units);
        into->nodes[node->merged].calls += load(&node->calls);
    }
}

// ---- The thread's own ----

WEFT_WEAK void weft_metering_follow_cells(void)
{
    here.shift = here.tree && state.cells == process->discarded ? SHIFT : 0;
}

static struct tree *take_tree(void)
{
    struct cell_map *map = weft_metering_map_of(state.cells);
    if (!map)
        return NULL;
    if (!map->tree)
        map->tree = new_tree(sizeof(struct tree));
    if (!map->tree)
        weft_metering_note_complaint("no memory for who called whom");
    return map->tree;
}

/// A thread gets its tree with its cells.
static struct tree *start(struct weft_metering_record *record)
{
    weft_signals mask;
    __weft_metering_cells(record);
    if (here.refused || weft_lock_signal_safe(&process->registry, &mask) != 0)
        return NULL;
    if (!here.tree)
        here.tree = take_tree();
    here.refused = !here.tree && state.cells == process->discarded && !(state.flags & (IN_CALLBACK | SUSPENDED));
    weft_unlock_signal_safe(&process->registry, &mask);
    return here.tree;
}

/// For a thread that has no tree, every function is this one.
static struct weft_metering_node *spare_node(void)
{
    process->spare_node.recent = &process->spare_node;
    process->spare_node.key = NO_KEY;
    return &process->spare_node;
}

/// Not so before the first call, and where a stack has moved to another thread.
static int is_in(const struct tree *tree, const struct weft_metering_node *node)
{
    return (uintptr_t)node - (uintptr_t)tree->nodes < sizeof tree->nodes;
}

EXPORT struct weft_metering_node *__weft_metering_find(struct weft_metering_record *record)
{
    int saved = errno;
    struct tree *tree = here.tree ? here.tree : start(record);
    errno = saved;
    if (!tree || here.node == &process->spare_node)
        return spare_node();
    struct weft_metering_node *caller = is_in(tree, here.node) ? here.node : &tree->nodes[0];
    uint32_t index = child_of(tree, (uint32_t)(caller - tree->nodes), (uint32_t)record->cell, caller->at);
    struct weft_metering_node *child = &tree->nodes[index];
    __atomic_store_n(&child->key, record->cell << 32 | caller->at, __ATOMIC_RELAXED);
    __atomic_store_n(&caller->recent, child, __ATOMIC_RELAXED);
    return child;
}

WEFT_WEAK void weft_metering_clear_contexts(struct tree *tree)
{
    for (uint32_t i = 1, count = tree ? nodes_of(tree) : 0; i < count; i++)
        tree->nodes[i].units = tree->nodes[i].calls = 0;
}

// ---- The process's ----

WEFT_WEAK void weft_metering_fold_contexts(struct tree *tree, int counts)
{
    if (!tree)
        return;
    if (counts && !process->ended_contexts)
        process->ended_contexts = new_tree(offsetof(struct tree, images));
    if (counts && process->ended_contexts)
        merge(process->ended_contexts, tree);
    empty(tree);
}

/// What is worth showing: contexts with calls or units, and those above them. Registry locked.
static void mark_shown(struct tree *tree)
{
    for (uint32_t i = nodes_of(tree) - 1; i > 0; i--) {
        struct weft_metering_node *node = &tree->nodes[i];
        if (node->units || node->calls)
            node->at = 1;
        if (node->at)
            tree->nodes[node->parent].at = 1;
    }
}

WEFT_WEAK void weft_metering_show_contexts(void)
{
    struct tree *shown = process->shown_contexts;
    int any = process->ended_contexts != NULL;
    for (struct cell_map *map = process->maps; map; map = map->next_map)
        any |= map->thread && map->tree;
    if (any && !shown)
        shown = process->shown_contexts = new_tree(offsetof(struct tree, images));
    if (!shown)
        return;
    empty(shown);
    if (process->ended_contexts)
        merge(shown, process->ended_contexts);
    for (struct cell_map *map = process->maps; map; map = map->next_map)
        if (map->thread && map->tree)
            merge(shown, map->tree);
    mark_shown(shown);
}

WEFT_WEAK int weft_metering_next_context(uint32_t *index, struct context *context)
{
    struct tree *tree = process->shown_contexts;
    for (uint32_t count = tree ? nodes_of(tree) : 0; ++*index < count;) {
        const struct weft_metering_node *node = &tree->nodes[*index];
        if (!node->at)
            continue;
        *context = (struct context){.cell = node->cell, .parent = node->parent, .line = node->line, .calls = node->calls, .units = node->units, .number = &tree->nodes[*index].merged};
        context->parent_number = tree->nodes[node->parent].merged;
        return 1;
    }
    return 0;
}
