/*
 * console.c: the console, which is the tender's standard output. Nothing waits
 * for it: what the host does not take at once is kept, up to CONSOLE_SIZE
 * octets, and offered again at the next line and the next yield; what finds no
 * room, or what the host refuses, is lost, and how much that was is said as
 * soon as there is somebody to say it to, or a little later.
 *
 * The tender makes the descriptor non-blocking where it can block; under one
 * that does not, writing waits as it always has.
 */
#define CONSOLE_SIZE     16384u
#define CONSOLE_EXIT_NS  (200 * 1000 * 1000ull) /* at the end, at most */

static char console_text[CONSOLE_SIZE];
static size_t console_begin, console_end; /* what waits, in console_text */
static uint64_t console_lost_lines, console_lost_octets;
static bool console_mid_line; /* what the host has taken ends within a line */
/* Until then nothing is offered: a full disk takes its time to refuse. */
static uint64_t console_refused_until;

static bool console_waits(void)
{
    return console_begin < console_end;
}

static void console_lose(const char *buf, size_t size)
{
    console_lost_octets += size;
    for (size_t i = 0; i < size; i++)
        console_lost_lines += buf[i] == '\n';
}

/* Offers octets to the host; how many it took, or that it refuses them. */
static bool console_offer(const char *buf, size_t size, size_t *taken)
{
    long result;

    *taken = 0;
    if (console_refused_until != 0
            && solo5_clock_monotonic() < console_refused_until)
        return false;
    console_refused_until = 0;
    result = system_call(SYS_WRITE, STDOUT, (uintptr_t)buf, size, 0, 0, 0);
    if (result > 0) {
        *taken = (size_t)result;
        console_mid_line = buf[*taken - 1] != '\n';
    } else if (result < 0 && result != NEG_EAGAIN && result != NEG_EINTR) {
        console_refused_until = solo5_clock_monotonic() + RETRY_NS;
        return false;
    }
    return true;
}

static void console_keep(const char *buf, size_t size)
{
    if (console_begin > 0) {
        memmove(console_text, console_text + console_begin,
                console_end - console_begin);
        console_end -= console_begin;
        console_begin = 0;
    }
    if (size > CONSOLE_SIZE - console_end) {
        console_lose(buf, size);
        return;
    }
    memcpy(console_text + console_end, buf, size);
    console_end += size;
}

static void console_report(void)
{
    struct line l = { .used = 0, .cut = false };
    size_t taken;

    if (console_mid_line)
        line_string(&l, "\n");
    line_string(&l, "Solo5: console: ");
    line_unsigned(&l, console_lost_lines, 10);
    line_string(&l, " lines (");
    line_unsigned(&l, console_lost_octets, 10);
    line_string(&l, " octets) were lost here\n");
    if (!console_offer(l.text, l.used, &taken) || taken == 0)
        return;
    console_lost_lines = console_lost_octets = 0;
    console_keep(l.text + taken, l.used - taken);
}

/* Offers again what waits. */
static void console_flush(void)
{
    size_t taken;

    if (console_waits()) {
        if (console_offer(console_text + console_begin,
                    console_end - console_begin, &taken)) {
            console_begin += taken;
        } else {
            console_lose(console_text + console_begin,
                    console_end - console_begin);
            console_begin = console_end;
        }
    }
    if (!console_waits() && console_lost_octets > 0)
        console_report();
}

static void platform_puts(const char *buf, size_t size)
{
    size_t taken = 0;

    if (size == 0)
        return;
    console_flush();
    /* What follows something lost is lost too, until that has been said. */
    if (console_lost_octets > 0
            || (!console_waits() && !console_offer(buf, size, &taken)))
        console_lose(buf, size);
    else
        console_keep(buf + taken, size - taken);
}
