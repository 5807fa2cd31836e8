/* The streams are the console, and only written. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct solo5_stream FILE;
typedef off_t fpos_t;

extern FILE *stdin, *stdout, *stderr;
#define stdin stdin
#define stdout stdout
#define stderr stderr

#define EOF (-1)
#define BUFSIZ 8192
#define FILENAME_MAX 4096
#define FOPEN_MAX 16
#define TMP_MAX 238328
#define L_tmpnam 20
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
#define _IOFBF 0
#define _IOLBF 1
#define _IONBF 2

#define _SOLO5_FORMAT(kind, text, arguments) __attribute__((__format__(kind, text, arguments)))
int printf(const char *format, ...) _SOLO5_FORMAT(__printf__, 1, 2);
int fprintf(FILE *stream, const char *format, ...) _SOLO5_FORMAT(__printf__, 2, 3);
int dprintf(int file, const char *format, ...) _SOLO5_FORMAT(__printf__, 2, 3);
int sprintf(char *to, const char *format, ...) _SOLO5_FORMAT(__printf__, 2, 3);
int snprintf(char *to, size_t size, const char *format, ...) _SOLO5_FORMAT(__printf__, 3, 4);
int vprintf(const char *format, va_list arguments) _SOLO5_FORMAT(__printf__, 1, 0);
int vfprintf(FILE *stream, const char *format, va_list arguments) _SOLO5_FORMAT(__printf__, 2, 0);
int vsprintf(char *to, const char *format, va_list arguments) _SOLO5_FORMAT(__printf__, 2, 0);
int vsnprintf(char *to, size_t size, const char *format, va_list arguments) _SOLO5_FORMAT(__printf__, 3, 0);
int scanf(const char *format, ...) _SOLO5_FORMAT(__scanf__, 1, 2);
int fscanf(FILE *stream, const char *format, ...) _SOLO5_FORMAT(__scanf__, 2, 3);
int sscanf(const char *text, const char *format, ...) _SOLO5_FORMAT(__scanf__, 2, 3);
int vsscanf(const char *text, const char *format, va_list arguments) _SOLO5_FORMAT(__scanf__, 2, 0);
#undef _SOLO5_FORMAT

int fputc(int byte, FILE *stream);
int putc(int byte, FILE *stream);
int putchar(int byte);
int fputs(const char *text, FILE *stream);
int puts(const char *text);
size_t fwrite(const void *data, size_t size, size_t count, FILE *stream);
int fflush(FILE *stream);
int fileno(FILE *stream);
void perror(const char *text);

size_t fread(void *data, size_t size, size_t count, FILE *stream);
char *fgets(char *data, int size, FILE *stream);
int fgetc(FILE *stream);
int getc(FILE *stream);
int getchar(void);
int ungetc(int byte, FILE *stream);
ssize_t getline(char **line, size_t *size, FILE *stream);

FILE *fopen(const char *path, const char *mode);
FILE *fdopen(int file, const char *mode);
FILE *freopen(const char *path, const char *mode, FILE *stream);
int fclose(FILE *stream);
int feof(FILE *stream);
int ferror(FILE *stream);
void clearerr(FILE *stream);
int fseek(FILE *stream, long offset, int whence);
int fseeko(FILE *stream, off_t offset, int whence);
long ftell(FILE *stream);
off_t ftello(FILE *stream);
void rewind(FILE *stream);
int fgetpos(FILE *stream, fpos_t *position);
int fsetpos(FILE *stream, const fpos_t *position);
void setbuf(FILE *stream, char *buffer);
int setvbuf(FILE *stream, char *buffer, int mode, size_t size);
void flockfile(FILE *stream);
void funlockfile(FILE *stream);
FILE *tmpfile(void);
char *tmpnam(char *name);
int remove(const char *path);
int rename(const char *from, const char *to);
FILE *popen(const char *command, const char *mode);
int pclose(FILE *stream);
