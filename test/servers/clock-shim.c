/*
 * Shifts the wall clock of a process by as many milliseconds as the file named by OSTLER_CLOCK_FILE says: loaded before the C library by
 * LD_PRELOAD, so that a real server can be made to see its machine's clock step. The monotonic clock stays as it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long shift_ms(void) {
  const char *path = getenv("OSTLER_CLOCK_FILE");
  char text[32] = {0};
  int file = path == NULL ? -1 : open(path, O_RDONLY);
  if (file < 0) return 0;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  return length > 0 ? atoll(text) : 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  static int (*real)(struct timeval *, void *);
  if (real == NULL) real = dlsym(RTLD_NEXT, "gettimeofday");
  int failed = real(now, zone);
  if (failed != 0 || now == NULL) return failed;
  long long us = now->tv_sec * 1000000LL + now->tv_usec + shift_ms() * 1000LL;
  now->tv_sec = us / 1000000LL;
  now->tv_usec = us % 1000000LL;
  return 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (real == NULL) real = dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(clock, now);
  if (failed != 0 || clock != CLOCK_REALTIME) return failed;
  now->tv_sec += shift_ms() / 1000;
  return 0;
}
