/*
 * log.c: lines on the console, and the ways to abort.
 */
#define LOG_BUFFER_SIZE 320 /* a longer line is cut, and a marker follows */

static enum log_level log_level_max = LOG_INFO;

struct line {
    char text[LOG_BUFFER_SIZE];
    size_t used;
    bool cut;
};

/* Keeps room for the LF. */
static void line_char(struct line *l, char c)
{
    if (l->used < sizeof l->text - 1)
        l->text[l->used++] = c;
    else
        l->cut = true;
}

static void line_string(struct line *l, const char *s)
{
    while (*s != '\0')
        line_char(l, *s++);
}

static void line_unsigned(struct line *l, uint64_t n, unsigned base)
{
    char digits[20];
    size_t used = 0;

    do {
        digits[used++] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n > 0);
    while (used > 0)
        line_char(l, digits[--used]);
}

static void line_signed(struct line *l, int64_t n)
{
    if (n < 0)
        line_char(l, '-');
    line_unsigned(l, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, 10);
}

/* Understands %s, %d, %u, %x, %lu, %lx and %%. */
static void line_format(struct line *l, const char *fmt, va_list ap)
{
    for (; *fmt != '\0'; fmt++) {
        bool wide = false;

        if (*fmt != '%') {
            line_char(l, *fmt);
            continue;
        }
        if (*++fmt == 'l') {
            wide = true;
            fmt++;
        }
        switch (*fmt) {
        case 's':
            line_string(l, va_arg(ap, const char *));
            break;
        case 'd':
            line_signed(l, wide ? va_arg(ap, long) : va_arg(ap, int));
            break;
        case 'u':
        case 'x':
            line_unsigned(l,
                    wide ? va_arg(ap, unsigned long) : va_arg(ap, unsigned),
                    *fmt == 'u' ? 10 : 16);
            break;
        default:
            line_char(l, *fmt);
            break;
        }
    }
}

static void line_put(struct line *l)
{
    l->text[l->used++] = '\n';
    platform_puts(l->text, l->used);
    if (l->cut) {
        static const char marker[] = "Solo5: (the line above was cut)\n";
        platform_puts(marker, sizeof marker - 1);
    }
}

static void log_line(enum log_level level, const char *fmt, ...)
{
    struct line l = { .used = 0, .cut = false };
    va_list ap;

    if (level > log_level_max)
        return;
    va_start(ap, fmt);
    line_format(&l, fmt, ap);
    va_end(ap);
    line_put(&l);
}

static void abort_at(const char *file, int line, const void *cookie,
        const char *fmt, ...)
{
    struct line l = { .used = 0, .cut = false };
    va_list ap;

    line_string(&l, "Solo5: ABORT: ");
    line_string(&l, file);
    line_char(&l, ':');
    line_signed(&l, line);
    line_string(&l, ": ");
    va_start(ap, fmt);
    line_format(&l, fmt, ap);
    va_end(ap);
    line_put(&l);
    platform_exit(SOLO5_EXIT_ABORT, cookie);
}

void solo5_console_write(const char *buf, size_t size)
{
    platform_puts(buf, size);
}

void solo5_exit(int status)
{
    log_line(LOG_INFO, "Solo5: solo5_exit(%d) called", status);
    platform_exit(status, NULL);
}

void solo5_abort(void)
{
    log_line(LOG_INFO, "Solo5: solo5_abort() called");
    platform_exit(SOLO5_EXIT_ABORT, NULL);
}
