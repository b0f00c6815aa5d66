// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Branchy: a bytecode machine with a stack and a switch, whose program finds primes by trial division and greatest common
// divisors.

#include "kernel.h"

#define LIMIT 18000

const char *const kernel_name = "interpreter";
const unsigned kernel_passes = 20;

enum operation { PUSH, LOAD, STORE, ADD, REMAINDER, MULTIPLY, LESS, EQUAL, XOR, JUMP, JUMP_IF_NOT, CALL, RETURN, HALT };

struct instruction {
    uint8_t operation;
    int32_t operand;
};

/// The variables of the program below.
enum { N, D, SUM, COUNT, A, B, T, VARIABLES };

/// for (n = 2; n < LIMIT; n++) { for (d = 2; d * d <= n && n % d; d++) ; if (n < d * d) count++; sum = gcd(sum, n) + n; }
/// The numbers behind the lines are the first instruction's index.
static const struct instruction program[] = {
    {PUSH, 2}, {STORE, N},                                                         // 0
    {LOAD, N}, {PUSH, LIMIT}, {LESS, 0}, {JUMP_IF_NOT, 41},                        // 2: while n < LIMIT
    {PUSH, 2}, {STORE, D},                                                         // 6
    {LOAD, N}, {LOAD, D}, {LOAD, D}, {MULTIPLY, 0}, {LESS, 0}, {JUMP_IF_NOT, 19},  // 8: if n < d * d
    {LOAD, COUNT}, {PUSH, 1}, {ADD, 0}, {STORE, COUNT}, {JUMP, 28},                // 14
    {LOAD, N}, {LOAD, D}, {REMAINDER, 0}, {JUMP_IF_NOT, 28},                       // 19: if n % d
    {LOAD, D}, {PUSH, 1}, {ADD, 0}, {STORE, D}, {JUMP, 8},                         // 23
    {LOAD, SUM}, {STORE, A}, {LOAD, N}, {STORE, B}, {CALL, 42},                    // 28
    {LOAD, N}, {ADD, 0}, {STORE, SUM},                                             // 33: sum = gcd(sum, n) + n
    {LOAD, N}, {PUSH, 1}, {ADD, 0}, {STORE, N}, {JUMP, 2},                         // 36
    {HALT, 0},                                                                     // 41
    {LOAD, B}, {JUMP_IF_NOT, 53},                                                  // 42: gcd: while b
    {LOAD, A}, {LOAD, B}, {REMAINDER, 0}, {STORE, T},                              // 44
    {LOAD, B}, {STORE, A}, {LOAD, T}, {STORE, B}, {JUMP, 42},                      // 48
    {LOAD, A}, {RETURN, 0},                                                        // 53
};

static uint64_t run(const struct instruction *code, uint64_t *variables)
{
    uint64_t stack[64], *top = stack, executed = 0;
    uint32_t returns[64], *last = returns, at = 0;
    for (;;) {
        const struct instruction *now = &code[at++];
        executed++;
        switch ((enum operation)now->operation) {
        case PUSH:
            *top++ = (uint64_t)now->operand;
            break;
        case LOAD:
            *top++ = variables[now->operand];
            break;
        case STORE:
            variables[now->operand] = *--top;
            break;
        case ADD:
            top--;
            top[-1] += *top;
            break;
        case REMAINDER:
            top--;
            top[-1] = (uint32_t)top[-1] % (uint32_t)*top;
            break;
        case MULTIPLY:
            top--;
            top[-1] *= *top;
            break;
        case LESS:
            top--;
            top[-1] = top[-1] < *top;
            break;
        case EQUAL:
            top--;
            top[-1] = top[-1] == *top;
            break;
        case XOR:
            top--;
            top[-1] ^= *top;
            break;
        case JUMP:
            at = (uint32_t)now->operand;
            break;
        case JUMP_IF_NOT:
            if (!*--top)
                at = (uint32_t)now->operand;
            break;
        case CALL:
            *last++ = at;
            at = (uint32_t)now->operand;
            break;
        case RETURN:
            at = *--last;
            break;
        case HALT:
            return executed;
        }
    }
}

uint64_t kernel(void)
{
    uint64_t variables[VARIABLES] = {0};
    uint64_t executed = run(program, variables);
    return kernel_mix(kernel_mix(executed, variables[COUNT]), variables[SUM]);
}
