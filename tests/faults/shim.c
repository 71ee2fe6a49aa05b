/* A file system and a clock that misbehave, for one process and its children: LD_PRELOAD=shim.so SHIM=RULES.
 *
 * RULES, with ';' between them: OPERATION GLOB WHEN ACTION
 *   OPERATION  open read create write fsync syncdir rename link unlink mkdir flock list clock, or change: any that changes files
 *   GLOB       of the path (fnmatch, * matches / too); of two paths, either
 *   WHEN       3: the third time in this process; 3+: from then on
 *   ACTION     fail=ERRNO   refuse              late=ERRNO   do it, then say that it failed
 *              short        write half          slow=MS      wait first
 *              kill         SIGKILL to itself   ghost=NAME   a listing shows a name that is gone
 *              hide         a listing leaves the name out
 *              jump=SECONDS the clock is off by so much from then on
 * SHIM_ONCE=FILE: over all processes only whoever makes that file. SHIM_FIRED=FILE is made when a rule has acted, and
 * SHIM_COUNT=FILE gets a byte for each operation of the kind change, below the GLOB of the first rule.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define RULES 16
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

struct rule {
  char operation[16], glob[PATH_MAX], action[16], name[NAME_MAX + 1];
  int from, on, value, seen;
};
static struct rule rules[RULES];
static int many;
static char *read_from; /* the value of SHIM that `rules` were made of: a fork may set another */

static void load(void) {
  const char *given = getenv("SHIM");
  if (!given) { many = 0; return; }
  if (read_from && !strcmp(given, read_from)) return;
  read_from = strdup(given);
  char *text = strdup(given), *place = NULL;
  many = 0;
  for (char *one = strtok_r(text, ";", &place); one && many < RULES; one = strtok_r(NULL, ";", &place)) {
    struct rule *r = &rules[many];
    char when[16], action[NAME_MAX + 17], *value;
    memset(r, 0, sizeof *r);
    if (sscanf(one, " %15s %4095s %15s %270s", r->operation, r->glob, when, action) != 4) abort();
    r->from = atoi(when);
    r->on = strchr(when, '+') != NULL;
    if ((value = strchr(action, '='))) {
      *value++ = 0;
      r->value = atoi(value);
      strncpy(r->name, value, NAME_MAX);
    }
    strncpy(r->action, action, 15);
    many++;
  }
}

static int make(const char *variable) { /* 0 when this process has made the file, or none is asked for */
  const char *path = getenv(variable);
  if (!path) return 0;
  long fd = syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY, 0600);
  if (fd < 0) return -1;
  syscall(SYS_close, fd);
  return 0;
}

static int changes(const char *operation) {
  static const char *all[] = {"create", "write", "fsync", "syncdir", "rename", "link", "unlink", "mkdir"};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (!strcmp(operation, all[i])) return 1;
  return 0;
}

static void count(void) {
  const char *path = getenv("SHIM_COUNT");
  long fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_APPEND | O_WRONLY, 0600) : -1;
  if (fd >= 0) { syscall(SYS_write, fd, ".", 1); syscall(SYS_close, fd); }
}

/* The rule that acts on this operation now; NULL, as a rule. `slow` and `kill` are done here. */
static struct rule *hit(const char *operation, const char *path, const char *other) {
  int kept = errno;
  load();
  struct rule *found = NULL;
  for (int i = 0; i < many && !found; i++) {
    struct rule *r = &rules[i];
    int any = !strcmp(r->operation, "change") && changes(operation);
    if (!any && strcmp(r->operation, operation)) continue;
    if (fnmatch(r->glob, path, 0) && (!other || fnmatch(r->glob, other, 0))) continue;
    if (any && !i) count();
    int n = __atomic_add_fetch(&r->seen, 1, __ATOMIC_SEQ_CST);
    if (!(n == r->from || (r->on && n > r->from)) || make("SHIM_ONCE")) continue;
    make("SHIM_FIRED");
    if (!strcmp(r->action, "kill")) syscall(SYS_kill, getpid(), SIGKILL);
    else if (!strcmp(r->action, "slow")) usleep(1000 * r->value);
    else found = r;
  }
  errno = kept;
  return found;
}

