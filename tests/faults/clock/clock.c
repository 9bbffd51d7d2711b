/* A wall clock that can be stepped: preloaded into every process of scenario F10.
 *
 * FAULT_CLOCK names a file that holds eight bytes, a signed number of seconds by which the wall clock is wrong. The
 * monotonic clock stays right, as it does when a real clock is stepped; times of files follow the wall clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t none = 0;
static volatile int64_t *offset = &none;

__attribute__((constructor)) static void open_clock(void) {
    const char *path = getenv("FAULT_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (page != MAP_FAILED) offset = page;
}

int clock_gettime(clockid_t which, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, which, now);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) now->tv_sec += *offset;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec fine;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &fine);
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}

#define SHIFTED(call, facts)                       \
    int failed = (call);                           \
    if (!failed) {                                 \
        (facts)->st_atim.tv_sec += *offset;        \
        (facts)->st_mtim.tv_sec += *offset;        \
        (facts)->st_ctim.tv_sec += *offset;        \
    }                                              \
    return failed

int fstatat(int at, const char *restrict path, struct stat *restrict facts, int flags) {
    SHIFTED((int)syscall(SYS_newfstatat, at, path, facts, flags), facts);
}
int stat(const char *restrict path, struct stat *restrict facts) { return fstatat(AT_FDCWD, path, facts, 0); }
int lstat(const char *restrict path, struct stat *restrict facts) {
    return fstatat(AT_FDCWD, path, facts, AT_SYMLINK_NOFOLLOW);
}
int fstat(int file, struct stat *facts) { return fstatat(file, "", facts, AT_EMPTY_PATH); }

/* On 64-bit Linux the names for large files are the same functions. */
int stat64(const char *restrict p, struct stat64 *restrict f) { return stat(p, (struct stat *)f); }
int lstat64(const char *restrict p, struct stat64 *restrict f) { return lstat(p, (struct stat *)f); }
int fstat64(int file, struct stat64 *f) { return fstat(file, (struct stat *)f); }
int fstatat64(int at, const char *restrict p, struct stat64 *restrict f, int flags) {
    return fstatat(at, p, (struct stat *)f, flags);
}
