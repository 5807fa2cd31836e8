/* Sockets are in mkernel's feature `posix`: those that nolibc has fail with ENOSYS. */
#pragma once
#include <sys/types.h>
#include <sys/uio.h>

#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define PF_UNSPEC AF_UNSPEC
#define PF_UNIX AF_UNIX
#define PF_INET AF_INET
#define PF_INET6 AF_INET6
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_NONBLOCK 04000
#define SOCK_CLOEXEC 02000000
#define SOL_SOCKET 1
#define SO_REUSEADDR 2
#define SO_TYPE 3
#define SO_ERROR 4
#define SO_BROADCAST 6
#define SO_SNDBUF 7
#define SO_RCVBUF 8
#define SO_KEEPALIVE 9
#define SO_LINGER 13
#define SO_RCVTIMEO 20
#define SO_SNDTIMEO 21
#define SOMAXCONN 4096
#define MSG_OOB 1
#define MSG_PEEK 2
#define MSG_CTRUNC 8
#define MSG_TRUNC 0x20
#define MSG_DONTWAIT 0x40
#define MSG_WAITALL 0x100
#define MSG_NOSIGNAL 0x4000
#define MSG_CMSG_CLOEXEC 0x40000000
#define SCM_RIGHTS 1
#define SHUT_RD 0
#define SHUT_WR 1
#define SHUT_RDWR 2

typedef unsigned short sa_family_t;
struct sockaddr {
    sa_family_t sa_family;
    char sa_data[14];
};
struct sockaddr_storage {
    sa_family_t ss_family;
    char padding[118];
    unsigned long align;
};
struct linger {
    int l_onoff, l_linger;
};
struct msghdr {
    void *msg_name;
    socklen_t msg_namelen;
    struct iovec *msg_iov;
    size_t msg_iovlen;
    void *msg_control;
    size_t msg_controllen;
    int msg_flags;
};

struct cmsghdr {
    size_t cmsg_len;
    int cmsg_level, cmsg_type;
};

#define CMSG_ALIGN(size) (((size) + sizeof(size_t) - 1) & ~(sizeof(size_t) - 1))
#define CMSG_LEN(size) (sizeof(struct cmsghdr) + (size))
#define CMSG_SPACE(size) (sizeof(struct cmsghdr) + CMSG_ALIGN(size))
#define CMSG_DATA(header) ((unsigned char *)((header) + 1))
#define CMSG_FIRSTHDR(message) \
    ((struct cmsghdr *)((message)->msg_controllen < sizeof(struct cmsghdr) ? 0 : (message)->msg_control))
#define CMSG_NXTHDR(message, header) \
    ((struct cmsghdr *)((header)->cmsg_len < sizeof(struct cmsghdr) || \
                                CMSG_ALIGN((header)->cmsg_len) + sizeof(struct cmsghdr) > \
                                    (size_t)((char *)(message)->msg_control + (message)->msg_controllen - (char *)(header)) \
                            ? 0 \
                            : (char *)(header) + CMSG_ALIGN((header)->cmsg_len)))

int socket(int family, int type, int protocol);
int socketpair(int family, int type, int protocol, int files[2]);
int bind(int file, const struct sockaddr *address, socklen_t size);
int listen(int file, int backlog);
int accept(int file, struct sockaddr *address, socklen_t *size);
int connect(int file, const struct sockaddr *address, socklen_t size);
int shutdown(int file, int how);
int getsockname(int file, struct sockaddr *address, socklen_t *size);
int getpeername(int file, struct sockaddr *address, socklen_t *size);
int getsockopt(int file, int level, int name, void *value, socklen_t *size);
int setsockopt(int file, int level, int name, const void *value, socklen_t size);
ssize_t send(int file, const void *data, size_t size, int flags);
ssize_t sendto(int file, const void *data, size_t size, int flags, const struct sockaddr *address, socklen_t length);
ssize_t sendmsg(int file, const struct msghdr *message, int flags);
ssize_t recv(int file, void *data, size_t size, int flags);
ssize_t recvfrom(int file, void *data, size_t size, int flags, struct sockaddr *address, socklen_t *length);
ssize_t recvmsg(int file, struct msghdr *message, int flags);