/* Whether any rule is of this operation; spares the look at a path where reading is everything that is done. */
static int uses(const char *operation) {
  load();
  for (int i = 0; i < many; i++)
    if (!strcmp(rules[i].operation, operation)) return 1;
  return 0;
}

static int is(const struct rule *r, const char *action) { return r && !strcmp(r->action, action); }

static int late(const struct rule *r, int result) {
  if (is(r, "late") && result >= 0) { errno = r->value; return -1; }
  return result;
}

static const char *of(int fd, char *into) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, into, PATH_MAX - 1);
  into[n < 0 ? 0 : n] = 0;
  return into;
}

static const char *at(int dir, const char *name, char *into) {
  if (*name == '/' || dir == AT_FDCWD) return name;
  char folder[PATH_MAX];
  snprintf(into, PATH_MAX, "%.2000s/%.2000s", of(dir, folder), name);
  return into;
}

/* Operations on paths: refuse, do, or do and deny it. */
#define ON_PATHS(operation, one, two, call)                       \
  struct rule *r = hit(operation, one, two);                      \
  if (is(r, "fail")) { errno = r->value; return -1; }             \
  return late(r, call);

static int opened(int dir, const char *name, int flags, mode_t mode) {
  char path[PATH_MAX];
  int writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT;
  ON_PATHS(writes ? "create" : "open", at(dir, name, path), NULL, NEXT(openat)(dir, name, flags, mode))
}

#define MODE                                                      \
  mode_t mode = 0;                                                \
  if (flags & (O_CREAT | __O_TMPFILE)) { va_list l; va_start(l, flags); mode = va_arg(l, mode_t); va_end(l); }
int open(const char *name, int flags, ...) { MODE return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE return opened(AT_FDCWD, name, flags, mode); }
int openat(int dir, const char *name, int flags, ...) { MODE return opened(dir, name, flags, mode); }
int openat64(int dir, const char *name, int flags, ...) { MODE return opened(dir, name, flags, mode); }
int __open_2(const char *name, int flags) { return opened(AT_FDCWD, name, flags, 0); }
int __open64_2(const char *name, int flags) { return opened(AT_FDCWD, name, flags, 0); }

