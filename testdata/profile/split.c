/*
 * Burns CPU in three functions, 70 : 20 : 10, until it has done so many rounds. Compiled with and without frame pointers, as C and C++.
 * The shares are of the CPU time that the kernel counts: where a loop lies in a cache line makes it a third slower than its twin. Rounds
 * differ in length, so that none of them beats with the clock of a profiler: its samples are drawn independently.
 */
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

volatile uint64_t sink;

#define BURN(n, k) /* k differs: compilers merge functions that do the same */             \
	do {                                                                               \
		for (uint64_t i = 0; i < (n); i++)                                         \
			sink += i * i + (k);                                               \
	} while (0)

#ifdef __cplusplus
namespace shop {
struct Cart {
	virtual void seventy(uint64_t n);
	virtual void twenty(uint64_t n);
	virtual void ten(uint64_t n);
	virtual ~Cart() {}
};
#define METHOD(name) __attribute__((noinline)) void Cart::name(uint64_t n)
#else
#define METHOD(name) __attribute__((noinline)) void name(uint64_t n)
#endif

METHOD(seventy) { BURN(n, 7); }
METHOD(twenty) { BURN(n, 2); }
METHOD(ten) { BURN(n, 1); }

#ifdef __cplusplus
} // namespace shop
#endif

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	uint32_t length = 1;
	int64_t until = cpu_ns();
#ifdef __cplusplus
	shop::Cart *cart = new shop::Cart;
#define CALL(name) cart->name(200000)
#else
#define CALL(name) name(200000)
#endif
#define SPEND(name, ns)                                                                    \
	for (until += (ns); cpu_ns() < until;)                                             \
		CALL(name)

	while (rounds--) {
		length = length * 1103515245 + 12345;
		int64_t tenth = 1000000 + (length >> 8) % 2000000;
		SPEND(seventy, 7 * tenth);
		SPEND(twenty, 2 * tenth);
		SPEND(ten, tenth);
	}
	return 0;
}
