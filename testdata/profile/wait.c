/* Waits in known places for known times: for a lock that another thread holds, asleep, and in a deadlock until the end. */
#include <pthread.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t left = PTHREAD_MUTEX_INITIALIZER, right = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;

static void nap(int ms)
{
	struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};

	nanosleep(&t, NULL);
}

__attribute__((noinline)) void hold_lock(void)
{
	pthread_mutex_lock(&lock);
	nap(40);
	pthread_mutex_unlock(&lock);
}

__attribute__((noinline)) void wait_lock(void)
{
	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
}

__attribute__((noinline)) void take_nap(void) { nap(25); }

__attribute__((noinline)) void embrace(pthread_mutex_t *first, pthread_mutex_t *second)
{
	pthread_mutex_lock(first);
	pthread_barrier_wait(&both);
	pthread_mutex_lock(second);
	__asm__ volatile(""); /* or the call would be a jump, and this function not on the stack */
}

static void *holder(void *unused)
{
	for (int i = 0; i < 20; i++) {
		hold_lock();
		nap(5);
	}
	return unused;
}

static void *waiter(void *unused)
{
	for (int i = 0; i < 10; i++) {
		nap(2);
		wait_lock();
	}
	return unused;
}

static void *sleeper(void *unused)
{
	for (int i = 0; i < 20; i++)
		take_nap();
	return unused;
}

static void *one(void *unused)
{
	embrace(&left, &right);
	return unused;
}

static void *other(void *unused)
{
	embrace(&right, &left);
	return unused;
}

int main(void)
{
	void *(*ends[])(void *) = {holder, waiter, sleeper}, *(*never[])(void *) = {one, other};
	pthread_t t[3], stuck;

	pthread_barrier_init(&both, NULL, 2);
	for (int i = 0; i < 2; i++)
		pthread_create(&stuck, NULL, never[i], NULL);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, ends[i], NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	return 0;
}
