/*
 * Time, for all models. It passes in whole ticks, between any two steps of
 * anybody. Nothing makes a process take its next step, so each of them is
 * stopped (SIGSTOP, garbage collection, a slow network) at every point, for
 * every length of time.
 *
 * A moment that lies ahead is kept as the ticks that are left until then. So
 * there is no last tick: runs are as long as they like, in finitely many states.
 */
#ifndef D
#define D 2	/* the bound, in ticks */
#endif

#define max(a, b) ((a) > (b) -> (a) : (b))
#define min(a, b) ((a) < (b) -> (a) : (b))
#define count(ticks) ticks = ticks - (ticks > 0)
