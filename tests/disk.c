/* A disk that fails, or kills: preloaded into a process, it stands before the calls by which SQLite changes files.

   DISK_FILES  what the path of a file contains that is watched; no other file is touched
   DISK_CALL   write, fsync, truncate, unlink or any: what is counted (pwrite is a write, fdatasync an fsync)
   DISK_AT     the n-th of them goes wrong; 0 or missing: none
   DISK_COUNT  how many from there on go wrong; 0: all; missing: one
   DISK_DOES   ENOSPC, EIO    fails so, and changes nothing
               half           writes one half, and then there is no space
               before, after  SIGKILL before the call, or after it
               torn           SIGKILL after one half of the write
   DISK_LOG    a file that gets a line for each watched call, "CALL OFFSET LENGTH PATH", and then the bytes written;
               "met N 0 PATH" where it goes wrong

   Everything is read at each call, so that a forked child can choose for itself. The calls go to the kernel
   directly; write() at the end of a file that is opened for appending has no offset of its own: -1.
*/
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum fate { PASSES, FAILS, HALF, DIES_BEFORE, DIES_AFTER, TORN };

static atomic_int passed;

static int number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

static int is_watched(const char *path) {
    const char *files = getenv("DISK_FILES");
    return files && *files && strstr(path, files) != NULL;
}

/* Whether this descriptor is of a watched file; its path. */
static int is_open(int fd, char path[4096]) {
    if (!getenv("DISK_FILES")) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int before = errno;
    ssize_t length = readlink(link, path, 4095);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    return is_watched(path);
}

static void note(const char *call, long long offset, size_t length, const char *path, const void *bytes) {
    const char *log = getenv("DISK_LOG");
    if (!log) return;
    char line[4300];
    int size = snprintf(line, sizeof line, "%s %lld %zu %s\n", call, offset, length, path);
    struct iovec parts[2] = {{line, size}, {(void *)bytes, bytes ? length : 0}};
    int fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || syscall(SYS_writev, fd, parts, 2) < size) abort();
    syscall(SYS_close, fd);
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* What becomes of this call; sets errno where it fails. */
static enum fate fate_of(const char *call, const char *path) {
    const char *counted = getenv("DISK_CALL"), *does = getenv("DISK_DOES");
    int at = number("DISK_AT", 0), count = number("DISK_COUNT", 1);
    if (!at || !does || (counted && strcmp(counted, "any") && strcmp(counted, call))) return PASSES;
    int n = atomic_fetch_add(&passed, 1) + 1;
    if (n < at || (count && n >= at + count)) return PASSES;
    note("met", n, 0, path, NULL);
    if (!strcmp(does, "before")) return DIES_BEFORE;
    if (!strcmp(does, "after")) return DIES_AFTER;
    if (!strcmp(does, "torn")) return TORN;
    errno = strcmp(does, "EIO") ? ENOSPC : EIO;
    return strcmp(does, "half") ? FAILS : HALF;
}

static ssize_t written(int fd, const void *bytes, size_t length, off_t offset, int at_offset) {
    char path[4096];
    enum fate fate = PASSES;
    if (is_open(fd, path)) {
        fate = fate_of("write", path);
        if (fate == FAILS) return -1;
        if (fate == DIES_BEFORE) die();
        if (fate == HALF || fate == TORN) length /= 2;
        note("write", at_offset ? offset : -1, length, path, bytes);
    }
    ssize_t done = at_offset ? syscall(SYS_pwrite64, fd, bytes, length, offset) : syscall(SYS_write, fd, bytes, length);
    if (fate == DIES_AFTER || fate == TORN) die();
    if (fate != HALF) return done;
    errno = ENOSPC;
    return -1;
}

ssize_t write(int fd, const void *bytes, size_t length) { return written(fd, bytes, length, 0, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return written(fd, bytes, length, offset, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) { return written(fd, bytes, length, offset, 1); }

/* The calls that carry no bytes. */
static int carried(const char *call, const char *path, long long size, long kernel, long a, long b, long c) {
    enum fate fate = fate_of(call, path);
    if (fate == FAILS || fate == HALF) return -1;
    if (fate == DIES_BEFORE || fate == TORN) die();
    int done = syscall(kernel, a, b, c);
    if (done == 0) note(call, size, 0, path, NULL);
    if (fate == DIES_AFTER) die();
    return done;
}

static int synced(int fd, long kernel) {
    char path[4096];
    if (is_open(fd, path)) return carried("fsync", path, 0, kernel, fd, 0, 0);
    return syscall(kernel, fd);
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

int ftruncate(int fd, off_t size) {
    char path[4096];
    if (is_open(fd, path)) return carried("truncate", path, size, SYS_ftruncate, fd, size, 0);
    return syscall(SYS_ftruncate, fd, size);
}

int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

int unlink(const char *path) {
    if (is_watched(path)) return carried("unlink", path, 0, SYS_unlinkat, AT_FDCWD, (long)path, 0);
    return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
