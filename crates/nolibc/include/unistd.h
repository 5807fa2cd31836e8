#pragma once
#include <stddef.h>
#include <sys/types.h>

#define STDIN_FILENO 0
#define STDOUT_FILENO 1
#define STDERR_FILENO 2
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
#define F_OK 0
#define X_OK 1
#define W_OK 2
#define R_OK 4
#define _SC_CLK_TCK 2
#define _SC_OPEN_MAX 4
#define _SC_PAGESIZE 30
#define _SC_PAGE_SIZE _SC_PAGESIZE
#define _SC_IOV_MAX 60
#define _SC_GETPW_R_SIZE_MAX 70
#define _SC_NPROCESSORS_CONF 83
#define _SC_NPROCESSORS_ONLN 84
#define _SC_PHYS_PAGES 85
#define _SC_AVPHYS_PAGES 86
#define _POSIX_VERSION 200809L
#define _POSIX_TIMERS 200809L
#define _POSIX_MONOTONIC_CLOCK 0
#define _POSIX_THREADS 200809L
#define _POSIX_MAPPED_FILES 200809L

extern char **environ;
extern char *optarg;
extern int optind, opterr, optopt;

ssize_t read(int file, void *data, size_t size);
ssize_t write(int file, const void *data, size_t size);
ssize_t pread(int file, void *data, size_t size, off_t offset);
ssize_t pwrite(int file, const void *data, size_t size, off_t offset);
#define pread64 pread
#define pwrite64 pwrite
off_t lseek(int file, off_t offset, int whence);
#define lseek64 lseek
int close(int file);
int dup(int file);
int dup2(int file, int other);
int pipe(int files[2]);
int fsync(int file);
int fdatasync(int file);
void sync(void);
int truncate(const char *path, off_t size);
int ftruncate(int file, off_t size);
#define ftruncate64 ftruncate
int access(const char *path, int mode);
int faccessat(int folder, const char *path, int mode, int flags);
int chown(const char *path, uid_t user, gid_t group);
int fchown(int file, uid_t user, gid_t group);
int lchown(const char *path, uid_t user, gid_t group);
int link(const char *from, const char *to);
int symlink(const char *from, const char *to);
ssize_t readlink(const char *path, char *to, size_t size);
int unlink(const char *path);
int unlinkat(int folder, const char *path, int flags);
int rmdir(const char *path);
int chdir(const char *path);
int chroot(const char *path);
char *getcwd(char *to, size_t size);
int isatty(int file);
char *ttyname(int file);

pid_t getpid(void);
pid_t getppid(void);
pid_t gettid(void);
uid_t getuid(void);
uid_t geteuid(void);
gid_t getgid(void);
gid_t getegid(void);
int setuid(uid_t user);
int setgid(gid_t group);
pid_t setsid(void);
int setpgid(pid_t process, pid_t group);
pid_t fork(void);
pid_t vfork(void);
int execv(const char *path, char *const arguments[]);
int execve(const char *path, char *const arguments[], char *const environment[]);
int execvp(const char *name, char *const arguments[]);
void _exit(int status) __attribute__((__noreturn__));

long sysconf(int name);
long pathconf(const char *path, int name);
int getpagesize(void);
int gethostname(char *name, size_t size);
char *getlogin(void);
int getopt(int count, char *const arguments[], const char *options);
long syscall(long number, ...);
int getentropy(void *data, size_t size);
unsigned sleep(unsigned seconds);
int usleep(useconds_t microseconds);
unsigned alarm(unsigned seconds);
int pause(void);
void *sbrk(intptr_t size);
