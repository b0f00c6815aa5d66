// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Floating point: the Sun and its large planets pull at each other. Square roots, divisions and long dependences.

#include "kernel.h"

#include <math.h>

#define BODIES 5
#define STEPS 200000

const char *const kernel_name = "nbody";
const unsigned kernel_passes = 20;

struct body {
    double x, y, z, vx, vy, vz, mass;
};

#define DAYS 365.24
#define SOLAR 39.478417604357432

static const struct body start[BODIES] = {
    {0, 0, 0, 0, 0, 0, SOLAR},
    {4.84143144246472090, -1.16032004402742839, -0.103622044471123109, 0.00166007664274403694 * DAYS,
     0.00769901118419740425 * DAYS, -0.0000690460016972063023 * DAYS, 0.000954791938424326609 * SOLAR},
    {8.34336671824457987, 4.12479856412430479, -0.403523417114321381, -0.00276742510726411 * DAYS,
     0.00499852801234917238 * DAYS, 0.0000230417297573763929 * DAYS, 0.000285885980666130812 * SOLAR},
    {12.8943695621391310, -15.1111514016986312, -0.223307578892655734, 0.00296460137564761618 * DAYS,
     0.00237847173959480950 * DAYS, -0.0000296589568540237556 * DAYS, 0.0000436624404335156298 * SOLAR},
    {15.3796971148509165, -25.9193146099879641, 0.179258772950371181, 0.00268067772490389322 * DAYS,
     0.00162824170038242295 * DAYS, -0.0000951592254519715870 * DAYS, 0.0000515138902046611451 * SOLAR},
};

static void advance(struct body *bodies, double dt)
{
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double square = dx * dx + dy * dy + dz * dz;
            double force = dt / (square * sqrt(square));
            a->vx -= dx * b->mass * force;
            a->vy -= dy * b->mass * force;
            a->vz -= dz * b->mass * force;
            b->vx += dx * a->mass * force;
            b->vy += dy * a->mass * force;
            b->vz += dz * a->mass * force;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        bodies[i].x += dt * bodies[i].vx;
        bodies[i].y += dt * bodies[i].vy;
        bodies[i].z += dt * bodies[i].vz;
    }
}

static double energy(const struct body *bodies)
{
    double sum = 0;
    for (int i = 0; i < BODIES; i++) {
        const struct body *a = &bodies[i];
        sum += 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
        for (int j = i + 1; j < BODIES; j++) {
            const struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            sum -= a->mass * b->mass / sqrt(dx * dx + dy * dy + dz * dz);
        }
    }
    return sum;
}

uint64_t kernel(void)
{
    struct body bodies[BODIES];
    for (int i = 0; i < BODIES; i++)
        bodies[i] = start[i];
    for (int i = 1; i < BODIES; i++) { // the Sun moves so that the whole does not
        bodies[0].vx -= bodies[i].vx * bodies[i].mass / SOLAR;
        bodies[0].vy -= bodies[i].vy * bodies[i].mass / SOLAR;
        bodies[0].vz -= bodies[i].vz * bodies[i].mass / SOLAR;
    }
    for (unsigned step = 0; step < STEPS; step++)
        advance(bodies, 0.01);
    return (uint64_t)(int64_t)(energy(bodies) * 1e9);
}