int renameat2(int d, const char *a, int e, const char *b, unsigned flags) {
  char one[PATH_MAX], two[PATH_MAX];
  ON_PATHS("rename", at(d, a, one), at(e, b, two), NEXT(renameat2)(d, a, e, b, flags))
}
int renameat(int d, const char *a, int e, const char *b) { return renameat2(d, a, e, b, 0); }
int rename(const char *a, const char *b) { return renameat2(AT_FDCWD, a, AT_FDCWD, b, 0); }
int linkat(int d, const char *a, int e, const char *b, int flags) {
  char one[PATH_MAX], two[PATH_MAX];
  ON_PATHS("link", at(d, a, one), at(e, b, two), NEXT(linkat)(d, a, e, b, flags))
}
int link(const char *a, const char *b) { return linkat(AT_FDCWD, a, AT_FDCWD, b, 0); }
int unlinkat(int dir, const char *name, int flags) {
  char path[PATH_MAX];
  ON_PATHS("unlink", at(dir, name, path), NULL, NEXT(unlinkat)(dir, name, flags))
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
int mkdirat(int dir, const char *name, mode_t mode) {
  char path[PATH_MAX];
  ON_PATHS("mkdir", at(dir, name, path), NULL, NEXT(mkdirat)(dir, name, mode))
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

/* Operations on open files. */
static const char *sync_of(int fd) {
  struct stat s;
  return fstat(fd, &s) == 0 && S_ISDIR(s.st_mode) ? "syncdir" : "fsync";
}
int fsync(int fd) { char p[PATH_MAX]; ON_PATHS(sync_of(fd), of(fd, p), NULL, NEXT(fsync)(fd)) }
int fdatasync(int fd) { char p[PATH_MAX]; ON_PATHS(sync_of(fd), of(fd, p), NULL, NEXT(fdatasync)(fd)) }
int flock(int fd, int how) { char p[PATH_MAX]; ON_PATHS("flock", of(fd, p), NULL, syscall(SYS_flock, fd, how)) }

#define ON_WRITE(fd, size, call)                                  \
  char path[PATH_MAX];                                            \
  struct rule *r = fd > 2 ? hit("write", of(fd, path), NULL) : NULL; \
  if (is(r, "fail")) { errno = r->value; return -1; }             \
  if (is(r, "short") && size > 1) size /= 2;                      \
  return late(r, call);
ssize_t write(int fd, const void *data, size_t size) { ON_WRITE(fd, size, NEXT(write)(fd, data, size)) }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { ON_WRITE(fd, size, NEXT(pwrite)(fd, data, size, at)) }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { ON_WRITE(fd, size, NEXT(pwrite)(fd, data, size, at)) }
ssize_t writev(int fd, const struct iovec *data, int size) { ON_WRITE(fd, size, NEXT(writev)(fd, data, size)) }
ssize_t sendfile(int fd, int in, off_t *at, size_t size) { ON_WRITE(fd, size, NEXT(sendfile)(fd, in, at, size)) }
ssize_t sendfile64(int fd, int in, off_t *at, size_t size) { ON_WRITE(fd, size, NEXT(sendfile)(fd, in, at, size)) }
ssize_t copy_file_range(int in, off_t *i, int fd, off_t *o, size_t size, unsigned flags) {
  ON_WRITE(fd, size, NEXT(copy_file_range)(in, i, fd, o, size, flags))
}

#define ON_READ(call)                                             \
  char path[PATH_MAX];                                            \
  ON_PATHS("read", fd > 2 && uses("read") ? of(fd, path) : "", NULL, call)
ssize_t read(int fd, void *into, size_t size) { ON_READ(NEXT(read)(fd, into, size)) }
ssize_t pread(int fd, void *into, size_t size, off_t at) { ON_READ(NEXT(pread)(fd, into, size, at)) }
ssize_t pread64(int fd, void *into, size_t size, off_t at) { ON_READ(NEXT(pread)(fd, into, size, at)) }

/* Listings. */
static struct dirent *listed(DIR *dir) {
  static __thread DIR *shown;
  static __thread struct dirent ghost;
  char folder[PATH_MAX], path[PATH_MAX];
  of(dirfd(dir), folder);
  for (;;) {
    struct dirent *entry = NEXT(readdir)(dir);
    struct rule *r = NULL;
    if (entry) {
      shown = NULL;
      snprintf(path, sizeof path, "%.3000s/%.255s", folder, entry->d_name);
      r = *entry->d_name == '.' && strlen(entry->d_name) < 3 ? NULL : hit("list", path, NULL);
      if (is(r, "hide")) continue;
      return entry;
    }
    snprintf(path, sizeof path, "%.3000s/", folder);
    if (shown == dir || !is(r = hit("list", path, NULL), "ghost")) return NULL;
    shown = dir;
    memset(&ghost, 0, sizeof ghost);
    ghost.d_ino = 1;
    ghost.d_type = DT_REG;
    ghost.d_reclen = sizeof ghost;
    strncpy(ghost.d_name, r->name, sizeof ghost.d_name - 1);
    return &ghost;
  }
}
struct dirent *readdir(DIR *dir) { return listed(dir); }
struct dirent64 *readdir64(DIR *dir) { return (struct dirent64 *)listed(dir); }

/* The clock that people set; the one that only counts does not jump. */
static long off(void) {
  static __thread int inside;
  static long by;
  if (inside) return by;
  inside = 1;
  struct rule *r = hit("clock", "", NULL);
  if (is(r, "jump")) by = r->value;
  inside = 0;
  return by;
}
int clock_gettime(clockid_t which, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, which, now);
  if (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE) now->tv_sec += off();
  return result;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone;
  struct timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  now->tv_sec = real.tv_sec;
  now->tv_usec = real.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *into) {
  struct timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  if (into) *into = real.tv_sec;
  return real.tv_sec;
}
