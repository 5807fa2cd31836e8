/*
 * start.c: the part of start-up that both ABIs share, and guest memory.
 */
extern const char _stext[], _etext[], _erodata[], _end[];

static uint64_t memory_size;  /* end of the guest's memory */
static uint64_t memory_taken; /* end of what is in use below the heap */
static bool memory_locked;    /* the heap has been handed out */

static void memory_init(uint64_t mem_size)
{
    memory_size = mem_size;
    memory_taken = ROUND_UP((uint64_t)_end, PAGE_SIZE);
    /* Not an abort: with the same memory it would be the same again. */
    if (memory_taken + MIN_APP_MEMORY > memory_size) {
        log_line(LOG_ERROR,
                "Solo5: Not enough memory: %lu KB, of which the program takes %lu",
                memory_size >> 10, memory_taken >> 10);
        solo5_exit(SOLO5_EXIT_FAILURE);
    }
}

/*
 * Takes zeroed memory for the bindings; NULL if too little would be left for
 * the application.
 */
static __attribute__((unused)) void *memory_take(size_t size)
{
    ASSERT(!memory_locked);
    size = ROUND_UP(size, PAGE_SIZE);
    if (memory_taken + size + MIN_APP_MEMORY > memory_size)
        return NULL;

    void *taken = (void *)memory_taken;
    memory_taken += size;
    return taken;
}

static void memory_lock(void)
{
    memory_locked = true;
}

static void log_banner(void)
{
    log_line(LOG_INFO, "   ___      _     ___");
    log_line(LOG_INFO, "  / __| ___| |___| __|");
    log_line(LOG_INFO, "  \\__ \\/ _ \\ / _ \\__ \\");
    log_line(LOG_INFO, "  |___/\\___/_\\___/___/");
    log_line(LOG_INFO, "Solo5: Bindings version %s", SOLO5_BINDINGS_VERSION);
}

static void log_range(const char *what, const char *start, const char *end)
{
    log_line(LOG_INFO, "Solo5: %s @ (0x%lx - 0x%lx)", what,
            (uint64_t)start, (uint64_t)end - 1);
}

static void log_memory(void)
{
    log_line(LOG_INFO, "Solo5: Memory map: %lu MB addressable:",
            memory_size >> 20);
    log_range("  reserved", NULL, _stext);
    log_range("      text", _stext, _etext);
    log_range("    rodata", _etext, _erodata);
    log_range("      data", _erodata, _end);
    log_line(LOG_INFO, "Solo5:       heap >= 0x%lx < stack < 0x%lx",
            memory_taken, memory_size);
}

/* `platform_init` sets up clocks and devices and may take memory. */
static NORETURN void start(const struct boot *boot, void (*platform_init)(void))
{
    static struct solo5_start_info info;

    info.cmdline = cmdline_parse(boot->cmdline);
    log_banner();
    memory_init(boot->mem_size);
    manifest_init(boot->mft);
    if (platform_init != NULL)
        platform_init();
    memory_lock();
    log_memory();
    info.heap_start = memory_taken;
    info.heap_size = memory_size - memory_taken;
    solo5_exit(solo5_app_main(&info));
}
