// Six kernels for the cost of counting: `kernels NAME PASSES THREADS` runs one on each thread and prints the fastest pass
// in nanoseconds and a checksum. The Rust program beside it does the same work in Rust's idiom.

#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint32_t next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

// Expressions: recursive descent over text, a few instructions a block.


struct parser {
	const char *at;
};

static int64_t sum(struct parser *p);

static int64_t atom(struct parser *p)
{
	while (*p->at == ' ') p->at++;
	if (*p->at == '(') {
		p->at++;
		int64_t value = sum(p);
		if (*p->at == ')') p->at++;
		return value;
	}
	if (*p->at == '-') {
		p->at++;
		return -atom(p);
	}
	int64_t value = 0;
	while (*p->at >= '0' && *p->at <= '9') value = value * 10 + (*p->at++ - '0');
	return value;
}

static int64_t product(struct parser *p)
{
	int64_t value = atom(p);
	for (;;) {
		while (*p->at == ' ') p->at++;
		if (*p->at == '*') {
			p->at++;
			value = (int64_t)((uint64_t)value * (uint64_t)atom(p));
		} else if (*p->at == '/') {
			p->at++;
			int64_t by = atom(p);
			value = by ? value / (by | 1) : 0;
		} else {
			return value;
		}
	}
}

static int64_t sum(struct parser *p)
{
	int64_t value = product(p);
	for (;;) {
		while (*p->at == ' ') p->at++;
		if (*p->at == '+') {
			p->at++;
			value += product(p);
		} else if (*p->at == '-') {
			p->at++;
			value -= product(p);
		} else {
			return value;
		}
	}
}

static char *write_expression(char *to, uint32_t *seed, int depth)
{
	if (depth == 0 || next(seed) % 8 == 0) return to + sprintf(to, "%u", next(seed) % 1000);
	*to++ = '(';
	to = write_expression(to, seed, depth - 1);
	to += sprintf(to, " %c ", "+-*/"[next(seed) % 4]);
	to = write_expression(to, seed, depth - 1);
	*to++ = ')';
	return to;
}

static uint64_t parse(void)
{
	static __thread char *text;
	if (!text) {
		uint32_t seed = 7;
		text = malloc(1 << 20);
		write_expression(text, &seed, 14);
	}
	uint64_t result = 0;
	for (int i = 0; i < 60; i++) {
		struct parser p = { text };
		result = result * 31 + (uint64_t)sum(&p) + (uint64_t)(p.at - text);
	}
	return result;
}

static uint64_t matmul(void)
{
	enum { N = 200 };
	static __thread double a[N][N], b[N][N], c[N][N];
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			a[i][j] = i + j;
			b[i][j] = i - j;
			c[i][j] = 0;
		}
	for (int i = 0; i < N; i++)
		for (int k = 0; k < N; k++)
			for (int j = 0; j < N; j++) c[i][j] += a[i][k] * b[k][j];
	double total = 0;
	for (int i = 0; i < N; i++) total += c[i][i];
	return (uint64_t)total;
}

static uint64_t sieve(void)
{
	enum { N = 2000000 };
	static __thread unsigned char *composite;
	if (!composite) composite = malloc(N);
	memset(composite, 0, N);
	uint64_t primes = 0;
	for (uint32_t i = 2; i < N; i++) {
		if (composite[i]) continue;
		primes++;
		for (uint64_t j = (uint64_t)i * i; j < N; j += i) composite[j] = 1;
	}
	return primes;
}

static void quicksort(uint32_t *v, int64_t low, int64_t high)
{
	while (low < high) {
		uint32_t pivot = v[low + (high - low) / 2];
		int64_t i = low, j = high;
		while (i <= j) {
			while (v[i] < pivot) i++;
			while (v[j] > pivot) j--;
			if (i <= j) {
				uint32_t t = v[i];
				v[i++] = v[j];
				v[j--] = t;
			}
		}
		if (j - low < high - i) {
			quicksort(v, low, j);
			low = i;
		} else {
			quicksort(v, i, high);
			high = j;
		}
	}
}

