/* Burns CPU in three functions, 70 : 20 : 10, until it has done so many rounds. Compiled with and without frame pointers, as C and C++. */
#include <stdint.h>
#include <stdlib.h>

volatile uint64_t sink;

#define BURN(n)                                                                            \
	do {                                                                               \
		for (uint64_t i = 0; i < (n); i++)                                         \
			sink += i * i;                                                     \
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

METHOD(seventy) { BURN(7 * n); }
METHOD(twenty) { BURN(2 * n); }
METHOD(ten) { BURN(n); }

#ifdef __cplusplus
} // namespace shop
#endif

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	uint64_t n = 100000;
#ifdef __cplusplus
	shop::Cart *cart = new shop::Cart;
#define CALL(name) cart->name(n)
#else
#define CALL(name) name(n)
#endif

	while (rounds--) {
		CALL(seventy);
		CALL(twenty);
		CALL(ten);
	}
	return 0;
}
