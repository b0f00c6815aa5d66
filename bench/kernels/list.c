// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pointer chasing: a linked list of a megabyte in random order, and look-ups in a binary search tree of the same size.

#include "kernel.h"

#define NODES 16384
#define WALKS 30
#define LEAVES 32768
#define LOOK_UPS 110000

const char *const kernel_name = "list";
const unsigned kernel_passes = 20;

struct node { // one cache line
    struct node *next;
    uint64_t value;
    uint64_t payload[6];
};

struct leaf {
    struct leaf *left, *right;
    uint64_t key;
    uint64_t value;
};

static struct node nodes[NODES];
static struct leaf leaves[LEAVES];

static struct node *link_nodes(uint64_t *state)
{
    static uint32_t order[NODES];
    for (uint32_t i = 0; i < NODES; i++)
        order[i] = i;
    for (uint32_t i = NODES - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(kernel_random(state) % (i + 1)), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (uint32_t i = 0; i < NODES; i++) {
        struct node *node = &nodes[order[i]];
        node->value = kernel_random(state) >> 32;
        node->next = i + 1 < NODES ? &nodes[order[i + 1]] : NULL;
    }
    return &nodes[order[0]];
}

static uint64_t walk(const struct node *list)
{
    uint64_t sum = 0;
    for (const struct node *node = list; node; node = node->next)
        sum += node->value;
    return sum;
}

static struct leaf *grow(uint64_t *state)
{
    struct leaf *root = NULL;
    for (size_t i = 0; i < LEAVES; i++) {
        leaves[i] = (struct leaf){.key = kernel_random(state) >> 44, .value = i};
        struct leaf **at = &root;
        while (*at)
            at = leaves[i].key < (*at)->key ? &(*at)->left : &(*at)->right;
        *at = &leaves[i];
    }
    return root;
}

static const struct leaf *find(const struct leaf *root, uint64_t key)
{
    while (root && root->key != key)
        root = key < root->key ? root->left : root->right;
    return root;
}

uint64_t kernel(void)
{
    uint64_t state = 7, sum = 0, found = 0;
    struct node *list = link_nodes(&state);
    for (unsigned i = 0; i < WALKS; i++) {
        list->value++; // so that no walk is like the one before
        sum = kernel_mix(sum, walk(list));
    }
    const struct leaf *root = grow(&state);
    for (unsigned i = 0; i < LOOK_UPS; i++) {
        const struct leaf *leaf = find(root, i & 1 ? leaves[kernel_random(&state) % LEAVES].key : kernel_random(&state) >> 44);
        found += leaf ? leaf->value : 1;
    }
    return kernel_mix(sum, found);
}