static uint64_t sort(void)
{
	enum { N = 200000 };
	static __thread uint32_t *v;
	if (!v) v = malloc(N * sizeof *v);
	uint32_t seed = 99;
	for (int i = 0; i < N; i++) v[i] = next(&seed);
	quicksort(v, 0, N - 1);
	uint64_t result = 0;
	for (int i = 0; i < N; i += 1000) result = result * 31 + v[i];
	return result;
}

// Iteration: small callbacks over arrays, as chains of iterators are in Rust.

static int is_wanted(uint32_t x) { return x % 3 != 0; }
static uint64_t squared(uint32_t x) { return (uint64_t)x * x; }

static uint64_t iterate(void)
{
	enum { N = 1 << 16 };
	static __thread uint32_t *v;
	if (!v) {
		v = malloc(N * sizeof *v);
		for (uint32_t i = 0; i < N; i++) v[i] = i * 2654435761u >> 8;
	}
	uint64_t result = 0;
	for (int pass = 0; pass < 100; pass++) {
		uint64_t total = 0;
		for (int i = 0; i < N; i++)
			if (is_wanted(v[i])) total += squared(v[i]) >> 3;
		for (int i = 0; i + 1 < N; i++)
			if (v[i] < v[i + 1]) total ^= v[i];
		result += total;
	}
	return result;
}

static uint64_t hash(void)
{
	enum { SLOTS = 1 << 16, KEYS = 40000 };
	static __thread uint32_t *keys, *values;
	if (!keys) {
		keys = malloc(SLOTS * sizeof *keys);
		values = malloc(SLOTS * sizeof *values);
	}
	memset(keys, 0, SLOTS * sizeof *keys);
	uint32_t seed = 5;
	for (int i = 0; i < KEYS * 8; i++) {
		uint32_t key = next(&seed) % KEYS + 1;
		uint32_t slot = key * 2654435761u >> 16;
		while (keys[slot] && keys[slot] != key) slot = (slot + 1) & (SLOTS - 1);
		if (!keys[slot]) {
			keys[slot] = key;
			values[slot] = 0;
		}
		values[slot] += (uint32_t)i;
	}
	uint64_t result = 0;
	for (int i = 0; i < SLOTS; i++)
		if (keys[i]) result += (uint64_t)keys[i] * values[i];
	return result;
}

static const struct {
	const char *name;
	uint64_t (*run)(void);
} kernels[] = { { "parse", parse }, { "matmul", matmul }, { "sieve", sieve }, { "sort", sort }, { "iterate", iterate }, { "hash", hash } };

static uint64_t (*chosen)(void);
static int passes;
static pthread_barrier_t barrier;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct outcome {
	uint64_t fastest, result;
};

static void *run(void *argument)
{
	struct outcome *outcome = argument;
	outcome->fastest = UINT64_MAX;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < passes; i++) {
		uint64_t start = now();
		outcome->result = chosen();
		uint64_t took = now() - start;
		if (took < outcome->fastest) outcome->fastest = took;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc != 4) return 2;
	for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
		if (strcmp(kernels[i].name, argv[1]) == 0) chosen = kernels[i].run;
	if (!chosen) return 2;
	passes = atoi(argv[2]);
	int threads = atoi(argv[3]);
	pthread_t *ids = calloc((size_t)threads, sizeof *ids);
	struct outcome *outcomes = calloc((size_t)threads, sizeof *outcomes), worst = { 0 };
	pthread_barrier_init(&barrier, NULL, (unsigned)threads);
	for (int i = 1; i < threads; i++) pthread_create(&ids[i], NULL, run, &outcomes[i]);
	run(&outcomes[0]);
	for (int i = 1; i < threads; i++) pthread_join(ids[i], NULL);
	for (int i = 0; i < threads; i++)
		if (outcomes[i].fastest > worst.fastest) worst = outcomes[i];
	printf("%llu %016llx\n", (unsigned long long)worst.fastest, (unsigned long long)outcomes[0].result);
	return 0;
}
